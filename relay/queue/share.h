/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Something of which there is only so much (connections, memory for bodies), shared by accounts.
 *
 * Who wants some waits in a fair queue. Turns alone are not enough here, because what was given
 * may be kept for minutes: an account whose peers are all dead would end up with everything. So
 * what an account holds is bounded by what is still free (dynamic thresholds, Choudhury & Hahne
 * 1998): alone it gets most of it, and whoever comes next still finds some. Pure; constant time.
 */
#ifndef GATEPOST_RELAY_QUEUE_SHARE_H
#define GATEPOST_RELAY_QUEUE_SHARE_H

#include "relay/queue/fair.h"

#include <stdbool.h>
#include <stdint.h>

struct share_account;

struct share {
	uint64_t total, used;
	/* Strict: never more than the total. Otherwise an account that holds nothing gets one
	 * thing in any case, so that a thing larger than the total passes too. */
	bool strict;
	struct fair queue;
	struct share_account *accounts; /* by number */
	uint32_t account_count;
	uint32_t blocked; /* the ring of accounts over their bound: its next one, UINT32_MAX none */
};

struct share_item {
	struct fair_item fair;          /* first */
	struct share_item *next, *prev; /* while its account is over its bound */
	uint64_t units;
	uint32_t account;
	uint8_t weight;
	bool is_blocked;
};

void share_init(struct share *s, uint64_t total, bool strict);
void share_free(struct share *s);

void share_want(struct share *s, struct share_item *item, uint32_t account, unsigned weight,
		uint64_t units);
bool share_waits(const struct share_item *item);
void share_remove(struct share *s, struct share_item *item);

/* The next that gets what it wants, out of the queue; NULL when nobody may have any now. */
struct share_item *share_next(struct share *s);

/* Gives it at once, past the queue, to an account that holds nothing; false: it holds something. */
bool share_take(struct share *s, struct share_item *item, uint32_t account, uint64_t units);

/* Gives back what share_next() or share_take() gave. */
void share_return(struct share *s, uint32_t account, uint64_t units);
uint64_t share_held(const struct share *s, uint32_t account);

#endif
