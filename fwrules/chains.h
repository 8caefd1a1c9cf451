/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Chains that the inet and the bridge table have alike, and what both are compiled with; only
 * ruleset.c and bridge.c include this. */
#ifndef GATEPOST_FWRULES_CHAINS_H
#define GATEPOST_FWRULES_CHAINS_H

#include "fwrules/build.h"

enum { PRIORITY_RAW = -300, PRIORITY_DSTNAT = -100, PRIORITY_FILTER = 0, PRIORITY_SRCNAT = 100 };

/* Why a packet is dropped. */
enum reason { SPOOFED, BOGON, SYN_FLOOD, INVALID, NO_SYN, SMTP_OUT, DENIED, REASONS };

struct compiler {
	const struct policy *p;
	struct ruleset *rs;
	const char *wan, *dmz; /* devices; "" for none */
	size_t drop[REASONS];  /* chains */
	size_t neighbours;     /* chain */
};

/* Makes the chains of drop and neighbours; the rest of c is set. */
void chains_begin(struct compiler *c);
/* The end of every allowed way to a server: counts the connection for it. */
void chains_allow(struct compiler *c, size_t chain);
/* What comes from the WAN: no bogons, no flood of SYN. */
void chains_guard(struct compiler *c, size_t chain);
/* What belongs to something, and then what is not fit to begin anything. */
void chains_established(struct compiler *c, size_t chain);
void chains_unfit(struct compiler *c, size_t chain);
/* Destinations in r, in sets "NAME4" and "NAME6": the verdict. */
void chains_to(struct compiler *c, size_t chain, const struct ranges *r, const char *name,
	       struct verdict end);
/* From the DMZ to the WAN. */
void chains_outbound(struct compiler *c, size_t chain);
/* A chain that stands for good, with a jump to another. */
void chains_base(struct ruleset *rs, const char *name, unsigned hook, int priority, bool drop,
		 size_t to);

#endif
