/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/sign/heap.h"

#include <stdint.h>
#include <stdlib.h>

/* As malloc() aligns. */
union head {
	struct heap_block block;
	max_align_t align;
};

void heap_open(struct heap *h)
{
	h->all.before = h->all.after = &h->all;
}

void heap_close(struct heap *h)
{
	while (h->all.after != &h->all)
		heap_free(h, (union head *)h->all.after + 1);
}

void *heap_malloc(void *closure, size_t n)
{
	union head *head = n < SIZE_MAX - sizeof(*head) ? malloc(sizeof(*head) + n) : NULL;
	struct heap *h = closure;

	if (!head)
		abort();
	head->block.before = head->block.after = &head->block;
	if (h) {
		head->block.before = &h->all;
		head->block.after = h->all.after;
		h->all.after->before = &head->block;
		h->all.after = &head->block;
	}
	return head + 1;
}

void heap_free(void *closure, void *p)
{
	(void)closure;
	if (!p)
		return;
	union head *head = (union head *)p - 1;
	head->block.before->after = head->block.after;
	head->block.after->before = head->block.before;
	free(head);
}
