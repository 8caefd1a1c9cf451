/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A policy as the table "bridge gatepost": the flat topology, where the box stands between wan and
 * dmz without being anybody's gateway, and can be lifted out.
 *
 *   prerouting   sources that cannot be: a server's or the box's own from the wan; from the dmz
 *                anybody's but a server's
 *   forward      ARP and neighbour discovery pass; the rest as in the inet table
 *
 * What the box itself gets and sends is the inet table's, on the device of the bridge. Pure.
 */
#ifndef GATEPOST_FWRULES_BRIDGE_H
#define GATEPOST_FWRULES_BRIDGE_H

#include "fwrules/ruleset.h"

struct ruleset *bridge_compile(const struct policy *p);

#endif
