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

/*
 * Connections that the kernel follows, those that moved most first, at most limit of them:
 * {protocol, from, to, server, state, packets, bytes}. Bytes and packets are of both directions,
 * offloaded ones included. server: only those of the server of that name; NULL for all.
 * *total: how many there are. A name that no server has is an error.
 */
json_t *oper_flows(const struct lyd_node *running, const char *server, size_t limit, size_t *total,
		   struct buf *error);

/* What the firewall wrote into the kernel's log, the oldest first: {time, verdict, rule, in, out,
 * from, to, protocol, port}. time is in seconds since 1970. */
json_t *oper_firewall_log(struct buf *error);
/*
 * One record of /dev/kmsg (Documentation/ABI/testing/dev-kmsg) as a row, or NULL when it is not the
 * firewall's. boot_us: when the kernel's clock began, in microseconds since 1970.
 */
json_t *oper_log_row(const char *record, int64_t boot_us);

/* How the box came up: {item, value}. disks: where the boot noted what became of each disk. */
json_t *oper_boot(const char *disks, struct buf *error);
/* {sensor, celsius, limit (or null)}; sys is /sys. */
json_t *oper_temperature(const char *sys, struct buf *error);

#endif
