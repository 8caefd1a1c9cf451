/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fwrules/policy.h"

#include "fwrules/array.h"
#include "fwrules/bogons.h"
#include "fwrules/keymap.h"
#include "model/model.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const port_names[ZONES_WITH_PORT] = {[ZONE_WAN] = "wan", [ZONE_DMZ] = "dmz"};

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
			fault(c,
			      "interfaces %s device %s: with vlan %lu the port's name is longer "
			      "than "
			      "%d characters",
			      port_names[i], conf_value(port, "device"), conf_number(port, "vlan"),
			      IFNAMSIZ - 1);
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
	ranges_normalise(&p->own);
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

/* ---- endpoints ---- */

static void add_endpoint(struct compiler *c, const struct lyd_node *leaf, struct ranges *out)
{
	const char *text = conf_text(leaf);
	const size_t *group = keymap_get(&c->groups, text);
	const size_t *server = keymap_get(&c->servers, text);
	struct prefix p;

	if (!strcmp(text, "any")) {
		ranges_add_any(out);
	} else if (prefix_parse(text, &p)) {
		ranges_add_prefix(out, &p);
	} else if (group) {
		ranges_add_all(out, &c->group_ranges[*group]);
	} else if (server) {
		const struct server *s = &c->policy->servers[*server];
		for (size_t i = 0; i < s->n; i++)
			ranges_add(out, &s->addresses[i], &s->addresses[i]);
	} else {
		fault(c, "%s %s: no group or server has this name", leaf->schema->name, text);
	}
}

/* All endpoints of a leaf-list, as one normalised set. */
static void endpoints(struct compiler *c, const struct lyd_node *parent, const char *leaf_list,
		      struct ranges *out)
{
	CONF_FOR_EACH (n, parent, leaf_list)
		add_endpoint(c, n, out);
	ranges_normalise(out);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The endpoints' texts, sorted and joined: equal for lists that say the same in another order. */
static void endpoints_key(const struct lyd_node *parent, const char *leaf_list, struct buf *key)
{
	const char **texts = NULL;
	size_t n = 0, cap = 0;

	CONF_FOR_EACH (leaf, parent, leaf_list)
		*ARRAY_NEXT(texts, n, cap) = conf_text(leaf);
	if (n)
		qsort(texts, n, sizeof(*texts), by_text);
	for (size_t i = 0; i < n; i++)
		buf_printf(key, "%s%s", i ? " " : "", texts[i]);
	free(texts);
}

static char *source_label(struct compiler *c, const char *key)
{
	struct buf label = BUF_INIT;

	if (!strcmp(key, "any") || keymap_get(&c->groups, key) || keymap_get(&c->servers, key))
		buf_appends(&label, key);
	else
		buf_printf(&label, "list%zu", ++c->lists);
	return buf_steal(&label);
}

/* The index in policy.sources of what the leaf-list says. */
static size_t source_of(struct compiler *c, const struct lyd_node *parent, const char *leaf_list)
{
	struct policy *p = c->policy;
	struct buf key = BUF_INIT;

	endpoints_key(parent, leaf_list, &key);
	size_t index = keymap_put(&c->sources, buf_str(&key), p->sources_n);
	if (index == p->sources_n) {
		struct source *s = ARRAY_NEXT(p->sources, p->sources_n, c->sources_cap);
		s->label = source_label(c, buf_str(&key));
		endpoints(c, parent, leaf_list, &s->ranges);
	}
	buf_free(&key);
	return index;
}

static size_t source_any(struct compiler *c)
{
	struct policy *p = c->policy;
	size_t index = keymap_put(&c->sources, "any", p->sources_n);

	if (index == p->sources_n) {
		struct source *s = ARRAY_NEXT(p->sources, p->sources_n, c->sources_cap);
		s->label = text_copy("any");
		ranges_add_any(&s->ranges);
		ranges_normalise(&s->ranges);
	}
	return index;
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

static size_t all_ports(const struct lyd_node *node, struct port_range **ports)
{
	size_t n = 0, cap = 0;

	add_ports(conf_value(node, "tcp"), IPPROTO_TCP, ports, &n, &cap);
	add_ports(conf_value(node, "udp"), IPPROTO_UDP, ports, &n, &cap);
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
			s->ports_n = all_ports(allow, &s->ports);
			s->icmp = conf_has(allow, "icmp");
			s->source = source_of(c, allow, "from");
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

static void box_port(struct compiler *c, const char *name, uint16_t port, size_t source)
{
	struct service *s = box_service(c, name, source);
	size_t cap = 0;

	*ARRAY_NEXT(s->ports, s->ports_n, cap) = (struct port_range){IPPROTO_TCP, port, port};
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
		box_port(c, conf_value(node, "name"), (uint16_t)port, source_any(c));
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
		box_port(c, "ssh", 22, source_of(c, ssh, "allow"));
	if (conf_has(box, "ping"))
		box_service(c, "ping", source_of(c, box, "ping"))->icmp = true;
	if (!relay)
		return;
	for (size_t i = 0; i < sizeof(defaults) / sizeof(*defaults); i++)
		if (!conf_has(relay, defaults[i].list))
			box_port(c, defaults[i].name, defaults[i].port, source_any(c));
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

	endpoints(c, conf_child(policy, "dmz-internal"), "allow", &p->internal);
	endpoints(c, out, "allow", &p->outbound);
	p->deny_ports_n = all_ports(deny, &p->deny_ports);
	p->deny = p->deny_ports_n || conf_has(deny, "to");
	if (conf_has(deny, "to"))
		endpoints(c, deny, "to", &p->deny_to);
	else
		ranges_add_any(&p->deny_to);
	ranges_normalise(&p->deny_to);
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
	compile_groups(&c);
	compile_servers(&c);
	compile_services(&c);
	compile_box(&c);
	compile_between(&c);
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
	ranges_free(&p->own);
	ranges_free(&p->internal);
	ranges_free(&p->outbound);
	ranges_free(&p->deny_to);
	ranges_free(&p->bogons);
	free(p);
}
