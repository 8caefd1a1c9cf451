/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A dry run: what a netplan asks for, one line each in the words of ip(8) and sysctl(8), so that
 * the daemon runs whole without root. */
#ifndef GATEPOST_GATEWAY_NET_DUMMY_H
#define GATEPOST_GATEWAY_NET_DUMMY_H

#include "gateway/netplan.h"

void net_dummy_apply(const struct netplan *plan, struct buf *out);

#endif
