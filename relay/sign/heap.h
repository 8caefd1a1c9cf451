/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memory that libopendkim takes for one message. The library forgets some of it (an Ed25519
 * signature's output, in 2.11.0~beta2); what is left when the message is done goes here.
 */
#ifndef GATEPOST_RELAY_SIGN_HEAP_H
#define GATEPOST_RELAY_SIGN_HEAP_H

#include <stddef.h>

struct heap_block {
	struct heap_block *before, *after;
};

/* A memory closure of dkim_sign(). */
struct heap {
	struct heap_block all; /* a ring */
};

void heap_open(struct heap *h);
void heap_close(struct heap *h);

/* What dkim_init() is given; a NULL closure is plain memory. */
void *heap_malloc(void *closure, size_t n);
void heap_free(void *closure, void *p);

#endif
