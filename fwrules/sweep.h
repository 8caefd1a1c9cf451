/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Taking the old generation away, at once or once nobody is within it any more.
 *
 * A packet that is amid the old rules when a batch flips would look its verdict up in a map whose
 * elements are gone with the flip, and be dropped. So the old generation goes in a transaction of
 * its own, after an RCU grace period; and because that takes some 20 ms, after whoever waits for
 * the commit has been answered.
 */
#ifndef GATEPOST_FWRULES_SWEEP_H
#define GATEPOST_FWRULES_SWEEP_H

#include "fwrules/expr.h"
#include "fwrules/keymap.h"
#include "fwrules/message.h"
#include "fwrules/present.h"
#include "fwrules/ruleset.h"

#include <stdbool.h>

/* Of what is there, by name: what the new ruleset goes on using. */
struct kept {
	struct keymap chains, sets, counters, others; /* others: objects that are no counters */
};

/* Base chains, dynamic sets and counters, unless somebody made other things of these names. */
struct kept kept_of(const struct ruleset *rs, const struct names *names, const struct present *p);
bool kept_has(const struct keymap *m, const char *name);
void kept_free(struct kept *kept);

/* p without what is kept, and of the flowtable's devices only those that rs does not have. */
void sweep_leftovers(struct present *p, const struct ruleset *rs, const struct kept *kept);
/* p without what is left over and will be swept. */
void sweep_hide(struct present *p, const struct present *left);

/* Empties the chains, which may refer to each other and to maps. */
void sweep_rules(struct batch *b, const struct present *left);
/* Takes all of it away, once no rule refers to it any more: first maps, whose elements refer to
 * chains and counters; then those. */
void sweep_rest(struct batch *b, const struct present *left);

#endif
