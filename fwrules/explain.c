/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fwrules/explain.h"

#include "model/fault.h"
#include "model/model.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

enum { FAMILIES = 2, ICMP_ECHO = 8, ICMPV6_ECHO = 128 };

/* One address of each family, or none. */
struct end {
	struct addr at[FAMILIES];
};

static const int families[FAMILIES] = {AF_INET, AF_INET6};

const char *zone_name(enum zone z)
{
	static const char *const names[] = {
		[ZONE_WAN] = "wan", [ZONE_DMZ] = "dmz", [ZONE_BOX] = "box"};

	return names[z];
}

/* ---- who is meant ---- */

/* The first one of its family counts. */
static void take(struct end *end, const char *text)
{
	struct prefix p;

	if (!prefix_parse(text, &p))
		return;
	for (size_t i = 0; i < FAMILIES; i++)
		if (p.addr.family == families[i] && end->at[i].family == AF_UNSPEC)
			end->at[i] = p.addr;
}

static void take_box(const struct lyd_node *conf, struct end *end)
{
	static const char *const ports[] = {"wan", "dmz"};

	for (size_t i = 0; i < 2; i++)
		CONF_FOR_EACH (n, conf_child(conf_top(conf, "interfaces"), ports[i]), "address")
			take(end, conf_text(n));
}

static void offer_names(const struct lyd_node *conf, struct nearest *near)
{
	CONF_FOR_EACH (n, conf_top(conf, "servers"), "server")
		nearest_offer(near, conf_value(n, "name"));
	CONF_FOR_EACH (n, conf_top(conf, "groups"), "group")
		nearest_offer(near, conf_value(n, "name"));
	nearest_offer(near, "box");
}

static bool find_end(const struct lyd_node *conf, const char *text, struct end *end,
		     struct buf *error)
{
	const struct lyd_node *server = conf_find(conf_top(conf, "servers"), "server", text);
	const struct lyd_node *group = conf_find(conf_top(conf, "groups"), "group", text);
	struct addr address;
	char hint[96];

	*end = (struct end){0};
	if (addr_parse(text, &address)) {
		take(end, text);
	} else if (!strcmp(text, "box")) {
		take_box(conf, end);
	} else if (server || group) {
		CONF_FOR_EACH (n, server, "address")
			take(end, conf_text(n));
		CONF_FOR_EACH (n, group, "member")
			take(end, conf_text(n));
	} else {
		struct nearest near = nearest_to(text);
		offer_names(conf, &near);
		buf_printf(error, "\"%s\": no address, server or group, and not \"box\"%s\n", text,
			   nearest_hint(&near, hint));
		return false;
	}
	if (end->at[0].family != AF_UNSPEC || end->at[1].family != AF_UNSPEC)
		return true;
	buf_printf(error, "\"%s\": it has no address\n", text);
	return false;
}

/* ---- what is asked ---- */

static bool read_protocol(const struct question *q, struct flow *f, struct buf *error)
{
	static const struct {
		const char *name;
		uint8_t number;
	} known[] = {{"tcp", IPPROTO_TCP}, {"udp", IPPROTO_UDP}, {"icmp", IPPROTO_ICMP}};
	char *end;

	f->to_port = (uint16_t)q->port;
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		if (strcmp(known[i].name, q->protocol) != 0)
			continue;
		f->proto = known[i].number;
		if (f->proto == IPPROTO_ICMP || (q->port > 0 && q->port <= UINT16_MAX))
			return true;
		buf_printf(error, "%u: not a port (1 to 65535)\n", q->port);
		return false;
	}
	unsigned long n = strtoul(q->protocol, &end, 10);
	if (*end || end == q->protocol || n > UINT8_MAX) {
		buf_printf(error, "\"%s\": not a protocol; it is tcp, udp, icmp or a number\n",
			   q->protocol);
		return false;
	}
	f->proto = (uint8_t)n;
	return true;
}

static void answer(const struct policy *policy, const struct flow *asked, struct explanation *e)
{
	struct flow f = *asked;

	f.from = e->from;
	f.to = e->to;
	if (f.proto == IPPROTO_ICMP) {
		f.proto = e->from.family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6;
		f.icmp_type = e->from.family == AF_INET ? ICMP_ECHO : ICMPV6_ECHO;
	}
	e->from_zone = policy_zone(policy, &f.from);
	e->to_zone = policy_zone(policy, &f.to);
	e->allowed = policy_allows(policy, &f, &e->because);
}

size_t explain(const struct lyd_node *conf, const struct question *q,
	       struct explanation out[EXPLANATIONS_MAX], struct buf *error)
{
	struct flow asked = {0};
	struct end from, to;
	size_t n = 0;

	if (!find_end(conf, q->from, &from, error) || !find_end(conf, q->to, &to, error) ||
	    !read_protocol(q, &asked, error))
		return 0;
	struct policy *policy = policy_compile(conf, error);
	if (!policy)
		return 0;
	for (size_t i = 0; i < FAMILIES; i++) {
		if (from.at[i].family == AF_UNSPEC || to.at[i].family == AF_UNSPEC)
			continue;
		out[n] = (struct explanation){.from = from.at[i], .to = to.at[i]};
		answer(policy, &asked, &out[n++]);
	}
	policy_free(policy);
	if (!n)
		buf_printf(error, "%s and %s have no addresses of one family\n", q->from, q->to);
	return n;
}

void explanation_free(struct explanation *e)
{
	buf_free(&e->because);
}
