/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is due when: a binary heap of times. Pure.
 *
 * The items are the caller's, embedded in what waits. Adding, removing and taking the earliest
 * cost O(log n); looking at the earliest costs nothing.
 */
#ifndef GATEPOST_RELAY_QUEUE_TIMELINE_H
#define GATEPOST_RELAY_QUEUE_TIMELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct timeline_item {
	uint64_t at_ms;
	uint32_t position; /* 0: in no timeline; else its place, counted from 1 */
};

struct timeline {
	struct timeline_item **items;
	size_t count, cap;
};

#define TIMELINE_INIT ((struct timeline){0})

void timeline_add(struct timeline *h, struct timeline_item *item, uint64_t at_ms);
void timeline_remove(struct timeline *h,
		     struct timeline_item *item);               /* nothing when it is not in */
struct timeline_item *timeline_first(const struct timeline *h); /* NULL when empty */
void timeline_free(struct timeline *h);

#endif
