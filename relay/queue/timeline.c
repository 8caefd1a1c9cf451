/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/queue/timeline.h"

#include <stdlib.h>

static void put(struct timeline *h, size_t i, struct timeline_item *item)
{
	h->items[i] = item;
	item->position = (uint32_t)i + 1;
}

static void rise(struct timeline *h, size_t i)
{
	struct timeline_item *item = h->items[i];

	for (size_t up; i > 0 && h->items[up = (i - 1) / 2]->at_ms > item->at_ms; i = up)
		put(h, i, h->items[up]);
	put(h, i, item);
}

static void sink(struct timeline *h, size_t i)
{
	struct timeline_item *item = h->items[i];

	for (size_t down; (down = 2 * i + 1) < h->count; i = down) {
		if (down + 1 < h->count && h->items[down + 1]->at_ms < h->items[down]->at_ms)
			down++;
		if (h->items[down]->at_ms >= item->at_ms)
			break;
		put(h, i, h->items[down]);
	}
	put(h, i, item);
}

void timeline_add(struct timeline *h, struct timeline_item *item, uint64_t at_ms)
{
	timeline_remove(h, item);
	if (h->count == h->cap) {
		h->cap = h->cap ? 2 * h->cap : 64;
		h->items = realloc(h->items, h->cap * sizeof(struct timeline_item *));
		if (!h->items)
			abort();
	}
	item->at_ms = at_ms;
	h->items[h->count++] = item;
	rise(h, h->count - 1);
}

void timeline_remove(struct timeline *h, struct timeline_item *item)
{
	if (!item->position)
		return;
	size_t i = item->position - 1;
	struct timeline_item *last = h->items[--h->count];
	item->position = 0;
	if (last == item)
		return;
	h->items[i] = last;
	rise(h, i);
	sink(h, last->position - 1);
}

struct timeline_item *timeline_first(const struct timeline *h)
{
	return h->count ? h->items[0] : NULL;
}

void timeline_free(struct timeline *h)
{
	free(h->items);
	*h = TIMELINE_INIT;
}
