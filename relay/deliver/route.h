/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which pool mail leaves by, and from which of its addresses. Pure.
 *
 * A pool with members is theirs alone; one without is open to all (DESIGN §5). The first of these
 * that the account may use is taken:
 *
 *	1. the account's own pool;
 *	2. the pool of the first route that names the recipient's domain and leads to such a pool;
 *	3. the pool called "default";
 *	4. the first open pool that no route leads to;
 *	5. none: the kernel chooses the address, the relay's name is the HELO name.
 *
 * The answer depends on the config, the account and the domain alone, so a retry leaves from the
 * same pool.
 */
#ifndef GATEPOST_RELAY_DELIVER_ROUTE_H
#define GATEPOST_RELAY_DELIVER_ROUTE_H

#include "lib/addr.h"
#include "relay/config.h"

#include <stdbool.h>
#include <stdint.h>

/* account_pool: the one pinned in the envelope, "" for none; domain: lower case. NULL for none. */
const struct config_pool *route_pool(const struct relay_config *c, const char *account,
				     const char *account_pool, const char *domain);

bool route_may_use(const struct config_pool *pool, const char *account);

/* pool may be NULL. */
const char *route_host_name(const struct relay_config *c, const struct config_pool *pool);

/* The HELO name of a connection from that address: its own, the pool's, or the relay's. pool may be
 * NULL. */
const char *route_helo(const struct relay_config *c, const struct config_pool *pool,
		       const struct addr *source);

/*
 * The address to connect from to a peer of that family; `turn` picks one among several. False when
 * the pool has addresses but none of that family: such a peer cannot be spoken to from this pool.
 * True with AF_UNSPEC in out when the kernel may choose.
 */
bool route_source(const struct config_pool *pool, int family, uint32_t turn, struct addr *out);

/* A number that is the same for the same text, and differs for others as a rule. */
uint32_t route_hash(const char *text);

#endif
