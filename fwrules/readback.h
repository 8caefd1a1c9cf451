/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the kernel holds, compared with what was meant.
 *
 * Chains, rules (expression by expression, in order), sets and maps with their elements, counters
 * by name and the flowtable are dumped and compared. Ignored, because the kernel chooses them:
 * handles, positions, use counts, counter values, members of dynamic sets. Nothing else is ignored:
 * an object in our table that was not meant is a difference too.
 */
#ifndef GATEPOST_FWRULES_READBACK_H
#define GATEPOST_FWRULES_READBACK_H

#include "fwrules/batch.h"

/* False with one line for each difference in difference (a dump that failed is one). */
bool fw_verify(struct fw *fw, const struct ruleset *rs, struct buf *difference);

#endif
