/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What store.c, work_in.c, mend.c and move.c share. */
#ifndef GATEPOST_RELAY_SPOOL_STORE_INNER_H
#define GATEPOST_RELAY_SPOOL_STORE_INNER_H

#include "relay/spool/bodies.h"
#include "relay/spool/journal.h"
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

	/* What was promised is in the journal; the state on the disk goes as far as `kept`, its
	 * open transaction as far as `batch`. */
	struct journal_mark kept;
	uint64_t batch;
	uint64_t counted; /* the last batch whose living and dead bodies were told to bodies */
	size_t changes;   /* in batches since the mark */
	uint64_t bytes, state_bytes;
	bool unread;  /* at start: the journal may have more than the state */
	bool failing; /* the state could not be committed: no new mail until it can */
};

/* --- working the journal into the state (work_in.c) --- */

/* What a batch changed, to be told to bodies once it is in the transaction. */
struct change {
	enum { CHANGE_ALIVE, CHANGE_DEAD, CHANGE_DAMAGED } kind;
	uint64_t id;
	struct place place;
};

struct changes {
	struct change *items;
	size_t count, cap;
};

void changes_add(struct changes *c, const struct change *item);
/* What became of recipients, into the transaction that is open. */
int store_apply(struct store *s, const struct progress *p, struct changes *changes);
/* Tells bodies, and sets aside what was damaged. Frees the list. */
void store_settle(struct store *s, struct changes *changes);

/* The transaction, with all in it that was promised: from the journal where it was lost. */
int store_ready(struct store *s);
/* At start: what the journal has beyond the mark. */
int store_load_mark(struct store *s);

/* Commits the state, as far as the journal goes; nothing is left open. */
int store_checkpoint(struct store *s);
/* Ends a transaction that holds all that was promised: notes how far it goes and the numbers that
 * were given, and commits; or, when there was an error, gives it up. *mark: how far it went. */
int store_finish(struct store *s, int error, struct journal_mark *mark);

/* --- */

/* Sets a message aside (mend.c). counted: its place was told to bodies as living. False when that
 * could not be written down: it is still there, skip it. */
bool store_set_aside(struct store *s, uint64_t id, bool counted, const char *reason);

/* At start: sets aside what has an envelope and no place, and what has a place that is no place. */
bool store_mend(struct store *s, struct buf *error);

/* One step of moving bodies out of a sparse segment (move.c). */
void store_move(struct store *s);

#endif
