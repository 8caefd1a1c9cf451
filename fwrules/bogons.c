/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fwrules/bogons.h"

#include "model/model.h"
#include "model/value.h"

#include <stdlib.h>

#include <stdbool.h>

static const struct {
	const char *prefix;
	bool never; /* not even when the config names it */
} table[] = {
	{"0.0.0.0/8", true},
	{"10.0.0.0/8", false},
	{"100.64.0.0/10", false},
	{"127.0.0.0/8", true},
	{"169.254.0.0/16", true},
	{"172.16.0.0/12", false},
	{"192.0.0.0/24", false},
	{"192.168.0.0/16", false},
	{"198.18.0.0/15", false},
	{"224.0.0.0/4", true},
	{"240.0.0.0/4", true},
	/* ::/16 leaves the NAT64 prefix 64:ff9b::/96 alone (RFC 6052): a site may sit behind one.
	 */
	{"::/16", true},
	{"64:ff9b:1::/48", false},
	{"100::/64", false},
	{"2001:2::/48", false},
	{"2001:10::/28", true},
	{"fc00::/7", false},
	{"fec0::/10", false},
	{"ff00::/8", true},
};

/*
 * Takes one named prefix out of the bogons that may be taken out. One wider than a bogon
 * (0.0.0.0/0) does not name it.
 */
static void name_prefix(const struct prefix *named, struct ranges *less)
{
	static struct prefix bogons[sizeof(table) / sizeof(*table)];

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		if (!bogons[i].addr.family && !prefix_parse(table[i].prefix, &bogons[i]))
			abort(); /* the table is ours */
		if (!table[i].never && bogons[i].len <= named->len &&
		    prefix_contains(&bogons[i], &named->addr))
			ranges_add_prefix(less, named);
	}
}

static void names_below(const struct lyd_node *root, struct ranges *less)
{
	struct lyd_node *n;
	struct prefix p;

	LYD_TREE_DFS_BEGIN(root, n)
	{
		if (n->schema->nodetype & (LYS_LEAF | LYS_LEAFLIST)) {
			enum value_kind kind = value_kind(n->schema);
			if ((kind == VALUE_IP || kind == VALUE_PREFIX || kind == VALUE_ENDPOINT ||
			     kind == VALUE_INTERFACE_ADDRESS) &&
			    prefix_parse(conf_text(n), &p))
				name_prefix(&p, less);
		}
		LYD_TREE_DFS_END(root, n);
	}
}

void bogons_beside(const struct lyd_node *conf, struct ranges *out)
{
	struct ranges less = {0};
	struct prefix p;

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		if (prefix_parse(table[i].prefix, &p))
			ranges_add_prefix(out, &p);
	ranges_normalise(out);
	for (const struct lyd_node *top = conf; top; top = top->next)
		names_below(top, &less);
	ranges_normalise(&less);
	ranges_subtract(out, &less);
	ranges_free(&less);
}
