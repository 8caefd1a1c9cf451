/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Marks: who gets no mail of which account, as 64 bits each.
 *
 * report keeps the list (lists.h) and tells deliver marks: the first 8 bytes of SHA-256 over the
 * account's name, a NUL, and the address in lower case. That takes 8 bytes where the list may have
 * millions of rows, and two different ones with the same mark do not occur.
 *
 * What travels (MSG_SUPPRESSED) is one byte, what is to be done, and marks of 8 bytes each.
 */
#ifndef GATEPOST_RELAY_REPORT_SUPPRESS_H
#define GATEPOST_RELAY_REPORT_SUPPRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum suppress_step {
	SUPPRESS_BEGIN, /* the whole list follows: what was known before is over when it ends */
	SUPPRESS_ADD,
	SUPPRESS_REMOVE,
	SUPPRESS_END, /* of the whole list */
};

enum { SUPPRESS_MARKS_MAX = 16384 }; /* in one message */

/* Never 0. */
uint64_t suppress_mark(const char *account, const char *address);

struct suppress_set;

struct suppress_set *suppress_set_new(void);
void suppress_set_free(struct suppress_set *s);
size_t suppress_set_count(const struct suppress_set *s);
void suppress_set_add(struct suppress_set *s, uint64_t mark);
void suppress_set_remove(struct suppress_set *s, uint64_t mark);
bool suppress_set_has(const struct suppress_set *s, uint64_t mark);

#endif
