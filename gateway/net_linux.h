/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A netplan into the kernel, through rtnetlink: only the difference is sent.
 *
 * Ours are the ports that the plan names, with every address and every main-table route on them
 * except the kernel's own; and, on any device, whatever carries our mark NET_PROTOCOL: addresses,
 * routes, proxy neighbours. Nothing else is touched.
 *
 * What is new is added before what is old is taken away. The undo holds the state that was found
 * and brings exactly that back, by the same means.
 */
#ifndef GATEPOST_GATEWAY_NET_LINUX_H
#define GATEPOST_GATEWAY_NET_LINUX_H

#include "gateway/netplan.h"

enum { NET_PROTOCOL = 103 };

struct net_undo;

/*
 * True with *undo set (it may hold nothing to do), which the caller frees. On failure the state
 * found is restored first, *undo is NULL and error has the reason. The calling thread's network
 * namespace is the one changed.
 */
bool net_apply(const struct netplan *plan, struct net_undo **undo, struct buf *error);

/* Brings back what net_apply() found. What cannot be brought back is logged as an error. */
void net_undo(struct net_undo *undo);
void net_undo_free(struct net_undo *undo);

/* Reads the kernel's state back: false with one line for each difference. */
bool net_verify(const struct netplan *plan, struct buf *difference);

#endif
