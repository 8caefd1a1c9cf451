/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gateway/net_dummy.h"

static void print_links(const struct netplan *plan, struct buf *out)
{
	for (size_t i = 0; i < plan->links_n; i++) {
		const struct net_link *l = &plan->links[i];
		if (l->vlan)
			buf_printf(out, "ip link add link %s name %s type vlan id %u\n", l->parent,
				   l->name, l->vlan);
		if (l->is_bridge)
			buf_printf(out, "ip link add name %s type bridge\n", l->name);
		buf_printf(out, "ip link set %s up", l->name);
		if (l->mtu)
			buf_printf(out, " mtu %u", l->mtu);
		buf_appendc(out, '\n');
	}
	for (size_t i = 0; i < plan->links_n; i++)
		if (*plan->links[i].bridge)
			buf_printf(out, "ip link set %s master %s\n", plan->links[i].name,
				   plan->links[i].bridge);
}

void net_dummy_apply(const struct netplan *plan, struct buf *out)
{
	char prefix[PREFIX_STR_MAX], via[ADDR_STR_MAX];

	for (size_t i = 0; i < plan->sysctls_n; i++)
		buf_printf(out, "sysctl -w %s=%s\n", plan->sysctls[i].path, plan->sysctls[i].value);
	print_links(plan, out);
	for (size_t i = 0; i < plan->addresses_n; i++) {
		const struct net_address *a = &plan->addresses[i];
		buf_printf(out, "ip address add %s dev %s%s\n", prefix_format(&a->prefix, prefix),
			   a->link, a->deprecated ? " preferred_lft 0" : "");
	}
	for (size_t i = 0; i < plan->routes_n; i++) {
		const struct net_route *r = &plan->routes[i];
		buf_printf(out, "ip route add %s via %s dev %s\n", prefix_format(&r->to, prefix),
			   addr_format(&r->via, via), r->link);
	}
	for (size_t i = 0; i < plan->neighbours_n; i++) {
		const struct net_neighbour *n = &plan->neighbours[i];
		buf_printf(out, "ip neighbour add proxy %s dev %s\n", addr_format(&n->address, via),
			   n->link);
	}
}
