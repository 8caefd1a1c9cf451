/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A hash table of things that hold their own link: chained, a power of two of slots, grown before
 * there are more things than slots. Things stay their owner's; struct table_node is the first
 * member of each. A zeroed table is empty.
 *
 *	for (struct table_node *n = table_first(&t, hash); n; n = table_next(n))
 *		if (is_it((struct thing *)n)) ...
 */
#ifndef GATEPOST_LIB_TABLE_H
#define GATEPOST_LIB_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct table_node {
	struct table_node *next;
	uint32_t hash;
};

struct table {
	struct table_node **slots;
	size_t size, count;
};

/* Aborts when there is no memory. A thing that is in a table already must not be added. */
void table_add(struct table *t, struct table_node *n, uint32_t hash);
void table_remove(struct table *t, struct table_node *n);

/* Those of one hash, in no order; NULL behind the last. */
struct table_node *table_first(const struct table *t, uint32_t hash);
struct table_node *table_next(const struct table_node *n);

/* Each of them as n; the body may remove that one, and no other, and add none. */
#define TABLE_EACH(t, n)                                                     \
	for (size_t slot_##n = 0; slot_##n < (t)->size; slot_##n++)          \
		for (struct table_node *n = (t)->slots[slot_##n], *next_##n; \
		     n && (next_##n = n->next, 1); n = next_##n)

/* FNV-1a. */
uint32_t table_hash(const void *bytes, size_t n);

#endif
