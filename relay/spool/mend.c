/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Setting aside what is damaged: one bad record must neither stop the daemon nor vanish.
 *
 * The envelope's record, as far as there is one, moves to the state's `damaged` records with the
 * reason. The body is looked for where the record says, then by its id in every segment, and is
 * written to damaged-ID.eml, where an administrator finds it.
 */
#include "lib/log.h"
#include "relay/spool/segment.h"
#include "relay/spool/store_inner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool write_all(int fd, const char *bytes, size_t n)
{
	while (n) {
		ssize_t k = write(fd, bytes, n);

		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return false;
		bytes += k;
		n -= (size_t)k;
	}
	return true;
}

static bool copy_out(int from, const struct place *place, const char *name)
{
	static char chunk[64 * 1024];
	uint64_t at = place->offset, left = place->size;
	int to = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	bool good = to >= 0;

	while (good && left) {
		ssize_t n =
			pread(from, chunk, left < sizeof(chunk) ? left : sizeof(chunk), (off_t)at);

		good = n > 0 && write_all(to, chunk, (size_t)n);
		if (good) {
			at += (uint64_t)n;
			left -= (uint64_t)n;
		}
	}
	if (to >= 0 && (fdatasync(to) != 0 || close(to) != 0))
		good = false;
	return good;
}

static bool find_body(struct store *s, uint64_t id, struct place *place)
{
	bool found = false;

	for (uint32_t n = 0; !found && (n = bodies_next(s->bodies, n)) != 0;) {
		int fd = bodies_read(n);

		found = fd >= 0 && segment_find(fd, n, id, place);
		if (fd >= 0)
			close(fd);
	}
	return found;
}

/* The file's name, "" when the body is not to be had. */
static const char *rescue_body(struct store *s, uint64_t id, char name[64])
{
	char text[MESSAGE_ID_STR_MAX];
	struct place place;
	bool good = find_body(s, id, &place);
	int fd = good ? bodies_read(place.segment) : -1;

	snprintf(name, 64, "damaged-%s.eml", message_id_format(id, text));
	if (fd >= 0) {
		good = copy_out(fd, &place, name);
		close(fd);
	}
	if (fd < 0 || !good)
		*name = '\0';
	return name;
}

bool store_set_aside(struct store *s, uint64_t id, bool counted, const char *reason)
{
	char text[MESSAGE_ID_STR_MAX], name[64];
	struct whereabouts where;
	int error, place_error;

	/* It has no place in the journal: what has one is committed first. */
	error = store_checkpoint(s);
	if (error)
		return false;
	rescue_body(s, id, name);
	do {
		error = state_begin(&s->state, true);
		place_error = error ? error : state_where(&s->state, id, &where);
		if (!error)
			error = state_set_aside(&s->state, id, reason);
		if (!error)
			error = state_commit(&s->state);
		else
			state_abort(&s->state);
	} while (state_grow(&s->state, error));

	log_error("message %s is set aside: %s; %s%s", message_id_format(id, text), reason,
		  *name ? "its bytes are in the spool's file " : "its bytes were not found", name);
	if (error)
		log_error("message %s could not be set aside: %s", text, mdb_strerror(error));
	else if (counted && !place_error)
		bodies_dead(s->bodies, &where.place);
	return !error;
}

/* Tells bodies what lives. A message whose body cannot be there is set aside. */
static int mend_places(struct store *s)
{
	struct whereabouts where;
	uint64_t id = 0;
	int error;

	for (;;) {
		error = state_begin(&s->state, false);
		/* One transaction over all that is sound; a damaged one ends it. */
		while (!error && (error = state_next(&s->state, id, &id)) == 0) {
			error = state_where(&s->state, id, &where);
			if (!error && !bodies_alive(s->bodies, id, &where.place))
				error = ESTALE;
		}
		state_abort(&s->state);
		if (error == ESTALE)
			store_set_aside(s, id, false,
					"the segment with its body is missing or too short");
		else if (error == EBADMSG)
			store_set_aside(s, id, false,
					"the record of where its body lies is damaged");
		else
			return error == MDB_NOTFOUND ? 0 : error;
	}
}

static int mend_lost(struct store *s)
{
	uint64_t id = 0;
	int error;

	for (;;) {
		error = state_begin(&s->state, false);
		if (!error)
			error = state_next_lost(&s->state, id, &id);
		state_abort(&s->state);
		if (error)
			return error == MDB_NOTFOUND ? 0 : error;
		store_set_aside(s, id, false, "the record of where its body lies is missing");
	}
}

bool store_mend(struct store *s, struct buf *error)
{
	int code = mend_places(s);

	if (!code)
		code = mend_lost(s);
	if (code)
		buf_printf(error, "cannot read '%s' in the spool: %s", STATE_NAME,
			   mdb_strerror(code));
	return !code;
}
