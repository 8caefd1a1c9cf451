/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Translations (nat.h) as chains: a map look-up for forwards, one for machines, one rule for each
 * prefix and each source.
 */
#ifndef GATEPOST_FWRULES_NATRULES_H
#define GATEPOST_FWRULES_NATRULES_H

#include "fwrules/ruleset.h"

/*
 * Fills the chains to (what comes in, or is sent by the box: the destination) and from (what
 * leaves: the source). wan and dmz: device names, owned by rs.
 */
void natrules_compile(const struct policy *p, struct ruleset *rs, const char *wan, const char *dmz,
		      size_t to, size_t from);

#endif
