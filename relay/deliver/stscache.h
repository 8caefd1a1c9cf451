/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The MTA-STS policies of the domains that mail goes to: asked for, fetched, kept (RFC 8461 §5.1).
 *
 * A domain's TXT record says which policy is in force; a new one is fetched over HTTPS from
 * mta-sts.DOMAIN. While the record cannot be had, or a fetch fails, the old policy stays until its
 * max_age is over: whoever disturbs either gains nothing. Fetches that fail are not repeated for
 * five minutes. What is kept lies in memory, and is bounded; the oldest goes first.
 */
#ifndef GATEPOST_RELAY_DELIVER_STSCACHE_H
#define GATEPOST_RELAY_DELIVER_STSCACHE_H

#include "lib/tls.h"
#include "relay/deliver/dns.h"
#include "relay/deliver/sts.h"

struct sts_cache;

struct sts_sources {
	struct dns *dns;
	struct tls_client *tls; /* verifying; NULL: no policy can be fetched */
	uint16_t port;          /* of policy hosts; 0: 443 */
};

/* tls has to outlive the cache, or the next sts_cache_use(). */
struct sts_cache *sts_cache_new(struct ev_loop *loop, const struct sts_sources *s);
/* From here on these; what is under way by the old ones is given up (its fetch has failed). Nobody
 * may be waiting: cancel first. */
void sts_cache_use(struct sts_cache *c, const struct sts_sources *s);

typedef void sts_fn(struct sts_policy *p, void *arg);

struct sts_query;

/* fn is called exactly once, never before this returns, unless cancelled; with NULL when the domain
 * has no policy, else with one that is kept while the call lasts. */
struct sts_query *sts_ask(struct sts_cache *c, const char *domain, sts_fn *fn, void *arg);
void sts_cancel(struct sts_query *q);

#endif
