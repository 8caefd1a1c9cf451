/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The follower carries the journal's events into the store, some at a time, and lets journal files
 * go once the store has them safely. Many steps make one transaction: an index's page that a
 * thousand events touch is then written once.
 *
 * Whatever happens to the store stays here: one that is full or fails is tried again later, one
 * that is corrupt is set aside under another name and begun anew from what the journal still
 * holds. Journalling never waits for it.
 */
#ifndef GATEPOST_RELAY_REPORT_FOLLOW_H
#define GATEPOST_RELAY_REPORT_FOLLOW_H

#include "relay/report/events.h"
#include "relay/report/store.h"

#include <stdint.h>

struct follower;

/* dir: the working directory as a descriptor; path: the store's file in it. Both stay the
 * caller's. Over store_bytes the store forgets its oldest events. */
struct follower *follower_new(int dir, const char *path, uint64_t store_bytes);
void follower_free(struct follower *f);

/* How far the store is; {0, 0} while it cannot be opened. */
struct place_in_events follower_place(const struct follower *f);

enum follow {
	FOLLOW_MORE,    /* the journal holds more */
	FOLLOW_TRIMMED, /* settled; the store may still be too large: settle again */
	FOLLOW_DONE,
	FOLLOW_FAILED, /* the open transaction is undone; try again in FOLLOW_AGAIN_S */
};
enum { FOLLOW_AGAIN_S = 10, FOLLOW_HOLDS_MAX = 16384 };

/* Carries at most that many records over; who asks the store sees them. */
enum follow follower_step(struct follower *f, struct events *e, size_t records);
/* Ends the transaction, and has the store forget some when it is too large. To be called within a
 * second or so of a step; a step does it itself when the transaction has FOLLOW_HOLDS_MAX records.
 */
enum follow follower_settle(struct follower *f, struct events *e);

/* NULL while it cannot be opened. Valid until the next step. */
struct event_store *follower_store(struct follower *f);
/* The store answered a question so: what is corrupt is set aside at the next step. */
void follower_doubt(struct follower *f, enum store_status status);

struct follower_counts {
	uint64_t failures;
	uint64_t set_aside;
	uint64_t damaged_bytes; /* of the journal, stepped over */
	uint64_t damaged_events;
	uint64_t forgotten; /* rows that the store forgot over its size */
};
struct follower_counts follower_counts(const struct follower *f);

#endif
