/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The network that a config asks for: links, addresses, routes, neighbours answered for, sysctls.
 *
 * Pure. What the plan names is all there is to be: an applier adds what is missing and removes what
 * is ours and not in the plan (net_linux.h says what is ours).
 *
 * The relay's pool addresses are the box's too: each stands as /32 or /128 on the port whose
 * network holds it. So are the outside addresses of nat, on wan, where the uplink's neighbours
 * would ask for them. IPv6 ones are marked deprecated, so that only who binds to them uses them.
 * IPv6 addresses skip duplicate detection: for a second or more after each commit nothing could be
 * sent from them. Whoever moves addresses probes for duplicates first (DESIGN §8).
 */
#ifndef GATEPOST_GATEWAY_NETPLAN_H
#define GATEPOST_GATEWAY_NETPLAN_H

#include "lib/addr.h"
#include "lib/buf.h"

#include <libyang/libyang.h>
#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>

/* A port: a device that exists, a VLAN on one ("eth0.10" on "eth0"), or the bridge that the others
 * are ports of (flat topology). All are up. */
struct net_link {
	char name[IFNAMSIZ];
	char parent[IFNAMSIZ]; /* "" when it is no VLAN */
	unsigned vlan;         /* 802.1Q tag; 0 when it is no VLAN */
	bool is_bridge;
	char bridge[IFNAMSIZ]; /* that it is a port of, or "" */
	unsigned mtu;          /* bytes; 0 leaves it as it is */
};

struct net_address {
	char link[IFNAMSIZ];
	struct prefix prefix; /* with host bits */
	bool deprecated;      /* never chosen as a source by the kernel (IPv6) */
};

struct net_route {
	struct prefix to;
	struct addr via;
	char link[IFNAMSIZ];
};

/* An address that link answers ARP or ND for. */
struct net_neighbour {
	char link[IFNAMSIZ];
	struct addr address;
};

struct net_sysctl {
	char *path;        /* below /proc/sys: "net/ipv4/ip_forward" */
	const char *value; /* one word */
	bool shared;       /* the whole machine's: a network namespace of its own cannot set it */
};

struct netplan {
	struct net_link *links; /* parents before their VLANs, a bridge last */
	size_t links_n;
	struct net_address *addresses; /* of one link in order of preference */
	size_t addresses_n;
	struct net_route *routes;
	size_t routes_n;
	struct net_neighbour *neighbours;
	size_t neighbours_n;
	struct net_sysctl *sysctls;
	size_t sysctls_n;
};

/* Addresses answered for, at most. A larger IPv4 proxy-neighbour is refused; of a larger IPv6 one
 * only those addresses are answered for that the config names. */
enum { NET_NEIGHBOURS_MAX = 4096 };
/* Addresses of nat that the box holds on the uplink's wire, at most. */
enum { NET_HELD_MAX = 1024 };

/*
 * NULL with a line for each fault in error: a pool address in no network of a port, a device name
 * with no room for its tag, too large a proxy-neighbour. conf has passed model_validate().
 */
struct netplan *netplan_compile(const struct lyd_node *conf, struct buf *error);
void netplan_free(struct netplan *plan);

/* The path of the i-th sysctl that a plan may set on a port; false when there are no more. */
enum { NET_SYSCTL_PATH_MAX = 80 };
bool netplan_port_sysctl(size_t i, const char *link, char out[NET_SYSCTL_PATH_MAX]);

#endif
