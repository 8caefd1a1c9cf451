/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fwrules/expr.h"

#include "fwrules/array.h"
#include "fwrules/build.h"

#include <libnftnl/expr.h>
#include <linux/if_ether.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

/* Offsets in headers, bytes. */
enum {
	IPV4_SADDR = 12,
	IPV4_DADDR = 16,
	IPV6_HOP_LIMIT = 7,
	IPV6_SADDR = 8,
	IPV6_DADDR = 24,
	TCP_FLAGS = 13,
	TRANSPORT_DPORT = 2,
	ICMP_TYPE = 0,
};
enum { TH_SYN_FLAG = 0x02, TH_FIN_SYN_RST_ACK = 0x17 };
enum { LOG_LEVEL_KERNEL_DEBUG = 7 }; /* kept off the consoles */

/* ---- names ---- */

static char *name_of(const char *name, bool stands, uint32_t generation)
{
	struct buf b = BUF_INIT;

	if (stands)
		buf_appends(&b, name);
	else
		buf_printf(&b, "%s-%u", name, generation);
	return buf_steal(&b);
}

struct names names_of(const struct ruleset *rs, uint32_t generation)
{
	struct names n = {.chains = calloc(rs->chains_n + 1, sizeof(*n.chains)),
			  .sets = calloc(rs->sets_n + 1, sizeof(*n.sets)),
			  .chains_n = rs->chains_n,
			  .sets_n = rs->sets_n};

	if (!n.chains || !n.sets)
		abort();
	for (size_t i = 0; i < rs->chains_n; i++)
		n.chains[i] = name_of(rs->chains[i].name, rs->chains[i].base, generation);
	for (size_t i = 0; i < rs->sets_n; i++)
		n.sets[i] = name_of(rs->sets[i].name, rs->sets[i].dynamic, generation);
	return n;
}

void names_free(struct names *names)
{
	for (size_t i = 0; i < names->chains_n; i++)
		free(names->chains[i]);
	for (size_t i = 0; i < names->sets_n; i++)
		free(names->sets[i]);
	free(names->chains);
	free(names->sets);
	*names = (struct names){0};
}

uint32_t set_id(const struct ruleset *rs, size_t set)
{
	return (uint32_t)set + 1 + (rs->family == NFPROTO_BRIDGE ? 1u << 24 : 0);
}

int32_t expr_verdict(enum verdict_kind kind)
{
	static const int32_t codes[] = {
		[VERDICT_ACCEPT] = NF_ACCEPT,  [VERDICT_DROP] = NF_DROP,
		[VERDICT_RETURN] = NFT_RETURN, [VERDICT_JUMP] = NFT_JUMP,
		[VERDICT_GOTO] = NFT_GOTO,
	};

	return codes[kind];
}

/* ---- expressions ---- */

struct maker {
	const struct ruleset *rs;
	const struct names *names;
	struct nftnl_rule *rule;
	int family; /* that the rule has made sure of; AF_UNSPEC: none yet */
	int proto;
};

static struct nftnl_expr *expr(struct maker *m, const char *name)
{
	struct nftnl_expr *e = nftnl_expr_alloc(name);

	if (!e)
		abort();
	nftnl_rule_add_expr(m->rule, e);
	return e;
}

/* The register of a 4-byte slot. */
static uint32_t slot(unsigned n)
{
	return n % 4 ? NFT_REG32_00 + n : NFT_REG_1 + n / 4;
}

static void load_meta(struct maker *m, uint32_t key, uint32_t reg)
{
	struct nftnl_expr *e = expr(m, "meta");

	nftnl_expr_set_u32(e, NFTNL_EXPR_META_KEY, key);
	nftnl_expr_set_u32(e, NFTNL_EXPR_META_DREG, reg);
}

static void load_payload(struct maker *m, uint32_t base, uint32_t offset, uint32_t len,
			 uint32_t reg)
{
	struct nftnl_expr *e = expr(m, "payload");

	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_BASE, base);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_LEN, len);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_DREG, reg);
}

/* Compares register 1. */
static void compare(struct maker *m, uint32_t op, const void *data, uint32_t len)
{
	struct nftnl_expr *e = expr(m, "cmp");

	nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_SREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_OP, op);
	nftnl_expr_set(e, NFTNL_EXPR_CMP_DATA, data, len);
}

static void compare_byte(struct maker *m, uint32_t op, uint8_t value)
{
	compare(m, op, &value, sizeof(value));
}

/* Register 1 and mask. */
static void mask(struct maker *m, const void *bits, uint32_t len)
{
	static const uint8_t zero[16];
	struct nftnl_expr *e = expr(m, "bitwise");

	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_SREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_DREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_OP, NFT_BITWISE_BOOL);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_LEN, len);
	nftnl_expr_set(e, NFTNL_EXPR_BITWISE_MASK, bits, len);
	nftnl_expr_set(e, NFTNL_EXPR_BITWISE_XOR, zero, len);
}

static void ether(struct maker *m, uint32_t protocol)
{
	uint8_t type[2] = {(uint8_t)(protocol >> 8), (uint8_t)protocol};

	load_meta(m, NFT_META_PROTOCOL, NFT_REG_1);
	compare(m, NFT_CMP_EQ, type, sizeof(type));
}

/* Without this an IPv6 packet's bytes could match as an IPv4 header's. */
static void need_family(struct maker *m, int family)
{
	if (m->family == family)
		return;
	if (m->rs->family == NFPROTO_BRIDGE) {
		ether(m, family == AF_INET6 ? ETH_P_IPV6 : ETH_P_IP);
	} else {
		load_meta(m, NFT_META_NFPROTO, NFT_REG_1);
		compare_byte(m, NFT_CMP_EQ, family == AF_INET6 ? NFPROTO_IPV6 : NFPROTO_IPV4);
	}
	m->family = family;
}

static void need_proto(struct maker *m, int proto)
{
	if (m->proto == proto)
		return;
	load_meta(m, NFT_META_L4PROTO, NFT_REG_1);
	compare_byte(m, NFT_CMP_EQ, (uint8_t)proto);
	m->proto = proto;
}

/* Into slot 0. Returns the first slot behind it. */
static unsigned load_address(struct maker *m, int family, bool source)
{
	need_family(m, family);
	if (family == AF_INET6) {
		load_payload(m, NFT_PAYLOAD_NETWORK_HEADER, source ? IPV6_SADDR : IPV6_DADDR, 16,
			     NFT_REG_1);
		return 4;
	}
	load_payload(m, NFT_PAYLOAD_NETWORK_HEADER, source ? IPV4_SADDR : IPV4_DADDR, 4, NFT_REG_1);
	return 1;
}

/* Looks slot 0 up in a set. */
static struct nftnl_expr *lookup(struct maker *m, size_t set)
{
	struct nftnl_expr *e = expr(m, "lookup");

	nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_SREG, NFT_REG_1);
	nftnl_expr_set_str(e, NFTNL_EXPR_LOOKUP_SET, m->names->sets[set]);
	nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_SET_ID, set_id(m->rs, set));
	nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_FLAGS, 0); /* said by the kernel too */
	return e;
}

/* In a map: what it leads to goes into dreg. */
static void lookup_into(struct maker *m, size_t map, uint32_t dreg)
{
	nftnl_expr_set_u32(lookup(m, map), NFTNL_EXPR_LOOKUP_DREG, dreg);
}

static void load_proto_port(struct maker *m, unsigned at)
{
	load_meta(m, NFT_META_L4PROTO, slot(at));
	load_payload(m, NFT_PAYLOAD_TRANSPORT_HEADER, TRANSPORT_DPORT, 2, slot(at + 1));
}

static void device(struct maker *m, uint32_t key, const char *name)
{
	char padded[IFNAMSIZ] = "";

	strncpy(padded, name, sizeof(padded) - 1);
	load_meta(m, key, NFT_REG_1);
	compare(m, NFT_CMP_EQ, padded, sizeof(padded));
}

/* Any of the bits of conntrack's key is set. */
static void ct_bits(struct maker *m, uint32_t key, uint32_t bits)
{
	struct nftnl_expr *e = expr(m, "ct");
	uint32_t none = 0;

	nftnl_expr_set_u32(e, NFTNL_EXPR_CT_KEY, key);
	nftnl_expr_set_u32(e, NFTNL_EXPR_CT_DREG, NFT_REG_1);
	mask(m, &bits, sizeof(bits));
	compare(m, NFT_CMP_NEQ, &none, sizeof(none));
}

static void tcp_flags(struct maker *m, uint32_t op)
{
	uint8_t bits = TH_FIN_SYN_RST_ACK;

	need_proto(m, IPPROTO_TCP);
	load_payload(m, NFT_PAYLOAD_TRANSPORT_HEADER, TCP_FLAGS, 1, NFT_REG_1);
	mask(m, &bits, sizeof(bits));
	compare_byte(m, op, TH_SYN_FLAG);
}

static void icmp_type(struct maker *m, int family, uint32_t type)
{
	need_family(m, family);
	need_proto(m, family == AF_INET6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
	load_payload(m, NFT_PAYLOAD_TRANSPORT_HEADER, ICMP_TYPE, 1, NFT_REG_1);
	compare_byte(m, NFT_CMP_EQ, (uint8_t)type);
}

static void hop_limit(struct maker *m, uint32_t limit)
{
	need_family(m, AF_INET6);
	load_payload(m, NFT_PAYLOAD_NETWORK_HEADER, IPV6_HOP_LIMIT, 1, NFT_REG_1);
	compare_byte(m, NFT_CMP_EQ, (uint8_t)limit);
}

static void destination_port(struct maker *m, int proto)
{
	need_proto(m, proto);
	load_payload(m, NFT_PAYLOAD_TRANSPORT_HEADER, TRANSPORT_DPORT, 2, NFT_REG_1);
}

static void no_way_back(struct maker *m)
{
	struct nftnl_expr *e = expr(m, "fib");
	uint32_t missing = 0;

	nftnl_expr_set_u32(e, NFTNL_EXPR_FIB_RESULT, NFT_FIB_RESULT_OIF);
	nftnl_expr_set_u32(e, NFTNL_EXPR_FIB_FLAGS,
			   NFTA_FIB_F_SADDR | NFTA_FIB_F_IIF | NFTA_FIB_F_PRESENT);
	nftnl_expr_set_u32(e, NFTNL_EXPR_FIB_DREG, NFT_REG_1);
	compare(m, NFT_CMP_EQ, &missing, sizeof(missing));
}

static void set_limit(struct nftnl_expr *e, const struct step *s, uint32_t flags)
{
	nftnl_expr_set_u64(e, NFTNL_EXPR_LIMIT_RATE, s->rate.count);
	nftnl_expr_set_u64(e, NFTNL_EXPR_LIMIT_UNIT, s->rate.unit_s);
	nftnl_expr_set_u32(e, NFTNL_EXPR_LIMIT_BURST, s->burst);
	nftnl_expr_set_u32(e, NFTNL_EXPR_LIMIT_TYPE, NFT_LIMIT_PKTS);
	nftnl_expr_set_u32(e, NFTNL_EXPR_LIMIT_FLAGS, flags);
}

static void over_rate(struct maker *m, const struct step *s)
{
	static const uint8_t net64[16] = {255, 255, 255, 255, 255, 255, 255, 255};
	unsigned behind = load_address(m, s->family, true);

	if (s->family == AF_INET6)
		mask(m, net64, sizeof(net64));
	if (s->kind == STEP_OVER_RATE_MARK)
		load_meta(m, NFT_META_MARK, slot(behind));
	struct nftnl_expr *e = expr(m, "dynset"), *limit = nftnl_expr_alloc("limit");
	if (!limit)
		abort();
	set_limit(limit, s, NFT_LIMIT_F_INV);
	nftnl_expr_set_u32(e, NFTNL_EXPR_DYNSET_OP, NFT_DYNSET_OP_UPDATE);
	nftnl_expr_set_u32(e, NFTNL_EXPR_DYNSET_SREG_KEY, NFT_REG_1);
	nftnl_expr_set_str(e, NFTNL_EXPR_DYNSET_SET_NAME, m->names->sets[s->index]);
	nftnl_expr_set_u32(e, NFTNL_EXPR_DYNSET_SET_ID, set_id(m->rs, s->index));
	nftnl_expr_set_u64(e, NFTNL_EXPR_DYNSET_TIMEOUT,
			   0); /* the set's own; said by the kernel too */
	nftnl_expr_set(e, NFTNL_EXPR_DYNSET_EXPR, limit, 0);
}

static void set_mark(struct maker *m, uint32_t mark)
{
	struct nftnl_expr *value = expr(m, "immediate"), *e = expr(m, "meta");

	nftnl_expr_set_u32(value, NFTNL_EXPR_IMM_DREG, NFT_REG_1);
	nftnl_expr_set(value, NFTNL_EXPR_IMM_DATA, &mark, sizeof(mark));
	nftnl_expr_set_u32(e, NFTNL_EXPR_META_KEY, NFT_META_MARK);
	nftnl_expr_set_u32(e, NFTNL_EXPR_META_SREG, NFT_REG_1);
}

static void count(struct maker *m, const char *counter)
{
	struct nftnl_expr *e = expr(m, "objref");

	nftnl_expr_set_u32(e, NFTNL_EXPR_OBJREF_IMM_TYPE, NFT_OBJECT_COUNTER);
	nftnl_expr_set_str(e, NFTNL_EXPR_OBJREF_IMM_NAME, counter);
}

static void count_daddr(struct maker *m, const struct step *s)
{
	load_address(m, s->family, false);
	struct nftnl_expr *e = expr(m, "objref");
	nftnl_expr_set_u32(e, NFTNL_EXPR_OBJREF_SET_SREG, NFT_REG_1);
	nftnl_expr_set_str(e, NFTNL_EXPR_OBJREF_SET_NAME, m->names->sets[s->index]);
	nftnl_expr_set_u32(e, NFTNL_EXPR_OBJREF_SET_ID, set_id(m->rs, s->index));
}

static void log_line_of(struct maker *m, const char *prefix)
{
	struct nftnl_expr *e = expr(m, "log");

	nftnl_expr_set_str(e, NFTNL_EXPR_LOG_PREFIX, prefix);
	nftnl_expr_set_u32(e, NFTNL_EXPR_LOG_LEVEL, LOG_LEVEL_KERNEL_DEBUG);
}

/* ---- addresses that change ---- */

static void load_value(struct maker *m, const void *value, uint32_t len, uint32_t reg)
{
	struct nftnl_expr *e = expr(m, "immediate");

	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, reg);
	nftnl_expr_set(e, NFTNL_EXPR_IMM_DATA, value, len);
}

/* The kernel itself leaves packets of the other family alone. From an address in reg 1 to that in
 * last, and, where port is not 0, the port in that register. The kernel tells of the last ones and
 * of the flags whether it was told of them or not. */
static void nat(struct maker *m, const struct step *s, uint32_t last, uint32_t port, uint32_t flags)
{
	struct nftnl_expr *e = expr(m, "nat");

	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_TYPE, s->of_source ? NFT_NAT_SNAT : NFT_NAT_DNAT);
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_FAMILY,
			   s->family == AF_INET6 ? NFPROTO_IPV6 : NFPROTO_IPV4);
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_REG_ADDR_MIN, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_REG_ADDR_MAX, last);
	flags |= NF_NAT_RANGE_MAP_IPS;
	if (port) {
		nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_REG_PROTO_MIN, port);
		nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_REG_PROTO_MAX, port);
		flags |= NF_NAT_RANGE_PROTO_SPECIFIED;
	}
	nftnl_expr_set_u32(e, NFTNL_EXPR_NAT_FLAGS, flags);
}

static void nat_service(struct maker *m, const struct step *s)
{
	unsigned behind = load_address(m, s->family, s->of_source);

	load_proto_port(m, behind);
	lookup_into(m, s->index, NFT_REG_1);
	nat(m, s, NFT_REG_1, slot(behind), 0);
}

static void nat_map(struct maker *m, const struct step *s)
{
	load_address(m, s->family, s->of_source);
	lookup_into(m, s->index, NFT_REG_1);
	nat(m, s, NFT_REG_1, 0, 0);
}

static void nat_prefix(struct maker *m, const struct step *s)
{
	struct addr last = prefix_last(&s->to);

	load_value(m, s->to.addr.bytes, (uint32_t)addr_size(&s->to.addr), NFT_REG_1);
	load_value(m, last.bytes, (uint32_t)addr_size(&last), NFT_REG_2);
	nat(m, s, NFT_REG_2, 0, NF_NAT_RANGE_NETMAP);
}

static void nat_address(struct maker *m, const struct step *s)
{
	uint8_t port[2] = {(uint8_t)(s->number >> 8), (uint8_t)s->number};

	load_value(m, s->to.addr.bytes, (uint32_t)addr_size(&s->to.addr), NFT_REG_1);
	if (s->number)
		load_value(m, port, sizeof(port), NFT_REG_2);
	nat(m, s, NFT_REG_1, s->number ? NFT_REG_2 : 0, 0);
}

static void end(struct maker *m, const struct verdict *v)
{
	struct nftnl_expr *e = expr(m, "immediate");

	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_VERDICT, (uint32_t)expr_verdict(v->kind));
	if (v->kind == VERDICT_JUMP || v->kind == VERDICT_GOTO)
		nftnl_expr_set_str(e, NFTNL_EXPR_IMM_CHAIN, m->names->chains[v->chain]);
}

static void add_step(struct maker *m, const struct step *s)
{
	switch (s->kind) {
	case STEP_IIF:
		device(m, NFT_META_IIFNAME, s->name);
		break;
	case STEP_OIF:
		device(m, NFT_META_OIFNAME, s->name);
		break;
	case STEP_ETHER:
		ether(m, s->number);
		break;
	case STEP_PROTO:
		need_proto(m, (int)s->number);
		break;
	case STEP_CT_STATE:
		ct_bits(m, NFT_CT_STATE, s->number);
		break;
	case STEP_SYN:
		tcp_flags(m, NFT_CMP_EQ);
		break;
	case STEP_NOT_SYN:
		tcp_flags(m, NFT_CMP_NEQ);
		break;
	case STEP_SADDR_IN:
	case STEP_DADDR_IN:
		load_address(m, s->family, s->kind == STEP_SADDR_IN);
		lookup(m, s->index);
		break;
	case STEP_ICMP_TYPE:
		icmp_type(m, s->family, s->number);
		break;
	case STEP_HOP_LIMIT:
		hop_limit(m, s->number);
		break;
	case STEP_PORT: {
		uint8_t port[2] = {(uint8_t)(s->number >> 8), (uint8_t)s->number};
		destination_port(m, IPPROTO_TCP);
		compare(m, NFT_CMP_EQ, port, sizeof(port));
		break;
	}
	case STEP_PORT_IN:
		destination_port(m, (int)s->number);
		lookup(m, s->index);
		break;
	case STEP_NO_WAY_BACK:
		no_way_back(m);
		break;
	case STEP_RATE:
		set_limit(expr(m, "limit"), s, 0);
		break;
	case STEP_OVER_RATE:
	case STEP_OVER_RATE_MARK:
		over_rate(m, s);
		break;
	case STEP_SET_MARK:
		set_mark(m, s->number);
		break;
	case STEP_COUNT:
		count(m, m->rs->counters[s->index]);
		break;
	case STEP_COUNT_DADDR:
		count_daddr(m, s);
		break;
	case STEP_LOG:
		log_line_of(m, s->name);
		break;
	case STEP_OFFLOAD:
		nftnl_expr_set_str(expr(m, "flow_offload"), NFTNL_EXPR_FLOW_TABLE_NAME,
				   RULESET_FLOWTABLE);
		break;
	case STEP_LOOKUP_SERVICE:
		load_proto_port(m, load_address(m, s->family, false));
		lookup_into(m, s->index, NFT_REG_VERDICT);
		break;
	case STEP_LOOKUP_PORT:
		load_proto_port(m, 0);
		lookup_into(m, s->index, NFT_REG_VERDICT);
		break;
	case STEP_LOOKUP_DADDR:
		load_address(m, s->family, false);
		lookup_into(m, s->index, NFT_REG_VERDICT);
		break;
	case STEP_CT_DNAT:
		ct_bits(m, NFT_CT_STATUS, IPS_DST_NAT);
		break;
	case STEP_NAT_SERVICE:
		nat_service(m, s);
		break;
	case STEP_NAT_MAP:
		nat_map(m, s);
		break;
	case STEP_NAT_PREFIX:
		nat_prefix(m, s);
		break;
	case STEP_NAT_ADDRESS:
		nat_address(m, s);
		break;
	case STEP_VERDICT:
		end(m, &s->verdict);
		break;
	}
}

struct nftnl_rule *expr_rule(const struct ruleset *rs, const struct names *names, size_t chain,
			     size_t rule)
{
	const struct rule *from = &rs->chains[chain].rules[rule];
	struct maker m = {.rs = rs, .names = names, .rule = nftnl_rule_alloc()};

	if (!m.rule)
		abort();
	nftnl_rule_set_u32(m.rule, NFTNL_RULE_FAMILY, rs->family);
	nftnl_rule_set_str(m.rule, NFTNL_RULE_TABLE, RULESET_TABLE);
	nftnl_rule_set_str(m.rule, NFTNL_RULE_CHAIN, names->chains[chain]);
	for (size_t i = 0; i < from->n; i++)
		add_step(&m, &from->steps[i]);
	return m.rule;
}
