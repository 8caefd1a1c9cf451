/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is due when: a binary heap of times. Pure.
 *
 * The items are the caller's, embedded in what waits. Adding, removing and taking the earliest
 * cost O(log n); looking at the earliest costs nothing.
 */
#ifndef GATEPOST_RELAY_QUEUE_HEAP_H
#define GATEPOST_RELAY_QUEUE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_item {
	uint64_t at_ms;
	uint32_t position; /* 0: in no heap; else its place, counted from 1 */
};

struct heap {
	struct heap_item **items;
	size_t count, cap;
};

#define HEAP_INIT ((struct heap){0})

void heap_add(struct heap *h, struct heap_item *item, uint64_t at_ms);
void heap_remove(struct heap *h, struct heap_item *item); /* nothing when it is not in */
struct heap_item *heap_first(const struct heap *h);       /* NULL when empty */
void heap_free(struct heap *h);

#endif
