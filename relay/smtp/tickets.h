/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Numbers for questions to another process: who asks leaves a pointer and gets a number, the answer
 * brings the number back, once. A number that was never given, or was used, finds nothing: the
 * other process is not trusted with pointers.
 */
#ifndef GATEPOST_RELAY_SMTP_TICKETS_H
#define GATEPOST_RELAY_SMTP_TICKETS_H

#include <stddef.h>
#include <stdint.h>

struct tickets {
	struct ticket *items;
	size_t cap, used;
	size_t free_first;
};

uint64_t tickets_give(struct tickets *t, void *what);
/* NULL when there is none of that number. */
void *tickets_take(struct tickets *t, uint64_t number);
/* Any one that is out; NULL when none is. */
void *tickets_take_any(struct tickets *t);
size_t tickets_count(const struct tickets *t);
void tickets_free(struct tickets *t);

#endif
