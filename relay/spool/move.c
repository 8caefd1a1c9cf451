/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Moving bodies: one old message that waits for its peer must not pin a whole segment.
 *
 * What lives in a sparse segment is copied behind the newest bodies, synced, and only then do the
 * records name the new place; the old segment dies by itself. The state is committed before and
 * after: where a body lies is not in the journal. A copy that does not have the
 * checksum of its original is not taken: the message is set aside.
 */
#include "lib/log.h"
#include "relay/spool/segment.h"
#include "relay/spool/store_inner.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* In one step; the store does nothing else meanwhile. */
#define MOVE_MESSAGES_MAX 256
#define MOVE_LOOKED_MAX   4096
#define MOVE_SEGMENTS_MAX 8

struct move {
	uint64_t id;
	struct place from, to;
};

/* Which messages live in the segment: at most MOVE_MESSAGES_MAX and STORE_MOVE_BYTES of them, but
 * at least one, unless MOVE_LOOKED_MAX others came first: a long queue must not make this slow.
 * Below *next there is none that is not among them; none is above *highest. */
static size_t choose(struct store *s, uint32_t segment, struct move *moves, uint64_t *next,
		     uint64_t *highest)
{
	struct whereabouts where;
	uint64_t id, bytes = 0;
	size_t count = 0;

	bodies_range(s->bodies, segment, next, highest);
	if (*next > *highest || state_begin(&s->state, false) != 0)
		return 0;
	id = *next - 1;
	for (unsigned looked = 0; looked < MOVE_LOOKED_MAX && count < MOVE_MESSAGES_MAX; looked++) {
		if (state_next(&s->state, id, &id) != 0 || id > *highest) {
			*next = *highest + 1;
			break;
		}
		*next = id;
		if (state_where(&s->state, id, &where) == 0 && where.place.segment == segment) {
			bytes += where.place.size;
			if (count && bytes > STORE_MOVE_BYTES)
				break;
			moves[count++] = (struct move){.id = id, .from = where.place};
		}
		*next = id + 1;
	}
	state_abort(&s->state);
	return count;
}

/* Copies each; what is damaged leaves the list. Gives an errno when the disk is at fault. */
static int copy(struct store *s, int fd, struct move *moves, size_t *count)
{
	/* Without an envelope: where the journal is read again, this is not a new message. */
	static const struct extra none;
	size_t kept = 0;

	for (size_t i = 0; i < *count; i++) {
		struct move m = moves[i];
		uint32_t crc;
		const char *fault = segment_check(fd, m.id, &m.from, SEGMENT_HEADER, &crc);
		int error = 0;

		if (!fault)
			error = segment_append(bodies_writer(s->bodies), m.id, fd, m.from.offset,
					       m.from.size, &crc, &none, &m.to);
		if (error == EILSEQ || error == EBADMSG)
			fault = "its body's checksum does not fit its bytes";
		if (fault)
			store_set_aside(s, m.id, true, fault);
		else if (error)
			return error;
		else
			moves[kept++] = m;
	}
	*count = kept;
	int error = bodies_commit(s->bodies, s->batch + 1);
	if (!error && kept)
		s->counted = ++s->batch;
	return error;
}

static int write_places(struct store *s, const struct move *moves, size_t count)
{
	struct journal_mark mark;
	int error;

	do {
		error = state_begin(&s->state, true);
		for (size_t i = 0; !error && i < count; i++)
			error = state_move(&s->state, moves[i].id, &moves[i].to);
		error = store_finish(s, error, &mark);
	} while (state_grow(&s->state, error));
	if (!error)
		s->kept = mark;
	return error;
}

static void announce(struct store *s, uint64_t id)
{
	struct queued q;

	/* What comes next after the id before it is the message itself, unless it was set aside. */
	if (!store_next(s, id - 1, &q))
		return;
	if (q.envelope->id == id)
		s->watch->moved(s->arg, &q);
	envelope_free(q.envelope);
}

static int move_all(struct store *s, int fd, struct move *moves, size_t *count)
{
	uint64_t room = segment_batch_room();

	for (size_t i = 0; i < *count; i++)
		room += segment_room(moves[i].from.size, 0);
	if (!reserve_allows(&s->reserve, bodies_cost(s->bodies, room)))
		return ENOSPC;
	int error = bodies_begin(s->bodies, room, false);
	if (!error)
		error = copy(s, fd, moves, count);
	if (error)
		bodies_give_up(s->bodies);
	else
		error = write_places(s, moves, *count);
	return error;
}

/* The bytes that were moved; 0 when there is nothing to move. */
static uint64_t move_some(struct store *s, uint32_t segment)
{
	static struct move moves[MOVE_MESSAGES_MAX];
	uint64_t next, highest, bytes = 1;
	size_t count = choose(s, segment, moves, &next, &highest);
	int fd = bodies_read(segment), error = fd < 0 ? errno : 0;

	if (!error && count)
		error = move_all(s, fd, moves, &count);
	if (fd >= 0)
		close(fd);
	if (error) {
		log_error("cannot move old messages together: %s", mdb_strerror(error));
		bodies_leave(s->bodies, segment);
		return 0;
	}
	/* All was looked at: what is left in it cannot be moved. */
	if (next > highest)
		bodies_leave(s->bodies, segment);
	if (count)
		bodies_moved(s->bodies, segment);
	bodies_searched(s->bodies, segment, next);
	for (size_t i = 0; i < count; i++) {
		bytes += moves[i].from.size;
		bodies_dead(s->bodies, &moves[i].from);
		bodies_alive(s->bodies, moves[i].id, &moves[i].to);
	}
	for (size_t i = 0; i < count; i++)
		announce(s, moves[i].id);
	return bytes;
}

void store_move(struct store *s)
{
	uint64_t bytes = 0;
	uint32_t segment;

	for (int i = 0; i < MOVE_SEGMENTS_MAX && bytes < STORE_MOVE_BYTES &&
			(segment = bodies_sparse(s->bodies)) != 0;
	     i++)
		bytes += move_some(s, segment);
}
