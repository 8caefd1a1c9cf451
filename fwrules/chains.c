/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fwrules/chains.h"

#include <linux/netfilter.h>
#include <netinet/in.h>

enum { SMTP_PORT = 25 };
enum {
	MLD_QUERY = 130,
	MLD_REPORT = 131,
	MLD_DONE = 132,
	ND_ROUTER_SOLICIT = 133,
	ND_ROUTER_ADVERT = 134,
	ND_NEIGHBOUR_SOLICIT = 135,
	ND_NEIGHBOUR_ADVERT = 136,
	MLD2_REPORT = 143,
};

/* One source (IPv6: one /64) opening more TCP connections than this from the WAN is a flood: a
 * crowd behind one address stays below it, and a hundred such sources can be borne. */
static const struct rate syn_rate = {500, 1};
enum { SYN_BURST = 1000, SYN_SET_MEMBERS = 65535, SYN_TIMEOUT_S = 60 };

/* Dropped packets that are logged, for each reason. */
static const struct rate log_rate = {5, 1};
enum { LOG_BURST = 10 };

static const char *const reason_names[REASONS] = {
	[SPOOFED] = "spoofed", [BOGON] = "bogon",   [SYN_FLOOD] = "syn-flood",
	[INVALID] = "invalid", [NO_SYN] = "no-syn", [SMTP_OUT] = "port-25",
	[DENIED] = "denied",
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

void chains_allow(struct compiler *c, size_t chain)
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

void chains_begin(struct compiler *c)
{
	compile_drops(c);
	compile_neighbours(c);
}

/* ---- guard ---- */

void chains_guard(struct compiler *c, size_t chain)
{
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

/* ---- beginnings ---- */

void chains_established(struct compiler *c, size_t chain)
{
	BUILD_RULE(c->rs, chain, step_number(STEP_CT_STATE, CT_ESTABLISHED | CT_RELATED),
		   step_accept());
}

/* What is neither established nor fit to begin anything. Without the second rule the next segment
 * of a connection that was cut would begin it again. */
void chains_unfit(struct compiler *c, size_t chain)
{
	BUILD_RULE(c->rs, chain, step_number(STEP_CT_STATE, CT_INVALID),
		   step_goto(c->drop[INVALID]));
	BUILD_RULE(c->rs, chain, (struct step){.kind = STEP_NOT_SYN}, step_goto(c->drop[NO_SYN]));
}

void chains_to(struct compiler *c, size_t chain, const struct ranges *r, const char *name,
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
		chains_to(c, chain, &c->p->deny_to, "deny", deny);
		return;
	}
	/* Ports first; what they match is looked at by destination. */
	size_t to = NO_SET;
	if (!ranges_are_any(&c->p->deny_to)) {
		to = build_chain(c->rs, "outbound-deny");
		chains_to(c, to, &c->p->deny_to, "deny", deny);
	}
	for (size_t i = 0; i < 2; i++) {
		size_t ports = denied_ports(c, protos[i]);
		if (ports != NO_SET)
			BUILD_RULE(c->rs, chain, step_port_in(protos[i], ports),
				   to == NO_SET ? step_verdict(deny) : step_jump(to));
	}
}

void chains_outbound(struct compiler *c, size_t chain)
{
	BUILD_RULE(c->rs, chain, step_number(STEP_PORT, SMTP_PORT), step_goto(c->drop[SMTP_OUT]));
	if (c->p->deny)
		compile_deny(c, chain);
	chains_to(c, chain, &c->p->outbound, "outbound", (struct verdict){VERDICT_ACCEPT});
}

void chains_base(struct ruleset *rs, const char *name, unsigned hook, int priority, bool drop,
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
