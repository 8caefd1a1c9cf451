/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gateway/netplan.h"

#include "fwrules/array.h"
#include "fwrules/nat.h"
#include "fwrules/policy.h"
#include "fwrules/ruleset.h"
#include "model/model.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WAN, DMZ, PORTS };
static const char *const port_names[PORTS] = {"wan", "dmz"};

struct compiler {
	const struct lyd_node *conf;
	const struct lyd_node *port[PORTS];
	bool flat;
	char ifname[PORTS][IFNAMSIZ];
	struct netplan *plan;
	struct buf *error;
	size_t faults;
	size_t links_cap, addresses_cap, routes_cap, neighbours_cap, sysctls_cap;
};

static void fault(struct compiler *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void fault(struct compiler *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(c->error, fmt, ap);
	va_end(ap);
	buf_appendc(c->error, '\n');
	c->faults++;
}

static void copy_name(char out[IFNAMSIZ], const char *name)
{
	snprintf(out, IFNAMSIZ, "%s", name);
}

/* ---- links ---- */

static struct net_link *link_named(struct compiler *c, const char *name)
{
	for (size_t i = 0; i < c->plan->links_n; i++)
		if (!strcmp(c->plan->links[i].name, name))
			return &c->plan->links[i];
	struct net_link *link = ARRAY_NEXT(c->plan->links, c->plan->links_n, c->links_cap);
	copy_name(link->name, name);
	return link;
}

static void compile_link(struct compiler *c, size_t i)
{
	const char *device = conf_value(c->port[i], "device");
	unsigned vlan = (unsigned)conf_number(c->port[i], "vlan");
	unsigned mtu = (unsigned)conf_number(c->port[i], "mtu");

	if (!device)
		return;
	if (!policy_port_name(c->port[i], c->ifname[i])) {
		fault(c,
		      "interfaces %s device %s: with vlan %u the port's name is longer than %d "
		      "characters",
		      port_names[i], device, vlan, IFNAMSIZ - 1);
		return;
	}
	/* What carries a VLAN must be able to carry its largest packet. */
	struct net_link *link = link_named(c, device);
	if (mtu > link->mtu)
		link->mtu = mtu;
	if (!vlan)
		return;
	link = link_named(c, c->ifname[i]);
	copy_name(link->parent, device);
	link->vlan = vlan;
	link->mtu = mtu;
}

/* In the flat topology both are ports of one bridge, and what speaks of them speaks of it. */
static void compile_bridge(struct compiler *c)
{
	unsigned mtu = 0;

	for (size_t i = 0; i < PORTS; i++) {
		if (!*c->ifname[i])
			return;
		struct net_link *link = link_named(c, c->ifname[i]);
		copy_name(link->bridge, RULESET_BRIDGE);
		if (!mtu || (link->mtu && link->mtu < mtu))
			mtu = link->mtu;
	}
	struct net_link *bridge = link_named(c, RULESET_BRIDGE);
	bridge->is_bridge = true;
	bridge->mtu = mtu;
	for (size_t i = 0; i < PORTS; i++)
		copy_name(c->ifname[i], RULESET_BRIDGE);
}

/* ---- addresses ---- */

static bool has_address(const struct compiler *c, const struct addr *a)
{
	for (size_t i = 0; i < c->plan->addresses_n; i++)
		if (!addr_cmp(&c->plan->addresses[i].prefix.addr, a))
			return true;
	return false;
}

static void add_address(struct compiler *c, size_t port, const struct prefix *p, bool deprecated)
{
	struct net_address *a =
		ARRAY_NEXT(c->plan->addresses, c->plan->addresses_n, c->addresses_cap);

	copy_name(a->link, c->ifname[port]);
	a->prefix = *p;
	a->deprecated = deprecated;
}

static bool is_wan_gateway(const struct compiler *c, const struct addr *a)
{
	struct addr gateway;

	CONF_FOR_EACH (n, c->port[WAN], "gateway")
		if (addr_parse(conf_text(n), &gateway) && !addr_cmp(&gateway, a))
			return true;
	return false;
}

/* The port whose network holds a: that of the longest prefix; PORTS when there is none. */
static size_t port_of(const struct compiler *c, const struct addr *a)
{
	size_t best = PORTS;
	unsigned best_len = 0;
	struct prefix p;

	for (size_t i = 0; i < PORTS; i++) {
		CONF_FOR_EACH (n, c->port[i], "address")
			if (prefix_parse(conf_text(n), &p) && prefix_contains(&p, a) &&
			    (best == PORTS || p.len > best_len)) {
				best = i;
				best_len = p.len;
			}
	}
	return best;
}

static void compile_pool_addresses(struct compiler *c)
{
	CONF_FOR_EACH (pool, conf_top(c->conf, "relay"), "pool") {
		CONF_FOR_EACH (n, pool, "source") {
			struct prefix p = {0};
			if (!addr_parse(conf_text(n), &p.addr) || has_address(c, &p.addr))
				continue;
			size_t port = port_of(c, &p.addr);
			if (port == PORTS) {
				fault(c,
				      "relay pool %s source %s: in no network of interfaces wan or "
				      "dmz; give one of them an address beside it",
				      conf_value(pool, "name"), conf_text(n));
				continue;
			}
			p.len = (unsigned)addr_size(&p.addr) * 8;
			add_address(c, port, &p, p.addr.family == AF_INET6);
		}
	}
}

/* Addresses outside that the uplink's neighbours ask for: the box must hold them to be asked. */
static void compile_nat_addresses(struct compiler *c)
{
	struct ranges held = {0};
	size_t added = 0;

	nat_held(c->conf, &held);
	for (size_t i = 0; i < held.n && added <= NET_HELD_MAX; i++) {
		struct prefix p = {.addr = held.at[i].first};
		bool more = true;
		p.len = (unsigned)addr_size(&p.addr) * 8;
		while (more && added <= NET_HELD_MAX) {
			if (!has_address(c, &p.addr) && !is_wan_gateway(c, &p.addr)) {
				add_address(c, WAN, &p, p.addr.family == AF_INET6);
				added++;
			}
			more = addr_cmp(&p.addr, &held.at[i].last) != 0 &&
			       addr_next(&p.addr, &p.addr);
		}
	}
	if (added > NET_HELD_MAX)
		fault(c,
		      "nat: more than %d addresses outside are on the uplink's own wire; have "
		      "their "
		      "network routed to this box instead",
		      NET_HELD_MAX);
	ranges_free(&held);
}

static void compile_addresses(struct compiler *c)
{
	struct prefix p;

	for (size_t i = 0; i < PORTS; i++)
		CONF_FOR_EACH (n, c->port[i], "address")
			if (prefix_parse(conf_text(n), &p))
				add_address(c, i, &p, false);
	if (c->port[WAN])
		compile_nat_addresses(c);
	/* A relay on a box that routes nothing sends from addresses that are there already. */
	if (c->port[WAN] || c->port[DMZ])
		compile_pool_addresses(c);
}

static void compile_routes(struct compiler *c)
{
	CONF_FOR_EACH (n, c->port[WAN], "gateway") {
		struct net_route *r = ARRAY_NEXT(c->plan->routes, c->plan->routes_n, c->routes_cap);
		if (!addr_parse(conf_text(n), &r->via)) {
			c->plan->routes_n--;
			continue;
		}
		r->to.addr.family = r->via.family;
		copy_name(r->link, c->ifname[WAN]);
	}
	CONF_FOR_EACH (n, conf_top(c->conf, "routes"), "route") {
		struct net_route r = {0};
		if (!prefix_parse(conf_value(n, "to"), &r.to) ||
		    !addr_parse(conf_value(n, "via"), &r.via))
			continue;
		size_t port = port_of(c, &r.via);
		if (port == PORTS)
			continue; /* model_validate() has refused it */
		copy_name(r.link, c->ifname[port]);
		*ARRAY_NEXT(c->plan->routes, c->plan->routes_n, c->routes_cap) = r;
	}
}

/* ---- neighbours answered for ---- */

static void add_neighbour_on(struct compiler *c, size_t port, const struct addr *a)
{
	struct net_neighbour *n =
		ARRAY_NEXT(c->plan->neighbours, c->plan->neighbours_n, c->neighbours_cap);

	copy_name(n->link, c->ifname[port]);
	n->address = *a;
}

static void add_neighbour(struct compiler *c, const struct addr *a)
{
	add_neighbour_on(c, WAN, a);
}

/* The kernel answers for its own IPv4 addresses on every port, and for IPv6 ones on theirs only. */
static bool answers_anyway(const struct compiler *c, const struct addr *a)
{
	for (size_t i = 0; i < c->plan->addresses_n; i++) {
		const struct net_address *own = &c->plan->addresses[i];
		if (!addr_cmp(&own->prefix.addr, a) &&
		    (a->family == AF_INET || !strcmp(own->link, c->ifname[WAN])))
			return true;
	}
	return false;
}

static bool is_gateway(const struct compiler *c, const struct addr *a)
{
	for (size_t i = 0; i < c->plan->routes_n; i++)
		if (!addr_cmp(&c->plan->routes[i].via, a))
			return true;
	return false;
}

/* Every address of a prefix but those that others answer for. */
static void neighbours_in(struct compiler *c, const struct prefix *p)
{
	struct prefix network = prefix_network(p);
	struct addr a = network.addr, last = prefix_last(p);
	bool more;

	do {
		if (!answers_anyway(c, &a) && !is_gateway(c, &a))
			add_neighbour(c, &a);
		more = addr_cmp(&a, &last) != 0;
	} while (more && addr_next(&a, &a));
}

/* The servers' and the box's own addresses in a prefix too large to count out. */
static void named_neighbours_in(struct compiler *c, const struct prefix *p)
{
	struct addr a;

	CONF_FOR_EACH (server, conf_top(c->conf, "servers"), "server")
		CONF_FOR_EACH (n, server, "address")
			if (addr_parse(conf_text(n), &a) && prefix_contains(p, &a))
				add_neighbour(c, &a);
	for (size_t i = 0; i < c->plan->addresses_n; i++) {
		const struct addr *own = &c->plan->addresses[i].prefix.addr;
		if (prefix_contains(p, own) && !answers_anyway(c, own))
			add_neighbour(c, own);
	}
}

static int by_address(const void *a, const void *b)
{
	const struct net_neighbour *x = a, *y = b;
	int order = addr_cmp(&x->address, &y->address);

	return order ? order : strcmp(x->link, y->link);
}

static void sort_neighbours(struct netplan *plan)
{
	size_t n = 0;

	if (!plan->neighbours_n)
		return;
	qsort(plan->neighbours, plan->neighbours_n, sizeof(*plan->neighbours), by_address);
	for (size_t i = 1; i < plan->neighbours_n; i++)
		if (by_address(&plan->neighbours[n], &plan->neighbours[i]))
			plan->neighbours[++n] = plan->neighbours[i];
	plan->neighbours_n = n + 1;
}

/* Whether servers are to reach each other through the box. */
static bool is_between(const struct compiler *c)
{
	const struct lyd_node *policy = conf_top(c->conf, "policy");

	return c->port[DMZ] && conf_has(conf_child(policy, "dmz-internal"), "through-box");
}

/* IPv6 servers, answered for towards each other. For IPv4 a sysctl does it for every address. */
static void compile_between(struct compiler *c)
{
	struct addr a;

	CONF_FOR_EACH (server, conf_top(c->conf, "servers"), "server")
		CONF_FOR_EACH (n, server, "address")
			if (addr_parse(conf_text(n), &a) && a.family == AF_INET6)
				add_neighbour_on(c, DMZ, &a);
}

static void compile_neighbours(struct compiler *c)
{
	CONF_FOR_EACH (n, c->port[WAN], "proxy-neighbour") {
		struct prefix p;
		if (!prefix_parse(conf_text(n), &p))
			continue;
		unsigned host_bits = (unsigned)addr_size(&p.addr) * 8 - p.len;
		bool fits = host_bits < 32 &&
			    c->plan->neighbours_n + (1ul << host_bits) <= NET_NEIGHBOURS_MAX;
		if (fits)
			neighbours_in(c, &p);
		else if (p.addr.family == AF_INET6)
			named_neighbours_in(c, &p);
		else
			fault(c,
			      "interfaces wan proxy-neighbour %s: more than %d addresses to answer "
			      "for; have the block routed to this box instead",
			      conf_text(n), NET_NEIGHBOURS_MAX);
	}
	if (is_between(c))
		compile_between(c);
	sort_neighbours(c->plan);
}

/* ---- sysctls ---- */

static void add_sysctl(struct compiler *c, const char *value, bool shared, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
static void add_sysctl(struct compiler *c, const char *value, bool shared, const char *fmt, ...)
{
	struct net_sysctl *s = ARRAY_NEXT(c->plan->sysctls, c->plan->sysctls_n, c->sysctls_cap);
	struct buf path = BUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&path, fmt, ap);
	va_end(ap);
	s->path = buf_steal(&path);
	s->value = value;
	s->shared = shared;
}

/* What a port must not do, set before any address is raised. A value of NULL: set elsewhere. */
static const struct {
	const char *path, *value;
} port_sysctls[] = {
	/* The config says what addresses and routes there are, nobody on the wire. */
	{"net/ipv6/conf/%s/accept_ra", "0"},
	{"net/ipv6/conf/%s/autoconf", "0"},
	{"net/ipv6/conf/%s/accept_redirects", "0"},
	{"net/ipv4/conf/%s/accept_redirects", "0"},
	{"net/ipv4/conf/%s/secure_redirects", "0"},
	{"net/ipv4/conf/%s/send_redirects", "0"},
	{"net/ipv4/conf/%s/accept_source_route", "0"},
	{"net/ipv6/conf/%s/accept_source_route", "0"},
	/* The ruleset checks sources (fib), in both families alike. */
	{"net/ipv4/conf/%s/rp_filter", "0"},
	/* A second address of a network outlives the first. */
	{"net/ipv4/conf/%s/promote_secondaries", "1"},
	/* Ask for neighbours by an address of their own network. */
	{"net/ipv4/conf/%s/arp_announce", "2"},
	/* Where the uplink's neighbours are answered for. */
	{"net/ipv6/conf/%s/proxy_ndp", NULL},
	{"net/ipv4/neigh/%s/proxy_delay", NULL},
	{"net/ipv6/neigh/%s/proxy_delay", NULL},
	{"net/ipv4/conf/%s/proxy_arp_pvlan", NULL},
};

bool netplan_port_sysctl(size_t i, const char *link, char out[NET_SYSCTL_PATH_MAX])
{
	if (i >= sizeof(port_sysctls) / sizeof(*port_sysctls))
		return false;
	const char *path = port_sysctls[i].path, *mark = strstr(path, "%s");
	snprintf(out, NET_SYSCTL_PATH_MAX, "%.*s%s%s", (int)(mark - path), path, link, mark + 2);
	return true;
}

static void compile_port_sysctls(struct compiler *c, const char *link)
{
	char path[NET_SYSCTL_PATH_MAX];

	for (size_t i = 0; netplan_port_sysctl(i, link, path); i++)
		if (port_sysctls[i].value)
			add_sysctl(c, port_sysctls[i].value, false, "%s", path);
}

static bool answers_on(const struct compiler *c, size_t port)
{
	for (size_t i = 0; i < c->plan->neighbours_n; i++)
		if (!strcmp(c->plan->neighbours[i].link, c->ifname[port]))
			return true;
	return false;
}

/* For others, and at once: there is nobody else who might. */
static void compile_answers(struct compiler *c, const char *link)
{
	add_sysctl(c, "1", false, "net/ipv6/conf/%s/proxy_ndp", link);
	add_sysctl(c, "0", false, "net/ipv4/neigh/%s/proxy_delay", link);
	add_sysctl(c, "0", false, "net/ipv6/neigh/%s/proxy_delay", link);
}

static void compile_sysctls(struct compiler *c)
{
	const char *router = *c->ifname[WAN] && *c->ifname[DMZ] && !c->flat ? "1" : "0";

	/* First: setting these changes some of those below. */
	add_sysctl(c, router, false, "net/ipv4/ip_forward");
	add_sysctl(c, router, false, "net/ipv6/conf/all/forwarding");
	/* The kernel takes the greater of "all" and the port's own. */
	add_sysctl(c, "0", false, "net/ipv4/conf/all/rp_filter");
	add_sysctl(c, "0", false, "net/ipv4/conf/all/accept_redirects");
	add_sysctl(c, "0", false, "net/ipv4/conf/all/send_redirects");
	/* A TCP connection is picked up from its SYN only: what was cut stays cut. */
	add_sysctl(c, "0", false, "net/netfilter/nf_conntrack_tcp_loose");
	add_sysctl(c, "1", false, "net/netfilter/nf_conntrack_acct");
	add_sysctl(c, "262144", true, "net/netfilter/nf_conntrack_max");
	for (size_t i = 0; i < (c->flat ? 1 : PORTS); i++)
		if (*c->ifname[i])
			compile_port_sysctls(c, c->ifname[i]);
	if (*c->ifname[DMZ] && !c->flat)
		add_sysctl(c, is_between(c) ? "1" : "0", false, "net/ipv4/conf/%s/proxy_arp_pvlan",
			   c->ifname[DMZ]);
	if (answers_on(c, WAN))
		compile_answers(c, c->ifname[WAN]);
	if (is_between(c))
		compile_answers(c, c->ifname[DMZ]);
}

/* ---- the whole ---- */

struct netplan *netplan_compile(const struct lyd_node *conf, struct buf *error)
{
	struct compiler c = {.conf = conf, .plan = calloc(1, sizeof(*c.plan)), .error = error};

	if (!c.plan)
		abort();
	const struct lyd_node *interfaces = conf_top(conf, "interfaces");
	c.flat = interfaces && !strcmp(conf_value(interfaces, "topology"), "flat");
	for (size_t i = 0; i < PORTS; i++) {
		c.port[i] = conf_child(interfaces, port_names[i]);
		if (c.port[i])
			compile_link(&c, i);
	}
	if (c.flat)
		compile_bridge(&c);
	compile_addresses(&c);
	compile_routes(&c);
	compile_neighbours(&c);
	compile_sysctls(&c);
	if (c.faults) {
		netplan_free(c.plan);
		return NULL;
	}
	return c.plan;
}

void netplan_free(struct netplan *plan)
{
	if (!plan)
		return;
	for (size_t i = 0; i < plan->sysctls_n; i++)
		free(plan->sysctls[i].path);
	free(plan->links);
	free(plan->addresses);
	free(plan->routes);
	free(plan->neighbours);
	free(plan->sysctls);
	free(plan);
}
