/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What store.c, mend.c and move.c share. */
#ifndef GATEPOST_RELAY_SPOOL_STORE_INNER_H
#define GATEPOST_RELAY_SPOOL_STORE_INNER_H

#include "relay/spool/bodies.h"
#include "relay/spool/reserve.h"
#include "relay/spool/state.h"
#include "relay/spool/store.h"

struct store {
	struct state state;
	struct bodies *bodies;
	struct reserve reserve;
	const struct store_watch *watch;
	void *arg;
	uint64_t last_id;
	uint32_t noted_segment; /* the newest one that the state knows of */
};

/* In a transaction: notes segment numbers that were given since, so that none is given twice. */
int store_note_segments(struct store *s);

/* Sets a message aside (mend.c). No transaction may be open. counted: its place was told to bodies
 * as living. False when that could not be written down: it is still there, skip it. */
bool store_set_aside(struct store *s, uint64_t id, bool counted, const char *reason);

/* At start: sets aside what has an envelope and no place, and what has a place that is no place. */
bool store_mend(struct store *s, struct buf *error);

/* One step of moving bodies out of a sparse segment (move.c). */
void store_move(struct store *s);

#endif
