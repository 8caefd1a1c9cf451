/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An account over its bound keeps its items in a list of its own, so that the queue holds only
 * what could be served. Whenever something is given or given back, that account, and one other of
 * those over their bounds, get their first item back into the queue. So nobody is forgotten, and
 * nothing is searched.
 */
#include "relay/queue/share.h"

#include <stdlib.h>
#include <string.h>

#define NOBODY UINT32_MAX

struct share_account {
	uint64_t held;
	struct share_item *head, *tail; /* blocked items */
	uint32_t next, prev;            /* in the ring of blocked accounts */
};

void share_init(struct share *s, uint64_t total, bool strict)
{
	*s = (struct share){.total = total, .strict = strict, .blocked = NOBODY};
}

void share_free(struct share *s)
{
	fair_clear(&s->queue);
	free(s->accounts);
	share_init(s, s->total, s->strict);
}

static struct share_account *account_at(struct share *s, uint32_t number)
{
	if (number >= s->account_count) {
		uint32_t count = number + 16;

		s->accounts = realloc(s->accounts, count * sizeof(*s->accounts));
		if (!s->accounts)
			abort();
		memset(s->accounts + s->account_count, 0,
		       (count - s->account_count) * sizeof(*s->accounts));
		s->account_count = count;
	}
	return &s->accounts[number];
}

/* --- accounts over their bound --- */

static void block(struct share *s, struct share_item *item)
{
	struct share_account *a = account_at(s, item->account);

	item->is_blocked = true;
	item->next = NULL;
	item->prev = a->tail;
	if (a->tail) {
		a->tail->next = item;
		a->tail = item;
		return;
	}
	a->head = a->tail = item;
	if (s->blocked == NOBODY) {
		a->next = a->prev = item->account;
		s->blocked = item->account;
		return;
	}
	struct share_account *first = &s->accounts[s->blocked];
	a->next = s->blocked;
	a->prev = first->prev;
	s->accounts[first->prev].next = item->account;
	first->prev = item->account;
}

static void unblock(struct share *s, struct share_item *item)
{
	struct share_account *a = &s->accounts[item->account];

	if (item->prev)
		item->prev->next = item->next;
	else
		a->head = item->next;
	if (item->next)
		item->next->prev = item->prev;
	else
		a->tail = item->prev;
	item->is_blocked = false;
	if (a->head)
		return;
	s->accounts[a->prev].next = a->next;
	s->accounts[a->next].prev = a->prev;
	if (s->blocked == item->account)
		s->blocked = a->next == item->account ? NOBODY : a->next;
}

/* Lets an account try its luck again with the first of what it wants. */
static void try_again(struct share *s, uint32_t account)
{
	struct share_item *item = s->accounts[account].head;

	if (!item)
		return;
	unblock(s, item);
	fair_push_front(&s->queue, &item->fair, item->account, item->weight,
			fair_cost(item->units));
}

/* That account, and the next of the others in turn. */
static void try_somebody(struct share *s, uint32_t account)
{
	try_again(s, account);
	if (s->blocked != NOBODY) {
		uint32_t other = s->blocked;

		s->blocked = s->accounts[other].next;
		try_again(s, other);
	}
}

/* --- the queue --- */

static uint64_t free_units(const struct share *s)
{
	return s->used < s->total ? s->total - s->used : 0;
}

static bool may_have(struct share *s, const struct share_item *item)
{
	const struct share_account *a = account_at(s, item->account);
	uint64_t left = free_units(s);

	if (a->held == 0 && !s->strict)
		return true;
	return item->units <= left && a->held + item->units <= 2 * left;
}

void share_want(struct share *s, struct share_item *item, uint32_t account, unsigned weight,
		uint64_t units)
{
	item->units = units;
	item->account = account;
	item->weight = (uint8_t)weight;
	fair_push(&s->queue, &item->fair, account, weight, fair_cost(units));
}

bool share_waits(const struct share_item *item)
{
	return item->is_blocked || fair_has(&item->fair);
}

void share_remove(struct share *s, struct share_item *item)
{
	if (item->is_blocked)
		unblock(s, item);
	else
		fair_remove(&s->queue, &item->fair);
}

static void give(struct share *s, const struct share_item *item)
{
	account_at(s, item->account)->held += item->units;
	s->used += item->units;
	try_somebody(s, item->account);
}

bool share_take(struct share *s, struct share_item *item, uint32_t account, uint64_t units)
{
	if (account_at(s, account)->held || (s->strict && units > free_units(s)))
		return false;
	item->units = units;
	item->account = account;
	give(s, item);
	return true;
}

struct share_item *share_next(struct share *s)
{
	if (s->strict && !free_units(s))
		return NULL;
	for (struct fair_item *next; (next = fair_pop(&s->queue));) {
		struct share_item *item = (struct share_item *)next;

		if (!may_have(s, item)) {
			block(s, item);
			continue;
		}
		give(s, item);
		return item;
	}
	return NULL;
}

void share_return(struct share *s, uint32_t account, uint64_t units)
{
	struct share_account *a = account_at(s, account);

	a->held -= units < a->held ? units : a->held;
	s->used -= units < s->used ? units : s->used;
	try_somebody(s, account);
}

uint64_t share_held(const struct share *s, uint32_t account)
{
	return account < s->account_count ? s->accounts[account].held : 0;
}
