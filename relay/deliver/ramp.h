/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ramp-up: how much a source address that is new to the world may send to a provider in a day.
 *
 * A receiver that sees a full flow from an address that it has never seen takes it for a stolen
 * one, and blocks it by the next morning. So a pool has a table of messages for the first days, and
 * here is counted what each address has sent to each provider today (UTC). Pure: days are passed
 * in.
 *
 * The counts outlive a restart as far as it matters: ramp_save() gives those over a tenth of the
 * day's allowance, so a restart gives an address at most a tenth more.
 */
#ifndef GATEPOST_RELAY_DELIVER_RAMP_H
#define GATEPOST_RELAY_DELIVER_RAMP_H

#include "lib/addr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ramp_count;

struct ramp {
	struct ramp_count **table; /* chained, a power of two */
	size_t size, count;
	uint32_t taken; /* ramp_add()s: differs when there is something new to save */
	uint32_t day;   /* since 1970: everything counted is of that day */
};

#define RAMP_NO_BOUND UINT32_MAX

/* What the table allows on that day; the first day's before it begins. */
uint32_t ramp_allowance(const uint32_t *table, size_t count, uint32_t begin, uint32_t day);

uint32_t ramp_sent(struct ramp *r, const struct addr *source, const char *provider, uint32_t day);
/* n more were sent. */
void ramp_add(struct ramp *r, const struct addr *source, const char *provider, uint32_t day,
	      uint32_t n);

/* Calls fn for each count of that day that is at least `least`. */
typedef void ramp_fn(const struct addr *source, const char *provider, uint32_t sent, void *arg);
void ramp_save(const struct ramp *r, uint32_t least, ramp_fn *fn, void *arg);

void ramp_free(struct ramp *r);

#endif
