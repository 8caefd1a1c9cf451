/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/track/edits.h"

#include <stdlib.h>

size_t edits_begin(struct edits *e)
{
	return e->texts.len;
}

void edits_add(struct edits *e, struct mime_range range, size_t begun)
{
	if (e->count == e->cap) {
		e->cap = e->cap ? e->cap * 2 : 16;
		e->items = realloc(e->items, e->cap * sizeof(*e->items));
		if (!e->items)
			abort();
	}
	e->items[e->count++] = (struct edit){range, begun, e->texts.len};
}

/* By place; at one place insertions come first, in the order of adding, then the widest. */
static int by_place(const void *a, const void *b)
{
	const struct edit *x = a, *y = b;
	bool x_inserts = x->range.end == x->range.start, y_inserts = y->range.end == y->range.start;

	if (x->range.start != y->range.start)
		return x->range.start < y->range.start ? -1 : 1;
	if (x_inserts != y_inserts)
		return x_inserts ? -1 : 1;
	if (x->range.end != y->range.end)
		return x->range.end > y->range.end ? -1 : 1;
	return x->text < y->text ? -1 : x->text > y->text;
}

void edits_apply(struct edits *e, const char *in, size_t n, struct buf *out)
{
	size_t at = 0;

	buf_reserve(out, n + e->texts.len);
	if (e->count)
		qsort(e->items, e->count, sizeof(*e->items), by_place);
	for (size_t i = 0; i < e->count; i++) {
		const struct edit *item = &e->items[i];
		if (item->range.start < at)
			continue;
		buf_append(out, in + at, item->range.start - at);
		buf_append(out, buf_str(&e->texts) + item->text, item->text_end - item->text);
		at = item->range.end;
	}
	buf_append(out, in + at, n - at);
}

void edits_truncate(struct edits *e, size_t count)
{
	if (count < e->count)
		e->count = count;
}

void edits_free(struct edits *e)
{
	free(e->items);
	buf_free(&e->texts);
	*e = (struct edits){0};
}
