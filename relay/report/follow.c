/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/report/follow.h"

#include "lib/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct follower {
	int dir;
	const char *path;
	struct event_store *store;    /* NULL: to be opened */
	struct events_reader *reader; /* NULL: to begin at the store's place */
	size_t held;                  /* records of the open transaction; 0: none is open */
	struct follower_counts counts;
	uint64_t store_bytes;
	uint64_t let_go; /* the file up to which the journal was told to forget */
	bool failing;    /* said so in the log already */
};

static void drop_reader(struct follower *f)
{
	if (f->reader)
		f->counts.damaged_bytes += events_damaged(f->reader);
	events_reader_free(f->reader);
	f->reader = NULL;
}

/* Out of the way under another name, with its write-ahead log: somebody may want to look. */
static bool set_aside(struct follower *f, const char *why)
{
	static const char *const suffixes[] = {"", "-wal", "-shm"};
	char from[128], to[128];
	bool moved = true;

	event_store_close(f->store);
	f->store = NULL;
	drop_reader(f);
	for (size_t i = 0; i < sizeof(suffixes) / sizeof(*suffixes); i++) {
		snprintf(from, sizeof(from), "%s%s", f->path, suffixes[i]);
		snprintf(to, sizeof(to), "%s.corrupt%s", f->path, suffixes[i]);
		unlinkat(f->dir, to, 0);
		if (renameat(f->dir, from, f->dir, to) != 0 && errno != ENOENT) {
			log_error("cannot rename '%s': %s", from, strerror(errno));
			moved = false;
		}
	}
	f->counts.set_aside++;
	log_error("the event store was corrupt (%s); it is set aside as '%s.corrupt' and begun "
		  "anew from the journal",
		  why, f->path);
	return moved;
}

static enum follow failed(struct follower *f, const char *why)
{
	f->counts.failures++;
	if (!f->failing)
		log_error("the event store fails (%s); events are kept in the journal", why);
	f->failing = true;
	drop_reader(f); /* it is ahead of what was committed */
	return FOLLOW_FAILED;
}

static enum follow not_ok(struct follower *f, enum store_status status)
{
	event_store_rollback(f->store);
	f->held = 0;
	if (status == STORE_FAILED)
		return failed(f, event_store_error(f->store));
	char why[256];
	snprintf(why, sizeof(why), "%s", event_store_error(f->store));
	return set_aside(f, why) ? FOLLOW_MORE : failed(f, why);
}

static bool open_store(struct follower *f)
{
	struct buf error = BUF_INIT;
	enum store_status status;

	f->store = event_store_open(f->path, &status, &error);
	if (status == STORE_CORRUPT && set_aside(f, buf_str(&error))) {
		buf_clear(&error);
		f->store = event_store_open(f->path, &status, &error);
	}
	if (!f->store)
		failed(f, buf_str(&error));
	buf_free(&error);
	return f->store != NULL;
}

/* *carried: records, sound or not. */
static enum store_status carry(struct follower *f, size_t records, size_t *carried)
{
	enum store_status status = STORE_OK;
	struct place_in_events at;
	const void *payload;
	size_t n;

	while (status == STORE_OK && *carried < records &&
	       events_next(f->reader, &at, &payload, &n) == EVENTS_RECORD) {
		struct event e;
		++*carried;
		if (!f->held++)
			status = event_store_begin(f->store);
		if (!event_decode(payload, n, &e)) {
			f->counts.damaged_events++;
			continue;
		}
		if (status == STORE_OK)
			status = event_store_add(f->store, at, &e);
		event_clear(&e);
	}
	return status;
}

/* A commit may be undone by a power cut; what was checkpointed is not. */
static enum store_status let_go(struct follower *f, struct events *e)
{
	struct place_in_events place = event_store_place(f->store);

	events_followed(e, place);
	if (place.file == f->let_go)
		return STORE_OK;
	enum store_status status = event_store_checkpoint(f->store);
	if (status == STORE_OK) {
		events_forget(e, place);
		f->let_go = place.file;
	}
	return status;
}

static enum store_status trim(struct follower *f, size_t *dropped)
{
	enum store_status status = event_store_trim(f->store, f->store_bytes, dropped);

	if (*dropped && !f->counts.forgotten)
		log_info("the event store has reached its size: the oldest events go");
	f->counts.forgotten += *dropped;
	return status;
}

static enum follow works(struct follower *f, enum follow done)
{
	if (f->failing)
		log_info("the event store works again");
	f->failing = false;
	return done;
}

enum follow follower_settle(struct follower *f, struct events *e)
{
	size_t dropped = 0;

	if (!f->store)
		return FOLLOW_FAILED;
	enum store_status status = STORE_OK;
	if (f->held)
		status = event_store_commit(f->store, events_reader_place(f->reader));
	if (status == STORE_OK)
		status = let_go(f, e);
	if (status == STORE_OK)
		status = trim(f, &dropped);
	if (status != STORE_OK)
		return not_ok(f, status);
	f->held = 0;
	return works(f, dropped ? FOLLOW_TRIMMED : FOLLOW_DONE);
}

enum follow follower_step(struct follower *f, struct events *e, size_t records)
{
	size_t carried = 0;

	if (!f->store && !open_store(f))
		return FOLLOW_FAILED;
	if (!f->reader)
		f->reader = events_reader_new(f->dir, event_store_place(f->store));
	enum store_status status = carry(f, records, &carried);
	if (status != STORE_OK)
		return not_ok(f, status);
	if (f->held >= FOLLOW_HOLDS_MAX) {
		enum follow settled = follower_settle(f, e);
		if (settled != FOLLOW_DONE)
			return settled;
	}
	return carried == records ? FOLLOW_MORE : FOLLOW_DONE;
}

struct follower *follower_new(int dir, const char *path, uint64_t store_bytes)
{
	struct follower *f = calloc(1, sizeof(*f));
	if (!f)
		abort();
	f->dir = dir;
	f->path = path;
	f->store_bytes = store_bytes;
	open_store(f);
	return f;
}

void follower_free(struct follower *f)
{
	if (!f)
		return;
	drop_reader(f);
	event_store_close(f->store);
	free(f);
}

struct place_in_events follower_place(const struct follower *f)
{
	return f->store ? event_store_place(f->store) : (struct place_in_events){0};
}

struct event_store *follower_store(struct follower *f)
{
	return f->store;
}

void follower_doubt(struct follower *f, enum store_status status)
{
	if (status == STORE_CORRUPT)
		not_ok(f, status);
}

struct follower_counts follower_counts(const struct follower *f)
{
	struct follower_counts c = f->counts;

	if (f->reader)
		c.damaged_bytes += events_damaged(f->reader);
	return c;
}
