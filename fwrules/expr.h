/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules and verdicts in the kernel's terms: a rule as a list of libnftnl expressions, the same that
 * nft(8) makes of the same rule, so that it prints ours as it would its own. Pure.
 *
 * Registers: keys of several fields lie in 4-byte slots one behind the other. An address begins at
 * slot 0; what follows it is at slot 1 (IPv4) or slot 4 (IPv6). A slot whose number is a multiple
 * of 4 is named by its 16-byte register, as the kernel names it when asked.
 */
#ifndef GATEPOST_FWRULES_EXPR_H
#define GATEPOST_FWRULES_EXPR_H

#include "fwrules/ruleset.h"
#include "lib/buf.h"

#include <libnftnl/rule.h>
#include <stdint.h>

/* The names of one generation of a ruleset, as the kernel knows them; the caller frees them. */
struct names {
	char **chains; /* by index in ruleset.chains */
	char **sets;
	size_t chains_n, sets_n;
};
struct names names_of(const struct ruleset *rs, uint32_t generation);
void names_free(struct names *names);

/* The caller frees it with nftnl_rule_free(). */
struct nftnl_rule *expr_rule(const struct ruleset *rs, const struct names *names, size_t chain,
			     size_t rule);

/* The number by which the messages of one batch know a set that has no handle yet. */
uint32_t set_id(const struct ruleset *rs, size_t set);

/* NF_ACCEPT, NFT_JUMP... */
int32_t expr_verdict(enum verdict_kind kind);

#endif
