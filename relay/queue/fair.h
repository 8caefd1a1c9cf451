/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A queue that shares: deficit round robin (Shreedhar & Varghese 1995) by account, with the new
 * flow first (as RFC 8290 §4.2 has it).
 *
 * Mail waits in one of these at every place where it can wait. Each account with something in the
 * queue is a flow, and the flows take turns; in one turn a flow may take weight × FAIR_QUANTUM
 * worth of items, and a last one that is larger than what is left of it. A flow that had nothing
 * waiting goes before those that have had their turn, so one message now and then passes a flood
 * without a wait; one turn on, it is a flow like all others, and going away and coming back gains
 * nothing.
 *
 * Pure: no clock, no socket. Every call takes constant time, whatever waits: a pop turns the ring
 * at most FAIR_COST_MAX / FAIR_QUANTUM times for each item that it gives out, over time.
 *
 * The items are the caller's, embedded in what waits; an item is in one queue at a time.
 */
#ifndef GATEPOST_RELAY_QUEUE_FAIR_H
#define GATEPOST_RELAY_QUEUE_FAIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum fair_limit {
	/* An account of the usual weight, 10, gets one small message a turn: who comes between two
	 * turns of a flood waits for one of its messages, and not for a dozen. */
	FAIR_QUANTUM = 1024,
	FAIR_COST_MAX = 1024 * 1024, /* what costs more counts as this */
};

struct fair_flow;

struct fair_item {
	struct fair_item *next, *prev;
	struct fair_flow *flow; /* NULL while in no queue */
	uint32_t cost;
};

struct fair {
	struct fair_flow **table; /* open addressing by account, a power of two; NULL when empty */
	uint32_t table_size;
	uint32_t flow_count;
	struct fair_flow *fresh, *served; /* the next to be looked at in each ring, or NULL */
	size_t count;                     /* items */
};

#define FAIR_INIT ((struct fair){0})

/* What an item of so many bytes costs: a message is work even when it is empty. */
uint32_t fair_cost(uint64_t bytes);

/* account: any number that names it. weight: its share, 1 to 100; the latest one counts. */
void fair_push(struct fair *q, struct fair_item *item, uint32_t account, unsigned weight,
	       uint32_t cost);
/* To the front of its account's items: for one that was taken out and could not be served. */
void fair_push_front(struct fair *q, struct fair_item *item, uint32_t account, unsigned weight,
		     uint32_t cost);

/* The next one, taken out; NULL when nothing waits. */
struct fair_item *fair_pop(struct fair *q);
/* The next one, left in; NULL when nothing waits. */
struct fair_item *fair_peek(struct fair *q);

/* Whoever is next cannot be served now, and lets the others go first. */
void fair_pass(struct fair *q);

void fair_remove(struct fair *q, struct fair_item *item);
bool fair_has(const struct fair_item *item);
/* Whose it is; it is in a queue. */
uint32_t fair_account(const struct fair_item *item);

/* How many items an account has waiting. */
size_t fair_count(const struct fair *q, uint32_t account);

/* Takes all items out (they belong to the caller) and frees the rest. */
void fair_clear(struct fair *q);

#endif
