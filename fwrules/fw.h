/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What batch.c, readback.c and flows.c share of a struct fw; nobody else includes this. */
#ifndef GATEPOST_FWRULES_FW_H
#define GATEPOST_FWRULES_FW_H

#include "fwrules/batch.h"
#include "fwrules/present.h"
#include "lib/netlink.h"

struct fw {
	struct netlink *nl; /* NETLINK_NETFILTER */
	struct ruleset_caps caps;
	struct present left; /* of the old generation: to be swept */
};

#endif
