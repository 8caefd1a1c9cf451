/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs a ruleset on one packet in place of the kernel: step by step, as ruleset.h says them. */
#ifndef GATEPOST_TESTS_UNIT_FWRULES_MACHINE_H
#define GATEPOST_TESTS_UNIT_FWRULES_MACHINE_H

#include "fwrules/decide.h"
#include "fwrules/policy.h"
#include "fwrules/ruleset.h"
#include "tests/unit/cmocka.h"

#include <netinet/in.h>
#include <string.h>

struct packet {
	struct flow flow;
	const char *iif, *oif; /* "" for none */
};

struct machine {
	const struct ruleset *rs;
	struct packet *packet; /* its addresses change on the way */
	bool translated;
	uint32_t mark;
	unsigned logged;
	unsigned steps; /* taken: a loop shows */
};

enum outcome { GO_ON, ACCEPTED, DROPPED, NO_MATCH, RETURNED };

static const struct element *lookup(const struct set *set, const uint8_t *key)
{
	size_t bytes = key_bytes(set->key);

	for (size_t i = 0; i < set->n; i++) {
		const struct element *e = &set->elements[i];
		if (!set->interval && !memcmp(e->key, key, bytes))
			return e;
		if (set->interval && memcmp(key, e->key, bytes) >= 0 &&
		    memcmp(key, e->last, bytes) <= 0)
			return e;
	}
	return NULL;
}

static enum outcome run_chain(struct machine *m, size_t chain);

static enum outcome obey(struct machine *m, const struct verdict *v)
{
	enum outcome o;

	switch (v->kind) {
	case VERDICT_ACCEPT:
		return ACCEPTED;
	case VERDICT_DROP:
		return DROPPED;
	case VERDICT_RETURN:
		return RETURNED;
	case VERDICT_JUMP:
		o = run_chain(m, v->chain);
		return o == RETURNED ? GO_ON : o;
	case VERDICT_GOTO:
	default:
		return run_chain(m, v->chain);
	}
}

static size_t put_addr(uint8_t *key, const struct addr *a)
{
	memcpy(key, a->bytes, addr_size(a));
	return addr_size(a);
}

/* The verdict in a map, or on with the next rule. */
static enum outcome look_up(struct machine *m, const struct step *s, size_t at)
{
	const struct flow *f = &m->packet->flow;
	uint8_t key[KEY_BYTES_MAX] = {0};

	if (s->kind != STEP_LOOKUP_PORT) {
		if (f->to.family != s->family)
			return NO_MATCH;
		at = put_addr(key, &f->to);
	}
	if (s->kind != STEP_LOOKUP_DADDR) {
		key[at] = f->proto;
		key[at + 4] = (uint8_t)(f->to_port >> 8);
		key[at + 5] = (uint8_t)f->to_port;
	}
	const struct element *e = lookup(&m->rs->sets[s->index], key);
	return e ? obey(m, &e->verdict) : NO_MATCH;
}

/* ---- addresses that change ---- */

static enum outcome translate(struct machine *m, const struct step *s)
{
	struct flow *f = &m->packet->flow;
	struct addr *a = s->of_source ? &f->from : &f->to;
	uint8_t key[KEY_BYTES_MAX] = {0};
	const struct element *e = NULL;

	if (a->family != s->family)
		return NO_MATCH;
	size_t at = put_addr(key, a);
	if (s->kind == STEP_NAT_SERVICE) {
		key[at] = f->proto;
		key[at + 4] = (uint8_t)(f->to_port >> 8);
		key[at + 5] = (uint8_t)f->to_port;
	}
	if (s->kind == STEP_NAT_SERVICE || s->kind == STEP_NAT_MAP) {
		e = lookup(&m->rs->sets[s->index], key);
		if (!e)
			return NO_MATCH;
		memcpy(a->bytes, e->last, addr_size(a));
		if (s->kind == STEP_NAT_SERVICE)
			f->to_port = (uint16_t)(e->last[at] << 8 | e->last[at + 1]);
	} else if (s->kind == STEP_NAT_PREFIX) {
		struct addr last = prefix_last(&s->to);
		for (size_t i = 0; i < addr_size(a); i++) {
			uint8_t host = s->to.addr.bytes[i] ^ last.bytes[i];
			a->bytes[i] = (uint8_t)(s->to.addr.bytes[i] | (a->bytes[i] & host));
		}
	} else {
		*a = s->to.addr;
		if (s->number)
			f->to_port = (uint16_t)s->number;
	}
	m->translated = true;
	return ACCEPTED;
}

static bool address_in(const struct machine *m, const struct step *s, const struct addr *a)
{
	uint8_t key[KEY_BYTES_MAX] = {0};

	put_addr(key, a);
	return a->family == s->family && lookup(&m->rs->sets[s->index], key);
}

static bool port_in(const struct machine *m, const struct step *s)
{
	const struct flow *f = &m->packet->flow;
	uint8_t key[KEY_BYTES_MAX] = {(uint8_t)(f->to_port >> 8), (uint8_t)f->to_port};

	return f->proto == s->number && lookup(&m->rs->sets[s->index], key);
}

static bool icmp_is(const struct flow *f, const struct step *s)
{
	uint8_t proto = s->family == AF_INET6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;

	return f->to.family == s->family && f->proto == proto && f->icmp_type == s->number;
}

/* Every packet is the first of its connection, with SYN if TCP, and under every limit. */
static enum outcome take_step(struct machine *m, const struct step *s)
{
	const struct flow *f = &m->packet->flow;
	bool match = true;

	switch (s->kind) {
	case STEP_IIF:
		match = !strcmp(m->packet->iif, s->name);
		break;
	case STEP_OIF:
		match = !strcmp(m->packet->oif, s->name);
		break;
	case STEP_PROTO:
		match = f->proto == s->number;
		break;
	case STEP_CT_STATE:
		match = s->number & CT_NEW;
		break;
	case STEP_SYN:
		match = f->proto == IPPROTO_TCP;
		break;
	case STEP_SADDR_IN:
		match = address_in(m, s, &f->from);
		break;
	case STEP_DADDR_IN:
		match = address_in(m, s, &f->to);
		break;
	case STEP_ICMP_TYPE:
		match = icmp_is(f, s);
		break;
	case STEP_PORT:
		match = f->proto == IPPROTO_TCP && f->to_port == s->number;
		break;
	case STEP_PORT_IN:
		match = port_in(m, s);
		break;
	case STEP_ETHER:
	case STEP_NOT_SYN:
	case STEP_HOP_LIMIT:
	case STEP_NO_WAY_BACK:
	case STEP_OVER_RATE:
	case STEP_OVER_RATE_MARK:
		match = false;
		break;
	case STEP_SET_MARK:
		m->mark = s->number;
		break;
	case STEP_LOG:
		m->logged++;
		break;
	case STEP_COUNT_DADDR:
		match = address_in(m, s, &f->to);
		break;
	case STEP_RATE:
	case STEP_COUNT:
	case STEP_OFFLOAD:
		break;
	case STEP_LOOKUP_SERVICE:
	case STEP_LOOKUP_PORT:
	case STEP_LOOKUP_DADDR:
		return look_up(m, s, 0);
	case STEP_CT_DNAT:
		match = m->translated;
		break;
	case STEP_NAT_SERVICE:
	case STEP_NAT_MAP:
	case STEP_NAT_PREFIX:
	case STEP_NAT_ADDRESS:
		return translate(m, s);
	case STEP_VERDICT:
		return obey(m, &s->verdict);
	}
	return match ? GO_ON : NO_MATCH;
}

static enum outcome run_chain(struct machine *m, size_t chain)
{
	const struct chain *c = &m->rs->chains[chain];

	for (size_t i = 0; i < c->n; i++) {
		enum outcome o = GO_ON;
		for (size_t j = 0; j < c->rules[i].n && o == GO_ON; j++) {
			assert_true(m->steps++ < 1000);
			o = take_step(m, &c->rules[i].steps[j]);
		}
		if (o != GO_ON && o != NO_MATCH)
			return o;
	}
	return RETURNED;
}

static const char *device_of(enum zone z)
{
	static const char *const devices[] = {
		[ZONE_WAN] = "eth0", [ZONE_DMZ] = "eth1", [ZONE_BOX] = ""};

	return devices[z];
}

static bool gets_through(struct machine *m, const char *name)
{
	for (size_t i = 0; i < m->rs->chains_n; i++) {
		if (!m->rs->chains[i].base || strcmp(m->rs->chains[i].name, name) != 0)
			continue;
		enum outcome o = run_chain(m, i);
		if (o == DROPPED || (o == RETURNED && m->rs->chains[i].drop))
			return false;
	}
	return true;
}

/* Whether a packet gets through the box, and as what: packet is what leaves, or what the box got.
 */
static bool passes(const struct policy *p, const struct ruleset *rs, struct packet *packet,
		   unsigned *logged)
{
	struct machine m = {.rs = rs, .packet = packet};

	packet->oif = "";
	if (!gets_through(&m, "prerouting"))
		return false;
	gets_through(&m, "to-inside");
	enum zone to = policy_zone(p, &packet->flow.to);
	packet->oif = device_of(to);
	if (!gets_through(&m, to == ZONE_BOX ? "input" : "forward"))
		return false;
	if (to != ZONE_BOX)
		gets_through(&m, "to-outside");
	if (logged)
		*logged = m.logged;
	return true;
}

#endif
