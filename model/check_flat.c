/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * In the flat topology the box is a bridge: the servers are the uplink's neighbours, and nothing
 * that a router does for them can be done. What would need it is refused, with the reason.
 */
#include "model/check.h"
#include "model/model.h"

#include <string.h>

static void refuse(const struct lyd_node *parent, const char *child, const char *why,
		   struct faults *f)
{
	if (conf_has(parent, child))
		fault_at(f, conf_child(parent, child), NULL, "not in the flat topology: %s", why);
}

void check_flat(const struct lyd_node *conf, struct faults *f)
{
	static const char *const kinds[] = {"forward", "one-to-one", "prefix", "source"};
	const struct lyd_node *interfaces = conf_top(conf, "interfaces");
	const struct lyd_node *wan = conf_child(interfaces, "wan");
	const struct lyd_node *dmz = conf_child(interfaces, "dmz");
	const struct lyd_node *policy = conf_top(conf, "policy");

	if (!interfaces || strcmp(conf_value(interfaces, "topology"), "flat") != 0)
		return;
	if (!wan || !dmz)
		fault_at(f, conf_child(interfaces, "topology"), "flat",
			 "a bridge needs both ports; configure interfaces wan and dmz");
	refuse(dmz, "address",
	       "the box's own addresses stand on wan, in the one network that there is", f);
	refuse(wan, "proxy-neighbour", "the servers answer for their addresses themselves", f);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		refuse(conf_top(conf, "nat"), kinds[i],
		       "a bridge passes packets on as they are; addresses change in a router", f);
	refuse(conf_child(policy, "dmz-outbound"), "redirect-smtp",
	       "a bridge passes packets on as they are; point the servers at the relay", f);
	refuse(conf_child(policy, "dmz-internal"), "allow",
	       "servers reach each other without passing the box", f);
	refuse(conf_child(policy, "dmz-internal"), "through-box",
	       "servers reach each other without passing the box", f);
}
