/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fwrules/policy.h"

#include "fwrules/array.h"
#include "fwrules/bogons.h"
#include "fwrules/compiler.h"
#include "model/model.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const port_names[ZONES_WITH_PORT] = {[ZONE_WAN] = "wan", [ZONE_DMZ] = "dmz"};

/* ---- interfaces ---- */

bool policy_port_name(const struct lyd_node *port, char out[IFNAMSIZ])
{
	const char *device = conf_value(port, "device");
	unsigned long vlan = conf_number(port, "vlan");
	int n;

	if (vlan)
		n = snprintf(out, IFNAMSIZ, "%s.%lu", device ? device : "", vlan);
	else
		n = snprintf(out, IFNAMSIZ, "%s", device ? device : "");
	return n < IFNAMSIZ;
}

static void compile_ports(struct compiler *c)
{
	const struct lyd_node *interfaces = conf_top(c->conf, "interfaces");
	struct policy *p = c->policy;

	for (size_t i = 0; i < ZONES_WITH_PORT; i++) {
		const struct lyd_node *port = conf_child(interfaces, port_names[i]);
		struct prefix at;

		if (!port)
			continue;
		if (!policy_port_name(port, p->port[i].ifname))
			compiler_fault(
				c,
				"interfaces %s device %s: with vlan %lu the port's name is longer "
				"than "
				"%d characters",
				port_names[i], conf_value(port, "device"),
				conf_number(port, "vlan"), IFNAMSIZ - 1);
		CONF_FOR_EACH (n, port, "address") {
			if (!prefix_parse(conf_text(n), &at))
				continue;
			ranges_add_prefix(&p->port[i].networks, &at);
			ranges_add(&p->own, &at.addr, &at.addr);
		}
		ranges_normalise(&p->port[i].networks);
	}
	CONF_FOR_EACH (pool, conf_top(c->conf, "relay"), "pool") {
		CONF_FOR_EACH (n, pool, "source") {
			struct addr a;
			if (addr_parse(conf_text(n), &a))
				ranges_add(&p->own, &a, &a);
		}
	}
	nat_held(c->conf, &p->own);
	p->flat = interfaces && !strcmp(conf_value(interfaces, "topology"), "flat");
}

/* What lies behind a router on the DMZ is inside. */
static void compile_routes(struct compiler *c)
{
	struct ranges *dmz = &c->policy->port[ZONE_DMZ].networks;
	struct ranges behind = {0};
	struct prefix to;
	struct addr via;

	CONF_FOR_EACH (route, conf_top(c->conf, "routes"), "route")
		if (prefix_parse(conf_value(route, "to"), &to) &&
		    addr_parse(conf_value(route, "via"), &via) && ranges_contain(dmz, &via))
			ranges_add_prefix(&behind, &to);
	ranges_add_all(dmz, &behind);
	ranges_normalise(dmz);
	ranges_free(&behind);
}

/* ---- names ---- */

static void compile_groups(struct compiler *c)
{
	CONF_FOR_EACH (group, conf_top(c->conf, "groups"), "group") {
		struct ranges *r = ARRAY_NEXT(c->group_ranges, c->groups_n, c->groups_cap);
		struct prefix p;

		CONF_FOR_EACH (n, group, "member")
			if (prefix_parse(conf_text(n), &p))
				ranges_add_prefix(r, &p);
		ranges_normalise(r);
		keymap_put(&c->groups, conf_value(group, "name"), c->groups_n - 1);
	}
}

static void compile_server(struct compiler *c, const struct lyd_node *node)
{
	struct policy *p = c->policy;
	size_t index = p->servers_n, cap = 0;
	struct server *server = ARRAY_NEXT(p->servers, p->servers_n, c->servers_cap);
	struct addr a;

	server->name = text_copy(conf_value(node, "name"));
	keymap_put(&c->servers, server->name, index);
	CONF_FOR_EACH (n, node, "address") {
		if (!addr_parse(conf_text(n), &a))
			continue;
		*ARRAY_NEXT(server->addresses, server->n, cap) = a;
		*ARRAY_NEXT(p->owners, p->owners_n, c->owners_cap) =
			(struct owner){.addr = a, .server = index};
	}
}

static int by_addr(const void *a, const void *b)
{
	return addr_cmp(&((const struct owner *)a)->addr, &((const struct owner *)b)->addr);
}

static void compile_servers(struct compiler *c)
{
	CONF_FOR_EACH (node, conf_top(c->conf, "servers"), "server")
		compile_server(c, node);
	if (c->policy->owners_n)
		qsort(c->policy->owners, c->policy->owners_n, sizeof(*c->policy->owners), by_addr);
}

/* ---- services ---- */

/* "80,443,5000-5100" of one protocol, appended. */
static void add_ports(const char *text, uint8_t proto, struct port_range **ports, size_t *n,
		      size_t *cap)
{
	while (text && *text) {
		char *end;
		unsigned long first = strtoul(text, &end, 10), last = first;

		if (*end == '-')
			last = strtoul(end + 1, &end, 10);
		if (first >= 1 && first <= last && last <= UINT16_MAX)
			*ARRAY_NEXT(*ports, *n, *cap) =
				(struct port_range){proto, (uint16_t)first, (uint16_t)last};
		text = *end == ',' ? end + 1 : NULL;
	}
}

static int by_port(const void *a, const void *b)
{
	const struct port_range *x = a, *y = b;

	if (x->proto != y->proto)
		return x->proto < y->proto ? -1 : 1;
	return (x->first > y->first) - (x->first < y->first);
}

/* Sorts, and merges what overlaps or touches; the number left. */
static size_t merge_ports(struct port_range *ports, size_t n)
{
	size_t last = 0;

	if (!n)
		return 0;
	qsort(ports, n, sizeof(*ports), by_port);
	for (size_t i = 1; i < n; i++) {
		if (ports[i].proto != ports[last].proto || ports[i].first > ports[last].last + 1)
			ports[++last] = ports[i];
		else if (ports[i].last > ports[last].last)
			ports[last].last = ports[i].last;
	}
	return last + 1;
}

/* Those named, and those of the service groups named. */
static size_t all_ports(const struct compiler *c, const struct lyd_node *node,
			struct port_range **ports)
{
	const struct lyd_node *groups = conf_top(c->conf, "service-groups");
	size_t n = 0, cap = 0;

	add_ports(conf_value(node, "tcp"), IPPROTO_TCP, ports, &n, &cap);
	add_ports(conf_value(node, "udp"), IPPROTO_UDP, ports, &n, &cap);
	CONF_FOR_EACH (name, node, "service") {
		const struct lyd_node *group = conf_find(groups, "service-group", conf_text(name));
		add_ports(conf_value(group, "tcp"), IPPROTO_TCP, ports, &n, &cap);
		add_ports(conf_value(group, "udp"), IPPROTO_UDP, ports, &n, &cap);
	}
	return merge_ports(*ports, n);
}

/* "20/second", "20/minute", "20/hour". */
static struct rate rate_of(const char *text)
{
	struct rate r = {0};
	const char *slash = text ? strchr(text, '/') : NULL;

	if (slash) {
		r.count = (uint32_t)strtoul(text, NULL, 10);
		r.unit_s = slash[1] == 's' ? 1 : slash[1] == 'm' ? 60 : 3600;
	}
	return r;
}

static void compile_services(struct compiler *c)
{
	struct policy *p = c->policy;
	size_t i = 0;

	CONF_FOR_EACH (node, conf_top(c->conf, "servers"), "server") {
		struct server *server = &p->servers[i++];

		server->services = p->services_n;
		CONF_FOR_EACH (allow, node, "allow") {
			struct service *s = ARRAY_NEXT(p->services, p->services_n, c->services_cap);
			s->owner = server->name;
			s->name = text_copy(conf_value(allow, "name"));
			s->to = server->addresses;
			s->to_n = server->n;
			s->ports_n = all_ports(c, allow, &s->ports);
			s->icmp = conf_has(allow, "icmp");
			s->source = compiler_source_of(c, allow, "from");
			s->limit = rate_of(conf_value(allow, "limit"));
			s->log = conf_has(allow, "log");
		}
		server->services_n = p->services_n - server->services;
	}
}

/* ---- the box ---- */

static struct service *box_service(struct compiler *c, const char *name, size_t source)
{
	struct policy *p = c->policy;
	struct service *s = ARRAY_NEXT(p->box, p->box_n, c->box_cap);

	s->owner = "box";
	s->name = text_copy(name);
	s->source = source;
	return s;
}

static void box_port(struct compiler *c, const char *name, uint8_t proto, uint16_t port,
		     size_t source)
{
	struct service *s = box_service(c, name, source);
	size_t cap = 0;

	*ARRAY_NEXT(s->ports, s->ports_n, cap) = (struct port_range){proto, port, port};
}

static bool is_loopback(const struct addr *a)
{
	static const struct addr v6 = {.family = AF_INET6, .bytes = {[15] = 1}};

	return a->family == AF_INET ? a->bytes[0] == 127 : !addr_cmp(a, &v6);
}

static bool is_unspecified(const struct addr *a)
{
	for (size_t i = 0; i < addr_size(a); i++)
		if (a->bytes[i])
			return false;
	return true;
}

/* Opens what 'relay listen' or 'relay http' name. Loopback is open anyway; port 0 is any. */
static void box_listeners(struct compiler *c, const struct lyd_node *relay, const char *list)
{
	CONF_FOR_EACH (node, relay, list) {
		unsigned long port = conf_number(node, "port");
		const char *text = conf_value(node, "address");
		struct addr a = {0};
		size_t cap = 0;

		if (text && !addr_parse(text, &a))
			continue;
		if (!port || is_loopback(&a))
			continue;
		box_port(c, conf_value(node, "name"), IPPROTO_TCP, (uint16_t)port,
			 compiler_source_any(c));
		struct service *s = &c->policy->box[c->policy->box_n - 1];
		if (is_unspecified(&a))
			continue;
		struct addr *to = NULL;
		*ARRAY_NEXT(to, s->to_n, cap) = a;
		s->to = to;
	}
}

static void compile_box(struct compiler *c)
{
	const struct lyd_node *relay = conf_top(c->conf, "relay");
	const struct lyd_node *ssh = conf_child(conf_top(c->conf, "system"), "ssh");
	const struct lyd_node *serve = conf_child(conf_top(c->conf, "system"), "serve-dmz");
	const struct lyd_node *box = conf_child(conf_top(c->conf, "policy"), "box");
	static const struct {
		const char *list, *name;
		uint16_t port;
	} defaults[] = {
		{"listen", "smtp", 25},
		{"listen", "submission", 587},
		{"listen", "submissions", 465},
		{"http", "http", 80},
	};

	if (conf_has(ssh, "allow"))
		box_port(c, "ssh", IPPROTO_TCP, 22, compiler_source_of(c, ssh, "allow"));
	if (conf_has(box, "ping"))
		box_service(c, "ping", compiler_source_of(c, box, "ping"))->icmp = true;
	if (conf_has(serve, "dns")) {
		box_port(c, "dns", IPPROTO_UDP, 53, compiler_source_dmz(c));
		box_port(c, "dns", IPPROTO_TCP, 53, compiler_source_dmz(c));
	}
	if (conf_has(serve, "ntp"))
		box_port(c, "ntp", IPPROTO_UDP, 123, compiler_source_dmz(c));
	if (!relay)
		return;
	for (size_t i = 0; i < sizeof(defaults) / sizeof(*defaults); i++)
		if (!conf_has(relay, defaults[i].list))
			box_port(c, defaults[i].name, IPPROTO_TCP, defaults[i].port,
				 compiler_source_any(c));
	box_listeners(c, relay, "listen");
	box_listeners(c, relay, "http");
}

/* ---- dmz to dmz, dmz to wan ---- */

static void compile_between(struct compiler *c)
{
	struct policy *p = c->policy;
	const struct lyd_node *policy = conf_top(c->conf, "policy");
	const struct lyd_node *out = conf_child(policy, "dmz-outbound");
	const struct lyd_node *deny = conf_child(out, "deny");

	compiler_endpoints(c, conf_child(policy, "dmz-internal"), "allow", &p->internal);
	compiler_endpoints(c, out, "allow", &p->outbound);
	p->deny_ports_n = all_ports(c, deny, &p->deny_ports);
	p->deny = p->deny_ports_n || conf_has(deny, "to");
	if (conf_has(deny, "to"))
		compiler_endpoints(c, deny, "to", &p->deny_to);
	else
		ranges_add_any(&p->deny_to);
	ranges_normalise(&p->deny_to);
}

/* ---- addresses that change ---- */

static void tell_overlap(struct compiler *c, const struct nat_source *a, const struct nat_source *b)
{
	struct ranges both = {0}, less = {0};

	ranges_add_all(&both, &a->from);
	ranges_normalise(&both);
	ranges_add_all(&less, &both);
	ranges_normalise(&less);
	ranges_subtract(&less, &b->from); /* of a, what b has not */
	if (a->address.family == b->address.family && !ranges_equal(&both, &less))
		compiler_fault(
			c, "nat source %s: %s has machines of it too; what would be their address?",
			b->name, a->name);
	ranges_free(&both);
	ranges_free(&less);
}

static void compile_nat(struct compiler *c)
{
	struct policy *p = c->policy;
	struct nat *nat = &p->nat;
	size_t i = 0;

	nat_compile(c->conf, nat);
	ranges_add_all(&nat->inside, &p->port[ZONE_DMZ].networks);
	ranges_normalise(&nat->inside);
	ranges_subtract(&nat->inside, &p->own);
	CONF_FOR_EACH (node, conf_top(c->conf, "nat"), "source") {
		struct nat_source *s = &nat->sources[i++];
		compiler_endpoints(c, node, "from", &s->from);
		ranges_subtract(&s->from, &p->own);
		for (size_t j = 0; j + 1 < i; j++)
			tell_overlap(c, &nat->sources[j], s);
	}
}

/* ---- the whole ---- */

static void compiler_free(struct compiler *c)
{
	for (size_t i = 0; i < c->groups_n; i++)
		ranges_free(&c->group_ranges[i]);
	free(c->group_ranges);
	keymap_free(&c->groups);
	keymap_free(&c->servers);
	keymap_free(&c->sources);
}

struct policy *policy_compile(const struct lyd_node *conf, struct buf *error)
{
	struct policy *p = calloc(1, sizeof(*p));
	struct compiler c = {.conf = conf, .policy = p, .error = error};

	if (!p)
		abort();
	compile_ports(&c);
	ranges_normalise(&p->own);
	compile_routes(&c);
	compile_groups(&c);
	compile_servers(&c);
	compile_services(&c);
	compile_box(&c);
	compile_between(&c);
	compile_nat(&c);
	bogons_beside(conf, &p->bogons);
	compiler_free(&c);
	if (c.faults) {
		policy_free(p);
		return NULL;
	}
	return p;
}

static void services_free(struct service *services, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(services[i].name);
		free(services[i].ports);
	}
	free(services);
}

void policy_free(struct policy *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->box_n; i++)
		free((void *)(uintptr_t)p->box[i].to);
	services_free(p->services, p->services_n);
	services_free(p->box, p->box_n);
	for (size_t i = 0; i < p->servers_n; i++) {
		free(p->servers[i].name);
		free(p->servers[i].addresses);
	}
	for (size_t i = 0; i < p->sources_n; i++) {
		free(p->sources[i].label);
		ranges_free(&p->sources[i].ranges);
	}
	for (size_t i = 0; i < ZONES_WITH_PORT; i++)
		ranges_free(&p->port[i].networks);
	free(p->servers);
	free(p->owners);
	free(p->sources);
	free(p->deny_ports);
	nat_free(&p->nat);
	ranges_free(&p->own);
	ranges_free(&p->internal);
	ranges_free(&p->outbound);
	ranges_free(&p->deny_to);
	ranges_free(&p->bogons);
	free(p);
}
