/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/check.h"

#include "model/model.h"
#include "model/schema.h"
#include "model/value.h"

#include <stdlib.h>
#include <string.h>

static const char *const port_names[] = {"wan", "dmz"};
#define PORT_COUNT (sizeof(port_names) / sizeof(*port_names))

/* ---- interfaces ---- */

const struct lyd_node *network_with(const struct lyd_node *port, const struct addr *a)
{
	struct prefix p;

	CONF_FOR_EACH (n, port, "address")
		if (prefix_parse(conf_text(n), &p) && p.addr.family == a->family &&
		    prefix_contains(&p, a))
			return n;
	return NULL;
}

static bool has_family(const struct lyd_node *port, int family)
{
	struct prefix p;

	CONF_FOR_EACH (n, port, "address")
		if (prefix_parse(conf_text(n), &p) && p.addr.family == family)
			return true;
	return false;
}

bool is_inside(const struct lyd_node *conf, const struct addr *a)
{
	const struct lyd_node *dmz = conf_child(conf_top(conf, "interfaces"), "dmz");
	struct prefix to;
	struct addr via;

	if (!has_family(dmz, a->family) || network_with(dmz, a))
		return true;
	CONF_FOR_EACH (route, conf_top(conf, "routes"), "route")
		if (prefix_parse(conf_value(route, "to"), &to) && prefix_contains(&to, a) &&
		    addr_parse(conf_value(route, "via"), &via) && network_with(dmz, &via))
			return true;
	return false;
}

static bool is_link_local(const struct addr *a)
{
	return a->family == AF_INET6 && a->bytes[0] == 0xfe && (a->bytes[1] & 0xc0) == 0x80;
}

static void check_gateways(const struct lyd_node *wan, struct faults *f)
{
	const struct lyd_node *of_family[2] = {NULL, NULL};

	CONF_FOR_EACH (n, wan, "gateway") {
		struct addr a;
		struct prefix own;

		if (!addr_parse(conf_text(n), &a))
			continue;
		const struct lyd_node **seen = &of_family[a.family == AF_INET6];
		if (*seen)
			fault_at(f, n, conf_text(n),
				 "a second gateway for IPv%d; one for each family",
				 a.family == AF_INET6 ? 6 : 4);
		*seen = n;
		const struct lyd_node *net = network_with(wan, &a);
		if (!net && !is_link_local(&a))
			fault_at(f, n, conf_text(n),
				 "in no network of interfaces wan; give wan an address beside it");
		else if (net && prefix_parse(conf_text(net), &own) && !addr_cmp(&own.addr, &a))
			fault_at(f, n, conf_text(n), "this box's own address, not its gateway's");
	}
}

/* Two ports on one wire, or one network on two ports: packets would not know where to go. */
static void check_ports_apart(const struct lyd_node *wan, const struct lyd_node *dmz,
			      struct faults *f)
{
	const char *one = conf_value(wan, "device"), *other = conf_value(dmz, "device");
	struct prefix p, q;

	if (one && other && !strcmp(one, other) &&
	    conf_number(wan, "vlan") == conf_number(dmz, "vlan"))
		fault_at(f, conf_child(dmz, "device"), other,
			 "interfaces wan is on this device too; give one of them another vlan");
	CONF_FOR_EACH (a, wan, "address") {
		CONF_FOR_EACH (b, dmz, "address") {
			if (!prefix_parse(conf_text(a), &p) || !prefix_parse(conf_text(b), &q))
				continue;
			p = prefix_network(&p);
			q = prefix_network(&q);
			if (!prefix_cmp(&p, &q))
				fault_at(
					f, b, conf_text(b),
					"the network of interfaces wan address %s; each side needs "
					"one of its own",
					conf_text(a));
		}
	}
}

/* Collects the box's own addresses and leaves them sorted. */
static void check_interfaces(const struct lyd_node *conf, struct addr_list *own, struct faults *f)
{
	const struct lyd_node *interfaces = conf_top(conf, "interfaces");

	for (size_t i = 0; i < PORT_COUNT; i++) {
		const struct lyd_node *port = conf_child(interfaces, port_names[i]);
		struct prefix p;

		if (!port)
			continue;
		if (!conf_has(port, "device"))
			fault_below(f, port, "device",
				    "missing: the kernel's name of the port must be given (eth0)");
		CONF_FOR_EACH (n, port, "address")
			if (prefix_parse(conf_text(n), &p))
				addr_list_add(own, &p.addr, n);
	}
	addr_list_check_unique(own, f);
	check_gateways(conf_child(interfaces, "wan"), f);
	check_ports_apart(conf_child(interfaces, "wan"), conf_child(interfaces, "dmz"), f);
}

/* ---- routes ---- */

static void check_via(const struct lyd_node *leaf, const struct lyd_node *interfaces,
		      const struct addr *via, struct faults *f)
{
	const struct lyd_node *network = NULL;
	struct prefix own;

	for (size_t i = 0; i < PORT_COUNT && !network; i++)
		network = network_with(conf_child(interfaces, port_names[i]), via);
	if (!network)
		fault_at(f, leaf, conf_text(leaf),
			 "in no network of interfaces wan or dmz; a router must be a neighbour");
	else if (prefix_parse(conf_text(network), &own) && !addr_cmp(&own.addr, via))
		fault_at(f, leaf, conf_text(leaf), "this box's own address, not another router's");
}

static void check_routes(const struct lyd_node *conf, struct faults *f)
{
	const struct lyd_node *interfaces = conf_top(conf, "interfaces");

	CONF_FOR_EACH (route, conf_top(conf, "routes"), "route") {
		const struct lyd_node *to = conf_child(route, "to"),
				      *via = conf_child(route, "via");
		struct prefix p;
		struct addr a;

		if (!to || !via || !prefix_parse(conf_text(to), &p) ||
		    !addr_parse(conf_text(via), &a))
			continue;
		if (!p.len)
			fault_at(f, route, NULL,
				 "the way to the Internet is interfaces wan gateway");
		else if (p.addr.family != a.family)
			fault_at(f, via, conf_text(via), "of another family than the network %s",
				 conf_text(to));
		else
			check_via(via, interfaces, &a, f);
	}
}

/* ---- what the box does for the DMZ ---- */

static void check_serve(const struct lyd_node *conf, struct faults *f)
{
	const struct lyd_node *system = conf_top(conf, "system");
	const struct lyd_node *serve = conf_child(system, "serve-dmz");
	const struct lyd_node *out = conf_child(conf_top(conf, "policy"), "dmz-outbound");

	if (conf_has(serve, "dns") && !conf_has(system, "name-server"))
		fault_at(f, conf_child(serve, "dns"), NULL,
			 "there is nobody to ask; give system name-server an address");
	if (conf_has(serve, "ntp") && !conf_has(system, "ntp"))
		fault_at(f, conf_child(serve, "ntp"), NULL,
			 "the box has no right time itself; give system ntp an address");
	if (!conf_has(out, "redirect-smtp"))
		return;
	const struct lyd_node *relay = conf_top(conf, "relay");
	bool hears = relay && !conf_has(relay, "listen");
	CONF_FOR_EACH (listen, relay, "listen")
		hears |=
			!strcmp(conf_value(listen, "kind"), "relay") && conf_number(listen, "port");
	if (!hears)
		fault_at(f, conf_child(out, "redirect-smtp"), NULL,
			 "there is no relay to lead mail to; configure relay, with a listen of "
			 "kind relay");
}

/* ---- servers ---- */

static void check_allow(const struct lyd_node *allow, struct faults *f)
{
	if (!conf_has(allow, "tcp") && !conf_has(allow, "udp") && !conf_has(allow, "icmp") &&
	    !conf_has(allow, "service"))
		fault_at(f, allow, NULL, "allows nothing; give it tcp, udp, icmp or service");
	if (!conf_has(allow, "from"))
		fault_below(f, allow, "from", "missing: say who may reach it (from any)");
}

static void check_server_address(const struct lyd_node *n, const struct addr *a,
				 const struct lyd_node *conf, const struct addr_list *own,
				 struct faults *f)
{
	const struct lyd_node *mine = addr_list_find(own, a);

	if (mine) {
		struct buf path = BUF_INIT;
		fault_path(mine, &path);
		fault_at(f, n, conf_text(n), "this box's own address (%s)", buf_str(&path));
		buf_free(&path);
	} else if (!is_inside(conf, a)) {
		fault_at(f, n, conf_text(n), "in no network of interfaces dmz");
	}
}

static void check_servers(const struct lyd_node *conf, const struct addr_list *own,
			  struct faults *f)
{
	struct addr_list all = {0};

	CONF_FOR_EACH (server, conf_top(conf, "servers"), "server") {
		struct addr a;

		CONF_FOR_EACH (n, server, "address") {
			if (!addr_parse(conf_text(n), &a))
				continue;
			check_server_address(n, &a, conf, own, f);
			addr_list_add(&all, &a, n);
		}
		CONF_FOR_EACH (allow, server, "allow")
			check_allow(allow, f);
		if (conf_has(server, "allow") && !conf_has(server, "address"))
			fault_below(f, server, "address",
				    "missing: it has services but no address");
	}
	addr_list_check_unique(&all, f);
	addr_list_free(&all);
}

/* ---- names of groups and servers ---- */

struct names {
	const char **list; /* sorted */
	size_t count;
};

static int by_string(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void names_add(struct names *names, const struct lyd_node *parent, const char *list)
{
	size_t count = 0;

	CONF_FOR_EACH (n, parent, list)
		count++;
	names->list = realloc(names->list, (names->count + count + 1) * sizeof(*names->list));
	if (!names->list)
		abort();
	CONF_FOR_EACH (n, parent, list)
		names->list[names->count++] = conf_value(n, "name");
	if (names->count)
		qsort(names->list, names->count, sizeof(*names->list), by_string);
}

static bool names_has(const struct names *names, const char *name)
{
	return names->count &&
	       bsearch(&name, names->list, names->count, sizeof(*names->list), by_string);
}

static void check_endpoint(const struct lyd_node *n, const struct names *names, struct faults *f)
{
	const char *text = conf_text(n);
	struct nearest near = nearest_to(text);
	struct prefix p;
	char hint[96];

	if (!strcmp(text, "any") || strpbrk(text, "/:") || prefix_parse(text, &p) ||
	    names_has(names, text))
		return;
	nearest_offer(&near, "any");
	for (size_t i = 0; i < names->count && fault_is_told(f); i++)
		nearest_offer(&near, names->list[i]);
	fault_at(f, n, text, "no group or server has this name%s", nearest_hint(&near, hint));
}

static void check_endpoints_below(const struct lyd_node *root, const struct names *names,
				  struct faults *f)
{
	struct lyd_node *n;

	LYD_TREE_DFS_BEGIN(root, n)
	{
		if (n->schema->nodetype == LYS_LEAFLIST && value_kind(n->schema) == VALUE_ENDPOINT)
			check_endpoint(n, names, f);
		LYD_TREE_DFS_END(root, n);
	}
}

static void check_names(const struct lyd_node *conf, struct faults *f)
{
	struct names groups = {0}, all = {0};

	names_add(&groups, conf_top(conf, "groups"), "group");
	CONF_FOR_EACH (server, conf_top(conf, "servers"), "server")
		if (names_has(&groups, conf_value(server, "name")))
			fault_at(f, server, NULL,
				 "a group has this name too; \"from %s\" could mean either",
				 conf_value(server, "name"));
	names_add(&all, conf_top(conf, "groups"), "group");
	names_add(&all, conf_top(conf, "servers"), "server");
	for (const struct lyd_node *top = conf; top; top = top->next)
		check_endpoints_below(top, &all, f);
	free(groups.list);
	free(all.list);
}

void check_net(const struct lyd_node *conf, struct faults *f)
{
	struct addr_list own = {0};

	check_interfaces(conf, &own, f);
	check_routes(conf, f);
	check_servers(conf, &own, f);
	check_nat(conf, &own, f);
	check_serve(conf, f);
	check_flat(conf, f);
	check_names(conf, f);
	addr_list_free(&own);
}
