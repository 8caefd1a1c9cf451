/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/table.h"

#include <stdlib.h>

enum { SLOTS_MIN = 64 };

static struct table_node **slot_of(const struct table *t, uint32_t hash)
{
	return &t->slots[hash & (t->size - 1)];
}

static void put(struct table *t, struct table_node *n)
{
	struct table_node **slot = slot_of(t, n->hash);

	n->next = *slot;
	*slot = n;
}

static void grow(struct table *t)
{
	struct table old = *t;

	t->size = old.size ? 2 * old.size : SLOTS_MIN;
	t->slots = calloc(t->size, sizeof(struct table_node *));
	if (!t->slots)
		abort();
	TABLE_EACH (&old, n)
		put(t, n);
	free(old.slots);
}

void table_add(struct table *t, struct table_node *n, uint32_t hash)
{
	if (t->count == t->size)
		grow(t);
	t->count++;
	n->hash = hash;
	put(t, n);
}

void table_remove(struct table *t, struct table_node *n)
{
	struct table_node **link = slot_of(t, n->hash);

	while (*link != n)
		link = &(*link)->next;
	*link = n->next;
	t->count--;
}

static struct table_node *with_hash(struct table_node *n, uint32_t hash)
{
	while (n && n->hash != hash)
		n = n->next;
	return n;
}

struct table_node *table_first(const struct table *t, uint32_t hash)
{
	return t->size ? with_hash(*slot_of(t, hash), hash) : NULL;
}

struct table_node *table_next(const struct table_node *n)
{
	return with_hash(n->next, n->hash);
}

uint32_t table_hash(const void *bytes, size_t n)
{
	const unsigned char *at = bytes;
	uint32_t h = UINT32_C(2166136261);

	for (size_t i = 0; i < n; i++)
		h = (h ^ at[i]) * UINT32_C(16777619);
	return h;
}
