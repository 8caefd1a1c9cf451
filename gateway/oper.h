/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the box is doing, read from the kernel and from runit at the moment of asking, as JSON rows
 * for the CLI to lay out. Each returns an array that the caller owns, or NULL with the reason in
 * error.
 */
#ifndef GATEPOST_GATEWAY_OPER_H
#define GATEPOST_GATEWAY_OPER_H

#include "lib/buf.h"

#include <jansson.h>
#include <libyang/libyang.h>

/* {name, role ("wan", "dmz" or ""), state, mac, mtu, addresses [], rx_bytes, rx_packets, rx_errors,
 * rx_dropped, tx_...} */
json_t *oper_interfaces(const struct lyd_node *running, struct buf *error);
/* The main table: {to, via, device, kind, metric} */
json_t *oper_routes(struct buf *error);
/* {address, device, mac, state} */
json_t *oper_neighbours(struct buf *error);
/* Named counters of the firewall's table: {name, packets, bytes} */
json_t *oper_counters(struct buf *error);
/* runit's services: {name, state, pid, seconds} */
json_t *oper_services(const char *folder, struct buf *error);
/* {software, kernel, up_s} as one object. release: a file of NAME=VALUE lines, may be absent. */
json_t *oper_version(const char *release);

#endif
