/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/smtp/tickets.h"

#include <stdlib.h>

/* A number is a place and how often the place was used before. */
struct ticket {
	void *what; /* NULL: free */
	uint32_t round;
	uint32_t next_free; /* + 1; 0 for none */
};

static void grow(struct tickets *t)
{
	size_t cap = t->cap ? 2 * t->cap : 64;

	t->items = realloc(t->items, cap * sizeof(*t->items));
	if (!t->items)
		abort();
	for (size_t i = cap; i-- > t->cap;) {
		t->items[i] = (struct ticket){.next_free = (uint32_t)t->free_first};
		t->free_first = i + 1;
	}
	t->cap = cap;
}

uint64_t tickets_give(struct tickets *t, void *what)
{
	struct ticket *k;
	size_t place;

	if (!t->free_first)
		grow(t);
	place = t->free_first - 1;
	k = &t->items[place];
	t->free_first = k->next_free;
	k->what = what;
	t->used++;
	return (uint64_t)k->round << 32 | place;
}

static void *take_place(struct tickets *t, size_t place)
{
	struct ticket *k = &t->items[place];
	void *what = k->what;

	k->what = NULL;
	k->round++;
	k->next_free = (uint32_t)t->free_first;
	t->free_first = place + 1;
	t->used--;
	return what;
}

void *tickets_take(struct tickets *t, uint64_t number)
{
	size_t place = (uint32_t)number;

	if (place >= t->cap || !t->items[place].what || t->items[place].round != number >> 32)
		return NULL;
	return take_place(t, place);
}

void *tickets_take_any(struct tickets *t)
{
	for (size_t i = 0; i < t->cap && t->used; i++)
		if (t->items[i].what)
			return take_place(t, i);
	return NULL;
}

size_t tickets_count(const struct tickets *t)
{
	return t->used;
}

void tickets_free(struct tickets *t)
{
	free(t->items);
	*t = (struct tickets){0};
}
