/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The LAN port as lwIP's one network interface, on packet sockets.
 *
 * Opening the sockets takes rights and happens in the port's network namespace; who then reads and
 * writes frames through them needs none. What arrives is given to lwIP, but for DHCP, which goes to
 * our own server: lwIP, as Debian builds it, drops what comes from 0.0.0.0.
 *
 * One port a process: lwIP keeps its state in globals.
 */
#ifndef GATEPOST_CONSOLE_PORT_H
#define GATEPOST_CONSOLE_PORT_H

#include "console/dhcpd.h"
#include "lib/buf.h"

#include <lwip/netif.h>

struct port_sockets {
	int fds[FRAME_CLASSES];
	unsigned index; /* of the device */
	uint8_t mac[MAC_LEN];
};

struct port {
	struct port_sockets sockets;
	struct netif netif;
	struct dhcpd dhcpd;
	struct {
		unsigned left;        /* frames that may be read now */
		uint64_t refilled_ms; /* left is up to date until then */
	} budget[FRAME_CLASSES];
	uint64_t silenced_ms; /* sends that failed are logged once a minute */
};

/* Needs CAP_NET_RAW. False with the reason in error and nothing open. */
bool port_open_sockets(const char *device, struct port_sockets *s, struct buf *error);
void port_close_sockets(struct port_sockets *s);

/* Makes the port lwIP's default interface, with address and an IPv6 link-local one; dhcp: whether
 * to serve. The sockets are the port's from now on. */
void port_start(struct port *p, const struct port_sockets *s, const struct prefix *address,
		bool dhcp, uint64_t now_ms);

/* The cable. */
void port_link(struct port *p, bool up, uint64_t now_ms);

/* Whether this class's socket is to be read now; false: its budget is used up until *wait_ms. */
bool port_may_read(struct port *p, enum frame_class class, uint64_t now_ms, int *wait_ms);

/* Reads what waits there, up to the budget and a fair share, and lets lwIP or DHCP act on it. */
void port_read(struct port *p, enum frame_class class, uint64_t now_ms);

/* DHCP's own time. */
void port_tick(struct port *p, uint64_t now_ms);

#endif
