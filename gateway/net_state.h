/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Links, addresses, routes and proxy neighbours as the kernel has them, and making it have others.
 *
 * A state is what is there to be, read from the kernel or written from a plan. state_converge()
 * compares the kernel with one and sends the difference, new before old. An item that was read
 * keeps the kernel's own message, so what is brought back later is brought back in every detail.
 */
#ifndef GATEPOST_GATEWAY_NET_STATE_H
#define GATEPOST_GATEWAY_NET_STATE_H

#include "gateway/netplan.h"
#include "lib/netlink.h"

/* ---- links ---- */

struct kernel_link {
	char name[IFNAMSIZ];
	uint32_t index;
	bool up;
	unsigned mtu;
	uint32_t parent_index;
	unsigned vlan; /* 0: no VLAN */
	bool is_bridge;
	uint32_t bridge_index; /* of the bridge that it is a port of; 0: none */
	uint32_t group;        /* NET_PROTOCOL marks the VLANs and bridges that are ours */
};

struct kernel_links {
	struct kernel_link *at;
	size_t n, cap;
};

/* 0 or an errno, as all that talk to the kernel here; the reason is in netlink_reason(). */
int links_read(struct netlink *nl, struct kernel_links *out);
const struct kernel_link *links_named(const struct kernel_links *links, const char *name);
const struct kernel_link *links_indexed(const struct kernel_links *links, uint32_t index);
void links_free(struct kernel_links *links);

int link_set(struct netlink *nl, uint32_t index, bool up, unsigned mtu);
int link_add_vlan(struct netlink *nl, const char *name, uint32_t parent_index, unsigned vlan);
int link_add_bridge(struct netlink *nl, const char *name);
/* bridge_index 0: of none any more. */
int link_set_bridge(struct netlink *nl, uint32_t index, uint32_t bridge_index);
int link_delete(struct netlink *nl, uint32_t index);

/* ---- items ---- */

enum item_kind { ITEM_ADDRESS, ITEM_ROUTE, ITEM_NEIGHBOUR };

struct item {
	enum item_kind kind;
	char link[IFNAMSIZ];
	struct prefix prefix; /* address with its network's length; destination; neighbour */
	bool deprecated;      /* address */
	struct addr via;      /* route */
	uint32_t metric;      /* route */
	bool ours;            /* in reach: may be removed */
	char *message;        /* the kernel's, or NULL */
};

struct state {
	struct item *items;
	size_t n, cap;
};

/* What reaches over the plan's ports and over whatever carries our mark. */
struct scope {
	const char (*links)[IFNAMSIZ];
	size_t n;
};

void state_of_plan(const struct netplan *plan, struct state *out);
int state_read(struct netlink *nl, const struct scope *scope, struct state *out);
void state_free(struct state *s);

/* False with the reason in error; part of the difference may then have been sent. */
bool state_converge(struct netlink *nl, const struct scope *scope, const struct state *target,
		    struct buf *error);

/* False with one line for each difference between the kernel and target. */
bool state_compare(struct netlink *nl, const struct scope *scope, const struct state *target,
		   struct buf *difference);

#endif
