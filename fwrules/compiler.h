/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What policy.c keeps while it compiles a config, and how it reads names; nobody else includes
 * this. */
#ifndef GATEPOST_FWRULES_COMPILER_H
#define GATEPOST_FWRULES_COMPILER_H

#include "fwrules/keymap.h"
#include "fwrules/policy.h"

/* What is needed while compiling and no longer. */
struct compiler {
	const struct lyd_node *conf;
	struct policy *policy;
	struct buf *error;
	size_t faults;
	struct keymap groups; /* name -> index in group_ranges */
	struct ranges *group_ranges;
	size_t groups_n, groups_cap;
	struct keymap servers; /* name -> index in policy.servers */
	struct keymap sources; /* endpoints, sorted and joined -> index in policy.sources */
	size_t lists;          /* sources that have no name of their own */
	size_t servers_cap, sources_cap, services_cap, box_cap, owners_cap;
};

/* A line in error; the compilation fails. */
void compiler_fault(struct compiler *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* All endpoints of a leaf-list, as one normalised set. */
void compiler_endpoints(struct compiler *c, const struct lyd_node *parent, const char *leaf_list,
			struct ranges *out);

/* Indices in policy.sources: of what a leaf-list says, of everybody, of who is in the DMZ. */
size_t compiler_source_of(struct compiler *c, const struct lyd_node *parent, const char *leaf_list);
size_t compiler_source_any(struct compiler *c);
size_t compiler_source_dmz(struct compiler *c);

#endif
