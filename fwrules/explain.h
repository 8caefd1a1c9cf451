/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * "May A reach B?", answered from the policy alone, without a packet: which line decides.
 *
 * A and B are addresses, or names of servers and groups, or "box". A name stands for its first
 * address of each family; of a group, the first of its first network. There is an answer for each
 * family in which both have one. Pure.
 */
#ifndef GATEPOST_FWRULES_EXPLAIN_H
#define GATEPOST_FWRULES_EXPLAIN_H

#include "fwrules/decide.h"
#include "lib/addr.h"
#include "lib/buf.h"

#include <libyang/libyang.h>
#include <stdbool.h>

struct question {
	const char *from, *to;
	const char *protocol; /* tcp, udp, icmp (an echo request), or a number */
	unsigned port;        /* host order; 0 where there is none */
};

struct explanation {
	struct addr from, to;
	enum zone from_zone, to_zone;
	bool allowed;
	struct buf because; /* the service that allows it, or what denies it */
};
enum { EXPLANATIONS_MAX = 2 }; /* IPv4 and IPv6 */

/* How many explanations there are, each to be explanation_free()d; 0 with the reason in error.
 * conf has passed model_validate(). */
size_t explain(const struct lyd_node *conf, const struct question *q,
	       struct explanation out[EXPLANATIONS_MAX], struct buf *error);
void explanation_free(struct explanation *e);

const char *zone_name(enum zone z);

#endif
