/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sets of addresses, as ranges of both families.
 *
 * Ranges are added in any order; ranges_normalise() sorts them (IPv4 first) and merges what
 * overlaps or touches. Every function but the ranges_add ones wants normalised sets. Zeroed memory
 * is the empty set; ranges_free() gives the memory back.
 */
#ifndef GATEPOST_FWRULES_RANGES_H
#define GATEPOST_FWRULES_RANGES_H

#include "lib/addr.h"

#include <stdbool.h>
#include <stddef.h>

struct range {
	struct addr first, last; /* inclusive, one family */
};

struct ranges {
	struct range *at;
	size_t n, cap;
};

void ranges_add(struct ranges *r, const struct addr *first, const struct addr *last);
/* Host bits of the prefix count for nothing. */
void ranges_add_prefix(struct ranges *r, const struct prefix *p);
/* 0.0.0.0/0 and ::/0. */
void ranges_add_any(struct ranges *r);
void ranges_add_all(struct ranges *r, const struct ranges *more);
void ranges_normalise(struct ranges *r);

/* Takes every address of less out of r. */
void ranges_subtract(struct ranges *r, const struct ranges *less);

bool ranges_contain(const struct ranges *r, const struct addr *a);
bool ranges_equal(const struct ranges *a, const struct ranges *b);
/* True when r holds every address of both families. */
bool ranges_are_any(const struct ranges *r);
/* The ranges of one family: *n of them from the pointer returned. */
const struct range *ranges_family(const struct ranges *r, int family, size_t *n);

void ranges_free(struct ranges *r);

/* The address after a; false at the top of its family. */
bool addr_next(const struct addr *a, struct addr *out);

#endif
