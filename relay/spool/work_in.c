/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Working the journal into the state.
 *
 * A batch's changes go into one transaction of LMDB that stays open over many batches, and is
 * committed about once a second (store_checkpoint): most messages have come and gone by then and
 * never cost the state a page. Where that transaction is lost - its bound was reached, a commit
 * failed, the process died - the journal has it all, and is read again from the mark that the last
 * commit left.
 */
#include "lib/log.h"
#include "relay/spool/store_inner.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LAST_ID         "last-id"
#define LAST_SEGMENT    "last-segment"
#define JOURNAL_BATCH   "journal-batch"
#define JOURNAL_SEGMENT "journal-segment"
#define JOURNAL_OFFSET  "journal-offset"

/* --- what a batch changes --- */

void changes_add(struct changes *c, const struct change *item)
{
	if (c->count == c->cap) {
		c->cap = c->cap ? 2 * c->cap : 64;
		c->items = realloc(c->items, c->cap * sizeof(*c->items));
		if (!c->items)
			abort();
	}
	c->items[c->count++] = *item;
}

int store_apply(struct store *s, const struct progress *p, struct changes *changes)
{
	struct change change = {.id = p->message};
	bool forgotten;
	int error = state_apply(&s->state, p, &forgotten, &change.place);

	if (error == EBADMSG) {
		change.kind = CHANGE_DAMAGED;
		changes_add(changes, &change);
	} else if (!error && forgotten) {
		change.kind = CHANGE_DEAD;
		changes_add(changes, &change);
	}
	/* Not found: an earlier one's last recipient was the message's last. */
	return error == EBADMSG || error == MDB_NOTFOUND ? 0 : error;
}

void store_settle(struct store *s, struct changes *changes)
{
	for (size_t i = 0; i < changes->count; i++) {
		const struct change *c = &changes->items[i];

		if (c->kind == CHANGE_ALIVE)
			bodies_alive(s->bodies, c->id, &c->place);
		else if (c->kind == CHANGE_DEAD)
			bodies_dead(s->bodies, &c->place);
	}
	for (size_t i = 0; i < changes->count; i++)
		if (changes->items[i].kind == CHANGE_DAMAGED)
			store_set_aside(s, changes->items[i].id, false,
					"its records or the journal's are damaged");
	free(changes->items);
	*changes = (struct changes){0};
}

/* --- reading it again --- */

struct again {
	struct store *store;
	struct changes changes;
};

static int on_message(void *arg, uint64_t batch, const struct segment_record *r,
		      const struct buf *envelope)
{
	struct again *a = arg;
	struct change change = {CHANGE_ALIVE, r->id, r->place};
	const char *reason;
	struct envelope *e = envelope_decode(envelope->data, envelope->len, &reason);
	int error = 0;

	a->store->changes++;
	if (r->id > a->store->last_id)
		a->store->last_id = r->id;
	if (e && e->id == r->id && e->size == r->place.size)
		error = state_put(&a->store->state, e, envelope, &r->place);
	else
		change.kind = CHANGE_DAMAGED;
	envelope_free(e);
	if (!error && (batch > a->store->counted || change.kind == CHANGE_DAMAGED))
		changes_add(&a->changes, &change);
	return error;
}

static int on_progress(void *arg, uint64_t batch, uint64_t message, const struct buf *payload)
{
	struct again *a = arg;
	struct message m = {.payload = payload->data, .len = payload->len, .fd = -1};
	size_t before = a->changes.count;
	struct progress p;

	a->store->changes++;
	if (!progress_decode(&m, &p) || p.message != message)
		return 0;
	int error = store_apply(a->store, &p, &a->changes);
	free(p.items);
	if (batch <= a->store->counted)
		a->changes.count = before;
	return error;
}

static void on_damaged(void *arg, uint64_t message)
{
	struct change change = {.kind = CHANGE_DAMAGED, .id = message};

	changes_add(&((struct again *)arg)->changes, &change);
}

static int read_again(struct store *s)
{
	static const struct journal_watch watch = {on_message, on_progress, on_damaged};
	struct again again = {.store = s};
	uint64_t last;

	s->changes = 0;
	int error = journal_read(s->bodies, &s->kept, &watch, &again, &last);
	if (error) {
		free(again.changes.items);
		return error;
	}
	if (last > s->batch)
		s->batch = last;
	s->counted = s->batch;
	s->unread = false;
	store_settle(s, &again.changes);
	return 0;
}

int store_ready(struct store *s)
{
	int error = 0;

	if (s->state.txn)
		return 0;
	do {
		error = state_begin(&s->state, true);
		if (!error && (s->unread || s->batch != s->kept.batch))
			error = read_again(s);
		if (error)
			state_abort(&s->state);
	} while (state_grow(&s->state, error));
	/* Setting something aside has committed it all. */
	if (!error && !s->state.txn)
		error = s->batch == s->kept.batch ? state_begin(&s->state, true) : EIO;
	return error;
}

/* --- the mark --- */

int store_load_mark(struct store *s)
{
	const struct {
		const char *name;
		uint64_t *value;
	} numbers[] = {{LAST_ID, &s->last_id}, {JOURNAL_BATCH, &s->kept.batch}};
	uint64_t highest = 0, newest = 0, segment = 0;
	int error = state_begin(&s->state, false);

	for (size_t i = 0; !error && i < sizeof(numbers) / sizeof(*numbers); i++)
		error = state_number(&s->state, numbers[i].name, numbers[i].value);
	if (!error)
		error = state_number(&s->state, JOURNAL_SEGMENT, &segment);
	if (!error)
		error = state_number(&s->state, JOURNAL_OFFSET, &s->kept.offset);
	if (!error)
		error = state_number(&s->state, LAST_SEGMENT, &newest);
	if (!error)
		error = state_highest(&s->state, &highest);
	state_abort(&s->state);
	if (error)
		return error;
	s->kept.segment = (uint32_t)segment;
	s->last_id = s->last_id > highest ? s->last_id : highest;
	bodies_seen(s->bodies, (uint32_t)newest);
	return 0;
}

/* What was given before is never given again: neither the ids, which stand in tracked links and in
 * the log for years, nor the segments, which readers may hold. */
static int put_mark(struct store *s, struct journal_mark *mark)
{
	mark->batch = s->batch;
	bodies_position(s->bodies, &mark->segment, &mark->offset);
	int error = state_set_number(&s->state, LAST_ID, s->last_id);

	if (!error)
		error = state_set_number(&s->state, LAST_SEGMENT, bodies_newest(s->bodies));
	if (!error)
		error = state_set_number(&s->state, JOURNAL_BATCH, mark->batch);
	if (!error)
		error = state_set_number(&s->state, JOURNAL_SEGMENT, mark->segment);
	if (!error)
		error = state_set_number(&s->state, JOURNAL_OFFSET, mark->offset);
	return error;
}

int store_finish(struct store *s, int error, struct journal_mark *mark)
{
	if (!error)
		error = put_mark(s, mark);
	if (!error)
		return state_commit(&s->state);
	state_abort(&s->state);
	return error;
}

static int try_checkpoint(struct store *s)
{
	struct journal_mark mark;
	int error;

	do {
		error = store_finish(s, store_ready(s), &mark);
	} while (state_grow(&s->state, error));
	if (!error) {
		s->kept = mark;
		s->changes = 0;
		s->bytes = s->state_bytes = 0;
	}
	return error;
}

int store_checkpoint(struct store *s)
{
	int error = s->batch == s->kept.batch ? 0 : try_checkpoint(s);

	/* LMDB says EIO of a write that a full disk cut short. */
	if ((error == ENOSPC || error == EDQUOT ||
	     (error == EIO && reserve_is_short(&s->reserve))) &&
	    reserve_release(&s->reserve))
		error = try_checkpoint(s);
	if (error)
		log_error("cannot commit the state of the spool: %s; no new mail is taken until "
			  "it can be",
			  mdb_strerror(error));
	s->failing = error != 0;
	return error;
}
