/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Addresses that nobody on the Internet may send from (RFC 6890 and its registries: private,
 * shared, loopback, link-local, benchmarking, multicast, reserved).
 *
 * A site may sit behind such addresses all the same: an uplink in 100.64.0.0/10, an office in
 * 10.0.0.0/8 reached through a tunnel. What a config names is therefore no bogon, unless it could
 * never be a sender. The documentation prefixes are left out on purpose: nobody routes them, and
 * every test bench is built of them.
 */
#ifndef GATEPOST_FWRULES_BOGONS_H
#define GATEPOST_FWRULES_BOGONS_H

#include "fwrules/ranges.h"

#include <libyang/libyang.h>

/* The bogons less what conf names as address, prefix or endpoint; out is empty before. */
void bogons_beside(const struct lyd_node *conf, struct ranges *out);

#endif
