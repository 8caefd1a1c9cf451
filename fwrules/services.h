/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Services as map lookups: who may reach address . protocol . port.
 *
 * Each key gets one verdict. A port that anybody may reach unlimited and unlogged ends at once; any
 * other leads to a small chain that tries each allow that names the port, in an order that makes
 * their union hold: those that log first, so that whatever lets a logged connection in logs it,
 * then the unlimited, then the limited. Where none fits, the lookup goes on behind the map. Keys
 * with the same allows share their chain.
 *
 * Ports of a server are cut into segments that the same allows name. A segment of up to
 * SERVICES_EXPANDED_MAX ports goes into the hash one by one, a wider one into an interval map.
 */
#ifndef GATEPOST_FWRULES_SERVICES_H
#define GATEPOST_FWRULES_SERVICES_H

#include "fwrules/ruleset.h"

enum { SERVICES_EXPANDED_MAX = 256 };

#define NO_CHAIN ((size_t)-1)

/*
 * Fills the chains services (of servers; what is allowed goes on to chain allow) and box (of the
 * box itself; what is allowed is accepted). NO_CHAIN: that part is left out.
 */
void services_compile(const struct policy *p, struct ruleset *rs, size_t services, size_t allow,
		      size_t box);

#endif
