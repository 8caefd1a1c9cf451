/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fwrules/ruleset.h"

#include "fwrules/build.h"
#include "fwrules/natrules.h"
#include "fwrules/services.h"

#include <linux/netfilter.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

enum { PRIORITY_RAW = -300, PRIORITY_DSTNAT = -100, PRIORITY_FILTER = 0, PRIORITY_SRCNAT = 100 };
enum { SMTP_PORT = 25 };
enum {
	MLD_QUERY = 130,
	MLD_REPORT = 131,
	MLD_DONE = 132,
	ND_ROUTER_SOLICIT = 133,
	ND_ROUTER_ADVERT = 134,
	ND_NEIGHBOUR_SOLICIT = 135,
	ND_NEIGHBOUR_ADVERT = 136,
	ND_REDIRECT = 137,
	MLD2_REPORT = 143,
};

/* One source (IPv6: one /64) opening more TCP connections than this from the WAN is a flood: a
 * crowd behind one address stays below it, and a hundred such sources can be borne. */
static const struct rate syn_rate = {500, 1};
enum { SYN_BURST = 1000, SYN_SET_MEMBERS = 65535, SYN_TIMEOUT_S = 60 };

/* Dropped packets that are logged, for each reason. */
static const struct rate log_rate = {5, 1};
enum { LOG_BURST = 10 };

enum reason { SPOOFED, BOGON, SYN_FLOOD, INVALID, NO_SYN, SMTP_OUT, DENIED, REASONS };
static const char *const reason_names[REASONS] = {
	[SPOOFED] = "spoofed", [BOGON] = "bogon",   [SYN_FLOOD] = "syn-flood",
	[INVALID] = "invalid", [NO_SYN] = "no-syn", [SMTP_OUT] = "port-25",
	[DENIED] = "denied",
};

struct compiler {
	const struct policy *p;
	struct ruleset *rs;
	const char *wan, *dmz; /* devices; "" for none */
	size_t drop[REASONS];  /* chains */
	size_t neighbours;     /* chain */
};

/* ---- ends ---- */

static void compile_drops(struct compiler *c)
{
	for (int i = 0; i < REASONS; i++) {
		const char *name = reason_names[i];
		struct step rate = {.kind = STEP_RATE, .rate = log_rate, .burst = LOG_BURST};
		size_t chain = build_chain(c->rs, "drop-%s", name);

		c->drop[i] = chain;
		BUILD_RULE(c->rs, chain, rate,
			   step_log(build_text(c->rs, "gatepost drop %s: ", name)));
		BUILD_RULE(c->rs, chain, step_count(build_counter(c->rs, "drop-%s", name)),
			   step_drop());
	}
}

/* Counts the connection for the server that it goes to. */
static void compile_allow(struct compiler *c, size_t chain)
{
	size_t map[2] = {NO_SET, NO_SET};

	for (size_t i = 0; i < c->p->servers_n; i++) {
		const struct server *server = &c->p->servers[i];
		size_t counter = build_counter(c->rs, "server-%s", server->name);

		for (size_t j = 0; j < server->n; j++) {
			bool six = server->addresses[j].family == AF_INET6;
			if (map[six] == NO_SET)
				map[six] = build_set(c->rs, SET_COUNTERS, six ? KEY_IPV6 : KEY_IPV4,
						     "count%d", six ? 6 : 4);
			struct element *e = build_element(c->rs, map[six]);
			key_put_addr(e->key, 0, &server->addresses[j]);
			e->counter = counter;
		}
	}
	for (size_t i = 0; i < 2; i++)
		if (map[i] != NO_SET)
			BUILD_RULE(c->rs, chain,
				   step_in(STEP_COUNT_DADDR, build_family(i), map[i]));
	BUILD_RULE(c->rs, chain, step_accept());
}

/* ---- prerouting ---- */

/*
 * What neighbours say to each other on a wire, which no router passes on: ND has the hop limit that
 * nothing from elsewhere can have (RFC 4861 §6.1), MLD one that does not survive a router. Their
 * source may be "::", which is routed nowhere.
 */
static void compile_neighbours(struct compiler *c)
{
	static const struct {
		uint8_t type, hop_limit;
	} messages[] = {
		{ND_NEIGHBOUR_SOLICIT, 255},
		{ND_NEIGHBOUR_ADVERT, 255},
		{ND_ROUTER_SOLICIT, 255},
		{ND_ROUTER_ADVERT, 255},
		{MLD_QUERY, 1},
		{MLD_REPORT, 1},
		{MLD_DONE, 1},
		{MLD2_REPORT, 1},
	};

	c->neighbours = build_chain(c->rs, "neighbours");
	for (size_t i = 0; i < sizeof(messages) / sizeof(*messages); i++)
		BUILD_RULE(c->rs, c->neighbours, step_icmp(AF_INET6, messages[i].type),
			   step_number(STEP_HOP_LIMIT, messages[i].hop_limit), step_accept());
}

static size_t syn_set(struct compiler *c, int family)
{
	size_t index = build_set(c->rs, SET_PLAIN, family == AF_INET ? KEY_IPV4 : KEY_IPV6, "syn%d",
				 family_digit(family));
	struct set *set = &c->rs->sets[index];

	set->dynamic = true;
	set->size = SYN_SET_MEMBERS;
	set->timeout_s = SYN_TIMEOUT_S;
	return index;
}

static void compile_prerouting(struct compiler *c, size_t chain)
{
	BUILD_RULE(c->rs, chain, step_iif("lo"), step_accept());
	BUILD_RULE(c->rs, chain, step_number(STEP_PROTO, IPPROTO_ICMPV6), step_jump(c->neighbours));
	BUILD_RULE(c->rs, chain, (struct step){.kind = STEP_NO_WAY_BACK},
		   step_goto(c->drop[SPOOFED]));
	if (!*c->wan)
		return;
	for (size_t i = 0; i < 2; i++) {
		int family = build_family(i);
		size_t set = build_address_set(c->rs, &c->p->bogons, family, "bogons%d",
					       family_digit(family));
		if (set != NO_SET)
			BUILD_RULE(c->rs, chain, step_iif(c->wan),
				   step_in(STEP_SADDR_IN, family, set), step_goto(c->drop[BOGON]));
	}
	for (size_t i = 0; i < 2; i++)
		BUILD_RULE(c->rs, chain, step_iif(c->wan), (struct step){.kind = STEP_SYN},
			   step_over(STEP_OVER_RATE, build_family(i), syn_set(c, build_family(i)),
				     syn_rate, SYN_BURST),
			   step_goto(c->drop[SYN_FLOOD]));
}

/* ---- input, forward ---- */

static void rule_established(struct compiler *c, size_t chain)
{
	BUILD_RULE(c->rs, chain, step_number(STEP_CT_STATE, CT_ESTABLISHED | CT_RELATED),
		   step_accept());
}

/* What is neither established nor fit to begin anything. Without the second rule the next segment
 * of a connection that was cut would begin it again. */
static void rules_unfit(struct compiler *c, size_t chain)
{
	BUILD_RULE(c->rs, chain, step_number(STEP_CT_STATE, CT_INVALID),
		   step_goto(c->drop[INVALID]));
	BUILD_RULE(c->rs, chain, (struct step){.kind = STEP_NOT_SYN}, step_goto(c->drop[NO_SYN]));
}

static void compile_input(struct compiler *c, size_t chain, size_t box)
{
	rule_established(c, chain);
	BUILD_RULE(c->rs, chain, step_iif("lo"), step_accept());
	BUILD_RULE(c->rs, chain, step_number(STEP_PROTO, IPPROTO_ICMPV6), step_jump(c->neighbours));
	rules_unfit(c, chain);
	if (*c->wan)
		BUILD_RULE(c->rs, chain, step_iif(c->wan), step_jump(box));
	if (*c->dmz)
		BUILD_RULE(c->rs, chain, step_iif(c->dmz), step_jump(box));
	BUILD_RULE(c->rs, chain, step_goto(c->drop[DENIED]));
}

/* The box may send what it likes, but not go on with a connection that was cut: its next segment
 * belongs to nothing that conntrack knows. And what it forwards back to where it came from is no
 * mistake of the sender's (IPv4 has a sysctl for that, IPv6 has none). */
static void compile_output(struct compiler *c, size_t chain)
{
	BUILD_RULE(c->rs, chain, step_oif("lo"), step_accept());
	BUILD_RULE(c->rs, chain, step_icmp(AF_INET6, ND_REDIRECT), step_drop());
	BUILD_RULE(c->rs, chain, step_number(STEP_CT_STATE, CT_INVALID),
		   step_goto(c->drop[INVALID]));
}

/* For destinations in r: the verdict. */
static void rules_to(struct compiler *c, size_t chain, const struct ranges *r, const char *name,
		     struct verdict end)
{
	if (ranges_are_any(r)) {
		BUILD_RULE(c->rs, chain, step_verdict(end));
		return;
	}
	for (size_t i = 0; i < 2; i++) {
		int family = build_family(i);
		size_t set =
			build_address_set(c->rs, r, family, "%s%d", name, family_digit(family));
		if (set != NO_SET)
			BUILD_RULE(c->rs, chain, step_in(STEP_DADDR_IN, family, set),
				   step_verdict(end));
	}
}

/* The ports of one protocol that dmz-outbound denies, or NO_SET. */
static size_t denied_ports(struct compiler *c, uint8_t proto)
{
	size_t set = NO_SET;

	for (size_t i = 0; i < c->p->deny_ports_n; i++) {
		const struct port_range *r = &c->p->deny_ports[i];
		if (r->proto != proto)
			continue;
		if (set == NO_SET) {
			set = build_set(c->rs, SET_PLAIN, KEY_PORT, "deny-%s",
					proto == IPPROTO_TCP ? "tcp" : "udp");
			c->rs->sets[set].interval = true;
		}
		struct element *e = build_element(c->rs, set);
		key_put_port(e->key, 0, r->first);
		key_put_port(e->last, 0, r->last);
	}
	return set;
}

static void compile_deny(struct compiler *c, size_t chain)
{
	static const uint8_t protos[] = {IPPROTO_TCP, IPPROTO_UDP};
	struct verdict deny = {VERDICT_GOTO, c->drop[DENIED]};

	if (!c->p->deny_ports_n) {
		rules_to(c, chain, &c->p->deny_to, "deny", deny);
		return;
	}
	/* Ports first; what they match is looked at by destination. */
	size_t to = NO_SET;
	if (!ranges_are_any(&c->p->deny_to)) {
		to = build_chain(c->rs, "outbound-deny");
		rules_to(c, to, &c->p->deny_to, "deny", deny);
	}
	for (size_t i = 0; i < 2; i++) {
		size_t ports = denied_ports(c, protos[i]);
		if (ports != NO_SET)
			BUILD_RULE(c->rs, chain, step_port_in(protos[i], ports),
				   to == NO_SET ? step_verdict(deny) : step_jump(to));
	}
}

static void compile_outbound(struct compiler *c, size_t chain)
{
	BUILD_RULE(c->rs, chain, step_number(STEP_PORT, SMTP_PORT), step_goto(c->drop[SMTP_OUT]));
	if (c->p->deny)
		compile_deny(c, chain);
	rules_to(c, chain, &c->p->outbound, "outbound", (struct verdict){VERDICT_ACCEPT});
}

static void compile_forward(struct compiler *c, size_t chain, size_t services, size_t allow)
{
	if (c->rs->devices_n)
		BUILD_RULE(c->rs, chain, step_number(STEP_CT_STATE, CT_ESTABLISHED),
			   (struct step){.kind = STEP_OFFLOAD});
	rule_established(c, chain);
	rules_unfit(c, chain);
	if (*c->wan && *c->dmz) {
		size_t outbound = build_chain(c->rs, "outbound");
		compile_outbound(c, outbound);
		BUILD_RULE(c->rs, chain, step_iif(c->wan), step_oif(c->dmz), step_jump(services));
		BUILD_RULE(c->rs, chain, step_iif(c->dmz), step_oif(c->wan), step_jump(outbound));
	}
	if (*c->dmz) {
		size_t internal = build_chain(c->rs, "internal");
		rules_to(c, internal, &c->p->internal, "internal",
			 (struct verdict){VERDICT_GOTO, allow});
		BUILD_RULE(c->rs, internal, step_jump(services));
		BUILD_RULE(c->rs, chain, step_iif(c->dmz), step_oif(c->dmz), step_jump(internal));
	}
	BUILD_RULE(c->rs, chain, step_goto(c->drop[DENIED]));
}

/* ---- the whole ---- */

static void base_chain(struct ruleset *rs, const char *name, unsigned hook, int priority, bool drop,
		       size_t to)
{
	size_t index = build_chain(rs, "%s", name);
	struct chain *chain = &rs->chains[index];

	chain->base = true;
	chain->hook = hook;
	chain->priority = priority;
	chain->drop = drop;
	BUILD_RULE(rs, index, step_jump(to));
}

static void compile_nat(struct compiler *c)
{
	size_t to = build_chain(c->rs, "to-inside"), from = build_chain(c->rs, "to-outside");
	static const struct {
		const char *name;
		unsigned hook;
		int priority;
		bool source;
	} bases[] = {
		{"to-inside", NF_INET_PRE_ROUTING, PRIORITY_DSTNAT, false},
		{"to-inside-own", NF_INET_LOCAL_OUT, PRIORITY_DSTNAT, false},
		{"to-outside", NF_INET_POST_ROUTING, PRIORITY_SRCNAT, true},
	};

	natrules_compile(c->p, c->rs, c->wan, c->dmz, to, from);
	for (size_t i = 0; i < sizeof(bases) / sizeof(*bases); i++) {
		base_chain(c->rs, bases[i].name, bases[i].hook, bases[i].priority, false,
			   bases[i].source ? from : to);
		c->rs->chains[c->rs->chains_n - 1].nat = true;
	}
}

static void compile_devices(struct ruleset *rs, const struct policy *p,
			    const struct ruleset_caps *caps)
{
	if (!caps->flowtable || !*p->port[ZONE_WAN].ifname || !*p->port[ZONE_DMZ].ifname)
		return;
	for (size_t i = 0; i < ZONES_WITH_PORT; i++)
		memcpy(rs->devices[rs->devices_n++], p->port[i].ifname, IFNAMSIZ);
}

struct ruleset *ruleset_compile(const struct policy *p, const struct ruleset_caps *caps)
{
	struct ruleset *rs = calloc(1, sizeof(*rs));

	if (!rs)
		abort();
	struct compiler c = {
		.p = p,
		.rs = rs,
		.wan = build_text(rs, "%s", p->port[ZONE_WAN].ifname),
		.dmz = build_text(rs, "%s", p->port[ZONE_DMZ].ifname),
	};
	compile_devices(rs, p, caps);
	compile_drops(&c);
	compile_neighbours(&c);
	size_t allow = build_chain(rs, "allow");
	compile_allow(&c, allow);
	size_t services = build_chain(rs, "services"), box = build_chain(rs, "box");
	services_compile(p, rs, services, allow, box);
	size_t prerouting = build_chain(rs, "prerouting");
	compile_prerouting(&c, prerouting);
	size_t input = build_chain(rs, "input");
	compile_input(&c, input, box);
	size_t forward = build_chain(rs, "forward");
	compile_forward(&c, forward, services, allow);
	size_t output = build_chain(rs, "output");
	compile_output(&c, output);
	if (!nat_is_empty(&p->nat))
		compile_nat(&c);
	base_chain(rs, "prerouting", NF_INET_PRE_ROUTING, PRIORITY_RAW, false, prerouting);
	base_chain(rs, "input", NF_INET_LOCAL_IN, PRIORITY_FILTER, true, input);
	base_chain(rs, "forward", NF_INET_FORWARD, PRIORITY_FILTER, true, forward);
	base_chain(rs, "output", NF_INET_LOCAL_OUT, PRIORITY_FILTER, false, output);
	build_finish(rs);
	return rs;
}
