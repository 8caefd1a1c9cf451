/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/queue/heap.h"

#include <stdlib.h>

static void put(struct heap *h, size_t i, struct heap_item *item)
{
	h->items[i] = item;
	item->position = (uint32_t)i + 1;
}

static void rise(struct heap *h, size_t i)
{
	struct heap_item *item = h->items[i];

	for (size_t up; i > 0 && h->items[up = (i - 1) / 2]->at_ms > item->at_ms; i = up)
		put(h, i, h->items[up]);
	put(h, i, item);
}

static void sink(struct heap *h, size_t i)
{
	struct heap_item *item = h->items[i];

	for (size_t down; (down = 2 * i + 1) < h->count; i = down) {
		if (down + 1 < h->count && h->items[down + 1]->at_ms < h->items[down]->at_ms)
			down++;
		if (h->items[down]->at_ms >= item->at_ms)
			break;
		put(h, i, h->items[down]);
	}
	put(h, i, item);
}

void heap_add(struct heap *h, struct heap_item *item, uint64_t at_ms)
{
	heap_remove(h, item);
	if (h->count == h->cap) {
		h->cap = h->cap ? 2 * h->cap : 64;
		h->items = realloc(h->items, h->cap * sizeof(struct heap_item *));
		if (!h->items)
			abort();
	}
	item->at_ms = at_ms;
	h->items[h->count++] = item;
	rise(h, h->count - 1);
}

void heap_remove(struct heap *h, struct heap_item *item)
{
	if (!item->position)
		return;
	size_t i = item->position - 1;
	struct heap_item *last = h->items[--h->count];
	item->position = 0;
	if (last == item)
		return;
	h->items[i] = last;
	rise(h, i);
	sink(h, last->position - 1);
}

struct heap_item *heap_first(const struct heap *h)
{
	return h->count ? h->items[0] : NULL;
}

void heap_free(struct heap *h)
{
	free(h->items);
	*h = HEAP_INIT;
}
