/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Addresses that change on the way, as the config means them.
 *
 *  - Translation opens nothing: services and policies name the addresses inside, and decide after
 *    the destination has changed and before the source does.
 *  - Towards the inside, whoever sends: a forward (address, protocol, port) comes before a pair
 *    (one address or one prefix, everything), the narrower pair before the wider.
 *  - Towards the WAN, for what comes from inside: a pair before a source. The box's own packets
 *    keep their source.
 *  - Hairpin: a machine inside that reaches another by its address outside is seen there with the
 *    box's address on that side, or the answer would not come back through the box.
 *  - Mail: with a redirect, TCP port 25 from the DMZ to the WAN ends at the relay.
 *
 * Pure.
 */
#ifndef GATEPOST_FWRULES_NAT_H
#define GATEPOST_FWRULES_NAT_H

#include "fwrules/ranges.h"
#include "lib/addr.h"

#include <libyang/libyang.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Ports first..last of address lead to inside, first to to_port, the next to the next. */
struct nat_forward {
	struct addr address, inside;
	uint8_t proto; /* IPPROTO_TCP or IPPROTO_UDP */
	uint16_t first, last, to_port;
};

/* Host for host; of full length for one machine. */
struct nat_pair {
	const char *name; /* of a prefix; NULL of one machine */
	struct prefix outside, inside;
};

struct nat_source {
	char *name;
	struct ranges from; /* without the box's own addresses */
	struct addr address;
};

struct nat {
	struct nat_forward *forwards;
	size_t forwards_n;
	struct nat_pair *pairs; /* machines, then prefixes, the longest first */
	size_t pairs_n;
	struct nat_source *sources;
	size_t sources_n;
	struct addr redirect[2]; /* IPv4, IPv6; AF_UNSPEC: none */
	uint16_t redirect_port;
	struct addr hairpin[2]; /* the box's address on the DMZ; AF_UNSPEC: none */
	struct ranges inside;   /* what is on the DMZ, without the box's own addresses */
};

/* All but inside and the sources' from, which policy.c fills. conf has passed model_validate(). */
void nat_compile(const struct lyd_node *conf, struct nat *nat);
void nat_free(struct nat *nat);
bool nat_is_empty(const struct nat *nat);

/*
 * The addresses outside that stand on the uplink's wire - in a network of interfaces wan, or in a
 * proxy-neighbour - so that the box must hold them itself to be asked for them. They are added to
 * out, which is normalised. The others are
 * routed to it.
 */
void nat_held(const struct lyd_node *conf, struct ranges *out);

/* What becomes of the first packet of a connection. */
struct nat_flow {
	struct addr from, to;
	uint8_t proto;
	uint16_t to_port; /* host order */
};
/* The destination, in place. to_wan: whether it would go from the DMZ to the WAN as it is. True
 * when it changed. */
bool nat_destination(const struct nat *nat, struct nat_flow *f, bool to_wan);
/* The source, in place, of what goes from the DMZ to the WAN (to_wan), or back into the DMZ with a
 * changed destination. True when it changed. */
bool nat_source(const struct nat *nat, struct nat_flow *f, bool to_wan);

#endif
