/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What batch.c, readback.c and flows.c share of a struct fw; nobody else includes this. */
#ifndef GATEPOST_FWRULES_FW_H
#define GATEPOST_FWRULES_FW_H

#include "fwrules/batch.h"
#include "fwrules/present.h"
#include "lib/netlink.h"

/* Our tables: the inet one, and the bridge's. */
enum { FW_INET, FW_BRIDGE, FW_TABLES };
uint8_t fw_family(size_t table);

struct fw {
	struct netlink *nl; /* NETLINK_NETFILTER */
	struct ruleset_caps caps;
	struct present left[FW_TABLES]; /* of the old generation: to be swept */
};

#endif
