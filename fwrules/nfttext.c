/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fwrules/nfttext.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/netfilter.h>
#include <netinet/in.h>
#include <string.h>

struct printer {
	const struct ruleset *rs;
	uint32_t generation;
	struct buf *out;
};

/* ---- names ---- */

static void print_chain_name(struct printer *t, size_t index)
{
	const struct chain *chain = &t->rs->chains[index];

	buf_appends(t->out, chain->name);
	if (!chain->base)
		buf_printf(t->out, "-%u", t->generation);
}

static void print_set_name(struct printer *t, size_t index)
{
	const struct set *set = &t->rs->sets[index];

	buf_appends(t->out, set->name);
	if (!set->dynamic)
		buf_printf(t->out, "-%u", t->generation);
}

static const char *proto_name(uint32_t proto)
{
	static const struct {
		uint32_t proto;
		const char *name;
	} names[] = {{IPPROTO_TCP, "tcp"}, {IPPROTO_UDP, "udp"}, {IPPROTO_ICMPV6, "ipv6-icmp"}};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (names[i].proto == proto)
			return names[i].name;
	return "unknown";
}

static const char *icmp_name(int family, uint32_t type)
{
	static const struct {
		int family;
		uint32_t type;
		const char *name;
	} names[] = {
		{AF_INET, 8, "echo-request"},
		{AF_INET6, 128, "echo-request"},
		{AF_INET6, 130, "mld-listener-query"},
		{AF_INET6, 131, "mld-listener-report"},
		{AF_INET6, 132, "mld-listener-done"},
		{AF_INET6, 133, "nd-router-solicit"},
		{AF_INET6, 134, "nd-router-advert"},
		{AF_INET6, 135, "nd-neighbor-solicit"},
		{AF_INET6, 136, "nd-neighbor-advert"},
		{AF_INET6, 137, "nd-redirect"},
		{AF_INET6, 143, "mld2-listener-report"},
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (names[i].family == family && names[i].type == type)
			return names[i].name;
	return "unknown";
}

static const char *unit_name(uint32_t unit_s)
{
	return unit_s == 1 ? "second" : unit_s == 60 ? "minute" : "hour";
}

static const char *ip_word(int family)
{
	return family == AF_INET6 ? "ip6" : "ip";
}

/* ---- elements ---- */

static void print_address(struct printer *t, const uint8_t *key, int family)
{
	char text[INET6_ADDRSTRLEN] = "";

	inet_ntop(family, key, text, sizeof(text));
	buf_appends(t->out, text);
}

/* The prefix length when first..last is one network, else -1. */
static int prefix_length(const uint8_t *first, const uint8_t *last, size_t bytes)
{
	size_t bit = 0;

	while (bit < bytes * 8 && !((first[bit / 8] ^ last[bit / 8]) & (0x80 >> bit % 8)))
		bit++;
	for (size_t i = bit; i < bytes * 8; i++)
		if (first[i / 8] & (0x80 >> i % 8) || !(last[i / 8] & (0x80 >> i % 8)))
			return -1;
	return (int)bit;
}

static void print_addresses(struct printer *t, const struct set *set, const struct element *e)
{
	size_t bytes = key_bytes(set->key);
	int family = bytes == 16 ? AF_INET6 : AF_INET;
	int length = set->interval ? prefix_length(e->key, e->last, bytes) : (int)bytes * 8;

	print_address(t, e->key, family);
	if (length < 0) {
		buf_appendc(t->out, '-');
		print_address(t, e->last, family);
	} else if (length < (int)bytes * 8) {
		buf_printf(t->out, "/%d", length);
	}
}

static void print_ports(struct printer *t, const uint8_t *first, const uint8_t *last, bool interval)
{
	unsigned low = first[0] * 256u + first[1], high = last[0] * 256u + last[1];

	buf_printf(t->out, "%u", low);
	if (interval && high != low)
		buf_printf(t->out, "-%u", high);
}

static void print_key(struct printer *t, const struct set *set, const struct element *e)
{
	size_t at = set->key == KEY_IPV6_SERVICE ? 16 : set->key == KEY_IPV4_SERVICE ? 4 : 0;

	switch (set->key) {
	case KEY_IPV4:
	case KEY_IPV6:
		print_addresses(t, set, e);
		break;
	case KEY_PORT:
		print_ports(t, e->key, e->last, set->interval);
		break;
	case KEY_IPV4_SERVICE:
	case KEY_IPV6_SERVICE:
		print_address(t, e->key, at == 16 ? AF_INET6 : AF_INET);
		buf_appends(t->out, " . ");
		/* fall through */
	case KEY_PROTO_PORT:
		buf_printf(t->out, "%s . ", proto_name(e->key[at]));
		print_ports(t, e->key + at + 4, e->last + at + 4, set->interval);
		break;
	case KEY_IPV4_MARK:
	case KEY_IPV6_MARK:
		break; /* dynamic sets only: no elements of ours */
	}
}

static void print_verdict(struct printer *t, const struct verdict *v)
{
	static const char *const words[] = {
		[VERDICT_ACCEPT] = "accept", [VERDICT_DROP] = "drop",  [VERDICT_RETURN] = "return",
		[VERDICT_JUMP] = "jump ",    [VERDICT_GOTO] = "goto ",
	};

	buf_appends(t->out, words[v->kind]);
	if (v->kind == VERDICT_JUMP || v->kind == VERDICT_GOTO)
		print_chain_name(t, v->chain);
}

static void print_element(struct printer *t, const struct set *set, const struct element *e)
{
	print_key(t, set, e);
	if (set->kind == SET_VERDICTS) {
		buf_appends(t->out, " : ");
		print_verdict(t, &e->verdict);
	} else if (set->kind == SET_COUNTERS) {
		buf_printf(t->out, " : \"%s\"", t->rs->counters[e->counter]);
	} else if (data_bytes(set)) {
		size_t bytes = data_bytes(set) >= 16 ? 16 : 4;
		buf_appends(t->out, " : ");
		print_address(t, e->last, bytes == 16 ? AF_INET6 : AF_INET);
		if (set->kind == SET_SERVICES) {
			buf_appends(t->out, " . ");
			print_ports(t, e->last + bytes, e->last + bytes, false);
		}
	}
}

static void print_timeout(struct printer *t, uint32_t seconds)
{
	buf_appends(t->out, "\t\ttimeout ");
	if (seconds >= 3600)
		buf_printf(t->out, "%uh", seconds / 3600);
	if (seconds % 3600 >= 60)
		buf_printf(t->out, "%um", seconds % 3600 / 60);
	if (seconds % 60)
		buf_printf(t->out, "%us", seconds % 60);
	buf_appendc(t->out, '\n');
}

static void print_set(struct printer *t, size_t index)
{
	static const char *const keys[] = {
		[KEY_IPV4] = "ipv4_addr",
		[KEY_IPV6] = "ipv6_addr",
		[KEY_PORT] = "inet_service",
		[KEY_PROTO_PORT] = "inet_proto . inet_service",
		[KEY_IPV4_SERVICE] = "ipv4_addr . inet_proto . inet_service",
		[KEY_IPV6_SERVICE] = "ipv6_addr . inet_proto . inet_service",
		[KEY_IPV4_MARK] = "ipv4_addr . mark",
		[KEY_IPV6_MARK] = "ipv6_addr . mark",
	};
	const struct set *set = &t->rs->sets[index];
	bool six = set->key == KEY_IPV6 || set->key == KEY_IPV6_SERVICE;
	const char *const values[] = {
		[SET_PLAIN] = "",
		[SET_VERDICTS] = " : verdict",
		[SET_COUNTERS] = " : counter",
		[SET_ADDRESSES] = six ? " : ipv6_addr" : " : ipv4_addr",
		[SET_SERVICES] =
			six ? " : ipv6_addr . inet_service" : " : ipv4_addr . inet_service",
	};

	buf_printf(t->out, "\n\t%s ", set->kind == SET_PLAIN ? "set" : "map");
	print_set_name(t, index);
	buf_printf(t->out, " {\n\t\ttype %s%s\n", keys[set->key], values[set->kind]);
	if (set->size)
		buf_printf(t->out, "\t\tsize %u\n", set->size);
	if (set->interval || set->dynamic)
		buf_printf(t->out, "\t\tflags %s\n",
			   set->interval ? "interval" : "dynamic,timeout");
	if (set->dynamic)
		print_timeout(t, set->timeout_s);
	for (size_t i = 0; i < set->n; i++) {
		buf_appends(t->out, i ? "\t\t\t     " : "\t\telements = { ");
		print_element(t, set, &set->elements[i]);
		buf_appends(t->out, i + 1 < set->n ? ",\n" : " }\n");
	}
	buf_appends(t->out, "\t}\n");
}

/* ---- rules ---- */

static void print_ct_state(struct printer *t, uint32_t bits)
{
	static const struct {
		uint32_t bit;
		const char *name;
	} states[] = {{CT_ESTABLISHED, "established"},
		      {CT_RELATED, "related"},
		      {CT_INVALID, "invalid"},
		      {CT_NEW, "new"}};
	const char *between = "ct state ";

	for (size_t i = 0; i < sizeof(states) / sizeof(*states); i++) {
		if (!(bits & states[i].bit))
			continue;
		buf_printf(t->out, "%s%s", between, states[i].name);
		between = ",";
	}
}

static void print_over_rate(struct printer *t, const struct step *s)
{
	buf_appends(t->out, "update @");
	print_set_name(t, s->index);
	buf_printf(t->out, " { %s saddr%s%s limit rate over %u/%s burst %u packets }",
		   ip_word(s->family), s->family == AF_INET6 ? " & ffff:ffff:ffff:ffff::" : "",
		   s->kind == STEP_OVER_RATE_MARK ? " . meta mark" : "", s->rate.count,
		   unit_name(s->rate.unit_s), s->burst);
}

/* "ip daddr map @count4-1": words, then the set. */
static void print_with_set(struct printer *t, const char *fmt, const struct step *s)
	__attribute__((format(printf, 2, 0)));
static void print_with_set(struct printer *t, const char *fmt, const struct step *s)
{
	buf_printf(t->out, fmt, ip_word(s->family));
	print_set_name(t, s->index);
}

/* "dnat ip to " and what follows. */
static void print_nat(struct printer *t, const struct step *s)
{
	const char *ip = ip_word(s->family), *verb = s->of_source ? "snat" : "dnat";

	switch (s->kind) {
	case STEP_NAT_SERVICE:
		buf_printf(t->out, "%s %s to %s daddr . meta l4proto . th dport map @", verb, ip,
			   ip);
		print_set_name(t, s->index);
		break;
	case STEP_NAT_MAP:
		buf_printf(t->out, "%s %s to %s %s map @", verb, ip, ip,
			   s->of_source ? "saddr" : "daddr");
		print_set_name(t, s->index);
		break;
	case STEP_NAT_PREFIX:
		buf_printf(t->out, "%s %s prefix to ", verb, ip);
		print_address(t, s->to.addr.bytes, s->family);
		buf_printf(t->out, "/%u", s->to.len);
		break;
	default: {
		bool brackets = s->number && s->family == AF_INET6;
		buf_printf(t->out, "%s %s to %s", verb, ip, brackets ? "[" : "");
		print_address(t, s->to.addr.bytes, s->family);
		buf_appends(t->out, brackets ? "]" : "");
		if (s->number)
			buf_printf(t->out, ":%u", s->number);
	}
	}
}

static void print_step(struct printer *t, const struct step *s)
{
	switch (s->kind) {
	case STEP_IIF:
		buf_printf(t->out, "iifname \"%s\"", s->name);
		break;
	case STEP_OIF:
		buf_printf(t->out, "oifname \"%s\"", s->name);
		break;
	case STEP_ETHER:
		buf_printf(t->out, "meta protocol %s", s->number == ETH_P_ARP ? "arp" : "unknown");
		break;
	case STEP_PROTO:
		buf_printf(t->out, "meta l4proto %s", proto_name(s->number));
		break;
	case STEP_CT_STATE:
		print_ct_state(t, s->number);
		break;
	case STEP_SYN:
		buf_appends(t->out, "tcp flags syn / fin,syn,rst,ack");
		break;
	case STEP_NOT_SYN:
		buf_appends(t->out, "tcp flags != syn / fin,syn,rst,ack");
		break;
	case STEP_SADDR_IN:
		print_with_set(t, "%s saddr @", s);
		break;
	case STEP_DADDR_IN:
		print_with_set(t, "%s daddr @", s);
		break;
	case STEP_ICMP_TYPE:
		buf_printf(t->out, "%s type %s", s->family == AF_INET6 ? "icmpv6" : "icmp",
			   icmp_name(s->family, s->number));
		break;
	case STEP_HOP_LIMIT:
		buf_printf(t->out, "ip6 hoplimit %u", s->number);
		break;
	case STEP_PORT:
		buf_printf(t->out, "tcp dport %u", s->number);
		break;
	case STEP_PORT_IN:
		buf_printf(t->out, "%s dport @", proto_name(s->number));
		print_set_name(t, s->index);
		break;
	case STEP_NO_WAY_BACK:
		buf_appends(t->out, "fib saddr . iif oif missing");
		break;
	case STEP_RATE:
		buf_printf(t->out, "limit rate %u/%s burst %u packets", s->rate.count,
			   unit_name(s->rate.unit_s), s->burst);
		break;
	case STEP_OVER_RATE:
	case STEP_OVER_RATE_MARK:
		print_over_rate(t, s);
		break;
	case STEP_SET_MARK:
		buf_printf(t->out, "meta mark set 0x%08x", s->number);
		break;
	case STEP_COUNT:
		buf_printf(t->out, "counter name \"%s\"", t->rs->counters[s->index]);
		break;
	case STEP_COUNT_DADDR:
		print_with_set(t, "counter name %s daddr map @", s);
		break;
	case STEP_LOG:
		buf_printf(t->out, "log prefix \"%s\" level debug", s->name);
		break;
	case STEP_OFFLOAD:
		buf_appends(t->out, "flow add @" RULESET_FLOWTABLE);
		break;
	case STEP_LOOKUP_SERVICE:
		print_with_set(t, "%s daddr . meta l4proto . th dport vmap @", s);
		break;
	case STEP_LOOKUP_PORT:
		buf_appends(t->out, "meta l4proto . th dport vmap @");
		print_set_name(t, s->index);
		break;
	case STEP_LOOKUP_DADDR:
		print_with_set(t, "%s daddr vmap @", s);
		break;
	case STEP_CT_DNAT:
		buf_appends(t->out, "ct status dnat");
		break;
	case STEP_NAT_SERVICE:
	case STEP_NAT_MAP:
	case STEP_NAT_PREFIX:
	case STEP_NAT_ADDRESS:
		print_nat(t, s);
		break;
	case STEP_VERDICT:
		print_verdict(t, &s->verdict);
		break;
	}
}

static void print_hook(struct printer *t, const struct chain *chain)
{
	static const char *const hooks[] = {
		[NF_INET_PRE_ROUTING] = "prerouting",   [NF_INET_LOCAL_IN] = "input",
		[NF_INET_FORWARD] = "forward",          [NF_INET_LOCAL_OUT] = "output",
		[NF_INET_POST_ROUTING] = "postrouting",
	};
	const char *priority = chain->hook == NF_INET_LOCAL_OUT ? "-100" /* has no name there */
			       : chain->hook == NF_INET_POST_ROUTING ? "srcnat"
								     : "dstnat";

	if (t->rs->family == NFPROTO_BRIDGE)
		priority = chain->priority ? "-300" : "0"; /* other names there */
	else if (!chain->nat)
		priority = chain->priority ? "raw" : "filter";
	buf_printf(t->out, "\t\ttype %s hook %s priority %s; policy %s;\n",
		   chain->nat ? "nat" : "filter", hooks[chain->hook], priority,
		   chain->drop ? "drop" : "accept");
}

static void print_chain(struct printer *t, size_t index)
{
	const struct chain *chain = &t->rs->chains[index];

	buf_appends(t->out, "\n\tchain ");
	print_chain_name(t, index);
	buf_appends(t->out, " {\n");
	if (chain->base)
		print_hook(t, chain);
	for (size_t i = 0; i < chain->n; i++) {
		for (size_t j = 0; j < chain->rules[i].n; j++) {
			buf_appendc(t->out, j ? ' ' : '\t');
			if (!j)
				buf_appendc(t->out, '\t');
			print_step(t, &chain->rules[i].steps[j]);
		}
		buf_appendc(t->out, '\n');
	}
	buf_appends(t->out, "\t}\n");
}

/* ---- the whole ---- */

static void print_table(const struct ruleset *rs, uint32_t generation, struct buf *out)
{
	struct printer t = {.rs = rs, .generation = generation, .out = out};

	buf_printf(out, "table %s " RULESET_TABLE " {\n",
		   rs->family == NFPROTO_BRIDGE ? "bridge" : "inet");
	for (size_t i = 0; i < rs->counters_n; i++)
		buf_printf(out, "%s\tcounter %s {\n\t}\n", i ? "\n" : "", rs->counters[i]);
	for (size_t i = 0; i < rs->sets_n; i++)
		print_set(&t, i);
	if (rs->devices_n) {
		buf_appends(out, "\n\tflowtable " RULESET_FLOWTABLE " {\n"
				 "\t\thook ingress priority filter\n\t\tdevices = { ");
		for (size_t i = 0; i < rs->devices_n; i++)
			buf_printf(out, "%s%s", i ? ", " : "", rs->devices[i]);
		buf_appends(out, " }\n\t\tcounter\n\t}\n");
	}
	for (size_t i = 0; i < rs->chains_n; i++)
		print_chain(&t, i);
	buf_appends(out, "}\n");
}

void nfttext_print(const struct ruleset *rs, uint32_t generation, struct buf *out)
{
	print_table(rs, generation, out);
	if (!rs->bridge)
		return;
	buf_appendc(out, '\n');
	print_table(rs->bridge, generation, out);
}
