/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a policy says to one connection, without asking the kernel: for cutting flows that are no
 * longer allowed, and for people who want to know which line decides.
 *
 * Zones are told by address here; the kernel tells them by port, and drops what comes in by the
 * wrong one. Pure.
 */
#ifndef GATEPOST_FWRULES_DECIDE_H
#define GATEPOST_FWRULES_DECIDE_H

#include "fwrules/policy.h"

/* The first packet of a connection: what conntrack calls the original tuple. */
struct flow {
	struct addr from, to;
	uint8_t proto;    /* IPPROTO_* */
	uint16_t to_port; /* host order; TCP and UDP */
	uint8_t icmp_type;
};

/* Where such a connection goes and whom it is seen from, once addresses have changed: in place.
 * True when anything changed. */
bool policy_translate(const struct policy *p, struct nat_flow *f);

/* Whether the policy lets such a connection begin, limits aside. why (may be NULL) gets the reason
 * in words: the service that allows it, or what denies it. */
bool policy_allows(const struct policy *p, const struct flow *f, struct buf *why);

enum zone policy_zone(const struct policy *p, const struct addr *a);

#endif
