/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Connections that were allowed when they began and no longer are: ended at once.
 *
 * So are those whose addresses changed in another way than they would now.
 *
 * Established packets pass the chains on conntrack's word (and in a flowtable do not see them at
 * all), so a new policy alone leaves them running. Their conntrack entries are deleted; with
 * nf_conntrack_tcp_loose=0 and the rule against TCP that does not begin with SYN they stay dead.
 */
#ifndef GATEPOST_FWRULES_FLOWS_H
#define GATEPOST_FWRULES_FLOWS_H

#include "fwrules/batch.h"
#include "fwrules/policy.h"

/* After fw_apply() of the ruleset compiled from p. The number of flows cut, or -1 with the reason
 * in error. */
long fw_cut_flows(struct fw *fw, const struct policy *p, struct buf *error);

#endif
