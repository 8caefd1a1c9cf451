/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What makes a config whole, beside each value's own type: what must be there, what may be there
 * once, names that must mean something, and combinations that cannot work or would be a mistake
 * (a relay open to everybody). All of it in C, so that every fault is told, at its place, in words.
 */
#ifndef GATEPOST_MODEL_CHECK_H
#define GATEPOST_MODEL_CHECK_H

#include "lib/addr.h"
#include "model/fault.h"

#include <libyang/libyang.h>

/* What the schema demands: mandatory leaves, counts, duplicates, references, meaning of values. */
void check_structure(const struct lyd_node *conf, struct faults *f);
/* system, interfaces, groups, servers, policy (check_net.c). */
void check_net(const struct lyd_node *conf, struct faults *f);
/* system: users, alarms (check_system.c). */
void check_system(const struct lyd_node *conf, struct faults *f);
/* nat (check_nat.c). own: the box's own addresses, sorted. */
struct addr_list;
void check_nat(const struct lyd_node *conf, const struct addr_list *own, struct faults *f);
/* What a bridge cannot do (check_flat.c). */
void check_flat(const struct lyd_node *conf, struct faults *f);
/* relay (check_relay.c), and of it tracking (check_track.c): an account's, and the relay's. */
void check_relay(const struct lyd_node *conf, struct faults *f);
void check_track(const struct lyd_node *relay, const struct lyd_node *account, struct faults *f);
void check_tracking(const struct lyd_node *relay, struct faults *f);

/*
 * Addresses, each with the node that it stands in, to be sorted and compared. The caller frees
 * list.
 */
struct found_addr {
	struct addr addr;
	const struct lyd_node *node;
};
struct addr_list {
	struct found_addr *list;
	size_t count;
	size_t cap;
};
void addr_list_add(struct addr_list *l, const struct addr *a, const struct lyd_node *node);
/* Sorts, then tells every address that stands twice; the fault is at the later of the two. */
void addr_list_check_unique(struct addr_list *l, struct faults *f);
/* The node where a stands, or NULL. The list must be sorted. */
const struct lyd_node *addr_list_find(const struct addr_list *l, const struct addr *a);
void addr_list_free(struct addr_list *l);

/* The interface address of port whose network holds a, or NULL. */
const struct lyd_node *network_with(const struct lyd_node *port, const struct addr *a);
/* Whether a is reached through port dmz: in one of its networks, or behind a router there. True
 * when dmz has no address of that family yet. */
bool is_inside(const struct lyd_node *conf, const struct addr *a);

#endif
