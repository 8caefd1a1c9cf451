/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The network namespace of the LAN port: made once, pinned by a bind mount, so that it and the port
 * in it outlive the process that serves it.
 *
 * The port has no address there that the kernel knows of, answers no ARP, and has IPv6 switched
 * off: whatever happens to the site's rules, routes and sysctls happens in another namespace.
 */
#ifndef GATEPOST_CONSOLE_NETNS_H
#define GATEPOST_CONSOLE_NETNS_H

#include "lib/buf.h"
#include "lib/netlink.h"

/* The calling process moves into the namespace pinned at path, which is made when it is not there.
 * False with the reason in error. */
bool netns_enter(const char *path, struct buf *error);

/* Brings device here from the namespace that outside (NETLINK_ROUTE) was opened in, unless it is
 * here; readies it and sets it up. False with the reason in error. */
bool netns_fetch(struct netlink *outside, const char *device, struct buf *error);

#endif
