/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who may reach what: the meaning of a config, before any chain or map.
 *
 * There is no order (DESIGN §5). Allows are a union, deny beats allow, what nobody allows is
 * denied. In full:
 *  - A zone is where a packet comes from or goes to: wan, dmz, or the box itself. What the box
 *    sends is its own affair and always passes.
 *  - A server's service is open to its 'from', in whichever zone that is. A limit counts new
 *    connections per source address (IPv6: per /64) and service; over it, that allow does not
 *    count. A log line is written for what a logging allow lets in.
 *  - dmz-internal opens servers or prefixes to every server, for every protocol.
 *  - dmz-outbound opens destinations for every protocol. Its deny is one condition: its ports (none
 *    given: every protocol) towards its 'to' (none given: every destination).
 *  - TCP port 25 from the DMZ to the WAN is always denied: mail leaves through the relay, or is
 *    led into it.
 *  - The box: the relay's listeners (SMTP and HTTP) for everybody, SSH for 'system ssh allow', ping
 *    for 'policy box ping', DNS and NTP for the DMZ where 'system serve-dmz' says so.
 *  - Addresses that change on the way (nat.h) are looked at as they are inside.
 *  - In the flat topology the box is a bridge: what servers say to each other does not pass it.
 *  - From the WAN, sources that are nobody's (bogons) are dropped, unless the config names them.
 *
 * Pure: no socket, no clock, no file.
 */
#ifndef GATEPOST_FWRULES_POLICY_H
#define GATEPOST_FWRULES_POLICY_H

#include "fwrules/nat.h"
#include "fwrules/ranges.h"
#include "lib/addr.h"
#include "lib/buf.h"

#include <libyang/libyang.h>
#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum zone { ZONE_WAN, ZONE_DMZ, ZONE_BOX };
enum { ZONES_WITH_PORT = 2 }; /* wan and dmz */

struct port_range {
	uint8_t proto;        /* IPPROTO_TCP or IPPROTO_UDP */
	uint16_t first, last; /* host order, inclusive */
};

/* At most count new connections in unit_s seconds; unit_s is 1, 60 or 3600. 0/0: no limit. */
struct rate {
	uint32_t count;
	uint32_t unit_s;
};

/* A set of sources, shared by all services that wrote the same one. */
struct source {
	char *label; /* "office", "any", or "list1" when it is several endpoints or has no name */
	struct ranges ranges;
};

struct service {
	const char *owner; /* the server's name; "box" for the box's own */
	char *name;
	const struct addr *to; /* the owner's addresses; none: every address of the box */
	size_t to_n;
	struct port_range *ports;
	size_t ports_n;
	bool icmp;     /* echo requests */
	size_t source; /* index in policy.sources */
	struct rate limit;
	bool log;
};

struct server {
	char *name;
	struct addr *addresses;
	size_t n;
	size_t services, services_n; /* its part of policy.services */
};

/* Whose address this is. */
struct owner {
	struct addr addr;
	size_t server;
};

struct policy {
	struct {
		char ifname[IFNAMSIZ]; /* "" when the box has no such port */
		struct ranges networks;
	} port[ZONES_WITH_PORT];
	struct ranges own; /* the box's addresses */
	bool flat;         /* a bridge between wan and dmz */
	struct nat nat;

	struct server *servers;
	size_t servers_n;
	struct owner *owners; /* of all servers' addresses, sorted */
	size_t owners_n;
	struct source *sources;
	size_t sources_n;
	struct service *services; /* of servers */
	size_t services_n;
	struct service *box; /* of the box */
	size_t box_n;

	struct ranges internal; /* dmz -> dmz */
	struct ranges outbound; /* dmz -> wan */
	bool deny;              /* dmz -> wan: deny_ports towards deny_to */
	struct port_range *deny_ports;
	size_t deny_ports_n; /* 0: every protocol */
	struct ranges deny_to;
	struct ranges bogons; /* refused as sources from the wan */
};

/*
 * NULL with a line for each fault in error: a name that is neither group nor server, a device name
 * with no room for its VLAN tag. conf has passed model_validate().
 */
struct policy *policy_compile(const struct lyd_node *conf, struct buf *error);
void policy_free(struct policy *p);

/* The kernel's name of interfaces wan or dmz: device, or device.vlan. False when it does not fit.
 */
bool policy_port_name(const struct lyd_node *port, char out[IFNAMSIZ]);

#endif
