/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A flow takes items as long as it has not used up its turn; the last one may overdraw it, and is
 * paid for by the turns that follow. So an item never waits for its flow to save up for it, and
 * nobody gets more than its share for that.
 *
 * Two rings of flows. `fresh` holds those that had nothing waiting when their item came, `served`
 * those that have used up a turn. A fresh flow is served before all others until its turn is used
 * up; then it goes to the end of `served`. A fresh flow that runs out of items stays known, empty,
 * at the end of `served` for one more turn, and as long as it has something to pay for, so that
 * sending one item at a time is not a way to be fresh each time (RFC 8290 §4.2 has the same rule).
 */
#include "relay/queue/fair.h"

#include <stdlib.h>

struct fair_flow {
	struct fair_flow *next, *prev;
	struct fair_item *head, *tail;
	size_t count;
	int64_t deficit;
	uint32_t account;
	uint16_t weight;
	bool fresh; /* which ring it is in */
};

#define COST_FLOOR 8192

uint32_t fair_cost(uint64_t bytes)
{
	return bytes > FAIR_COST_MAX - COST_FLOOR ? FAIR_COST_MAX : (uint32_t)bytes + COST_FLOOR;
}

/* --- rings --- */

static void ring_add(struct fair_flow **ring, struct fair_flow *f)
{
	if (!*ring) {
		f->next = f->prev = f;
		*ring = f;
		return;
	}
	f->next = *ring;
	f->prev = (*ring)->prev;
	f->prev->next = f;
	f->next->prev = f;
}

static void ring_remove(struct fair_flow **ring, struct fair_flow *f)
{
	f->prev->next = f->next;
	f->next->prev = f->prev;
	if (*ring == f)
		*ring = f->next == f ? NULL : f->next;
}

static struct fair_flow **ring_of(struct fair *q, const struct fair_flow *f)
{
	return f->fresh ? &q->fresh : &q->served;
}

/* --- the table of flows --- */

static uint32_t slot_of(const struct fair *q, uint32_t account)
{
	return (account * UINT32_C(2654435769)) & (q->table_size - 1);
}

static struct fair_flow *flow_find(const struct fair *q, uint32_t account)
{
	if (!q->table_size)
		return NULL;
	for (uint32_t i = slot_of(q, account);; i = (i + 1) & (q->table_size - 1)) {
		struct fair_flow *f = q->table[i];

		if (!f || f->account == account)
			return f;
	}
}

static void table_put(struct fair *q, struct fair_flow *f)
{
	uint32_t i = slot_of(q, f->account);

	while (q->table[i])
		i = (i + 1) & (q->table_size - 1);
	q->table[i] = f;
}

/* Keeps at least half of the slots free, so a search ends soon. */
static void table_grow(struct fair *q)
{
	struct fair_flow **old = q->table;
	uint32_t size = q->table_size;

	if (q->flow_count * 2 < size)
		return;
	q->table_size = size ? size * 2 : 2;
	q->table = calloc(q->table_size, sizeof(struct fair_flow *));
	if (!q->table)
		abort();
	for (uint32_t i = 0; i < size; i++)
		if (old[i])
			table_put(q, old[i]);
	free(old);
}

static void table_take(struct fair *q, const struct fair_flow *f)
{
	uint32_t mask = q->table_size - 1, hole = slot_of(q, f->account);

	while (q->table[hole] != f)
		hole = (hole + 1) & mask;
	q->table[hole] = NULL;
	/* Whoever was pushed past the hole moves back into it. */
	for (uint32_t i = (hole + 1) & mask; q->table[i]; i = (i + 1) & mask) {
		uint32_t home = slot_of(q, q->table[i]->account);

		if (((i - home) & mask) < ((i - hole) & mask))
			continue;
		q->table[hole] = q->table[i];
		q->table[i] = NULL;
		hole = i;
	}
}

static void flow_free(struct fair *q, struct fair_flow *f)
{
	ring_remove(ring_of(q, f), f);
	table_take(q, f);
	free(f);
	if (--q->flow_count == 0) {
		free(q->table);
		q->table = NULL;
		q->table_size = 0;
	}
}

static struct fair_flow *flow_make(struct fair *q, uint32_t account, unsigned weight)
{
	struct fair_flow *f = flow_find(q, account);

	if (!f) {
		f = calloc(1, sizeof(*f));
		if (!f)
			abort();
		f->account = account;
		f->fresh = true;
		f->deficit = (int64_t)weight * FAIR_QUANTUM;
		table_grow(q);
		q->flow_count++;
		table_put(q, f);
		ring_add(&q->fresh, f);
	}
	f->weight = (uint16_t)weight;
	return f;
}

/* --- items --- */

static struct fair_flow *item_enter(struct fair *q, struct fair_item *item, uint32_t account,
				    unsigned weight, uint32_t cost)
{
	struct fair_flow *f = flow_make(q, account, weight < 1 ? 1 : weight > 100 ? 100 : weight);

	item->flow = f;
	item->cost = cost > FAIR_COST_MAX ? FAIR_COST_MAX : cost;
	item->next = item->prev = NULL;
	f->count++;
	q->count++;
	return f;
}

void fair_push(struct fair *q, struct fair_item *item, uint32_t account, unsigned weight,
	       uint32_t cost)
{
	struct fair_flow *f = item_enter(q, item, account, weight, cost);

	item->prev = f->tail;
	if (f->tail)
		f->tail->next = item;
	else
		f->head = item;
	f->tail = item;
}

void fair_push_front(struct fair *q, struct fair_item *item, uint32_t account, unsigned weight,
		     uint32_t cost)
{
	struct fair_flow *f = item_enter(q, item, account, weight, cost);

	item->next = f->head;
	if (f->head)
		f->head->prev = item;
	else
		f->tail = item;
	f->head = item;
	/* It had paid when it was taken out. */
	f->deficit += item->cost;
}

static void item_leave(struct fair *q, struct fair_item *item)
{
	struct fair_flow *f = item->flow;

	if (item->prev)
		item->prev->next = item->next;
	else
		f->head = item->next;
	if (item->next)
		item->next->prev = item->prev;
	else
		f->tail = item->prev;
	item->flow = NULL;
	f->count--;
	q->count--;
}

/* Ends a flow's turn: it goes to the end of `served` with what it may take the next time. */
static void turn_end(struct fair *q, struct fair_flow *f)
{
	ring_remove(ring_of(q, f), f);
	f->fresh = false;
	if (f->deficit > 0)
		f->deficit = 0;
	f->deficit += (int64_t)f->weight * FAIR_QUANTUM;
	ring_add(&q->served, f);
}

/* The flow whose item is next; NULL when nothing waits. */
static struct fair_flow *flow_next(struct fair *q)
{
	while (q->count) {
		struct fair_flow *f = q->fresh ? q->fresh : q->served;

		if (!f->head) {
			if (f->fresh || f->deficit <= 0)
				turn_end(q, f);
			else
				flow_free(q, f);
		} else if (f->deficit <= 0) {
			turn_end(q, f);
		} else {
			return f;
		}
	}
	return NULL;
}

struct fair_item *fair_peek(struct fair *q)
{
	struct fair_flow *f = flow_next(q);

	return f ? f->head : NULL;
}

void fair_pass(struct fair *q)
{
	struct fair_flow *f = flow_next(q);

	if (!f)
		return;
	ring_remove(ring_of(q, f), f);
	f->fresh = false;
	ring_add(&q->served, f);
}

/* Flows without items are only kept while others have some: then there is a turn to wait for. */
static void forget_empty(struct fair *q)
{
	while (!q->count && (q->fresh || q->served))
		flow_free(q, q->fresh ? q->fresh : q->served);
}

struct fair_item *fair_pop(struct fair *q)
{
	struct fair_flow *f = flow_next(q);

	if (!f)
		return NULL;
	struct fair_item *item = f->head;
	f->deficit -= item->cost;
	item_leave(q, item);
	if (!q->count)
		forget_empty(q);
	return item;
}

void fair_remove(struct fair *q, struct fair_item *item)
{
	if (!item->flow)
		return;
	item_leave(q, item);
	if (!q->count)
		forget_empty(q);
}

bool fair_has(const struct fair_item *item)
{
	return item->flow;
}

uint32_t fair_account(const struct fair_item *item)
{
	return item->flow->account;
}

size_t fair_count(const struct fair *q, uint32_t account)
{
	const struct fair_flow *f = flow_find(q, account);

	return f ? f->count : 0;
}

void fair_clear(struct fair *q)
{
	while (fair_pop(q))
		;
	forget_empty(q);
}
