/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fwrules/nat.h"

#include "fwrules/array.h"
#include "model/model.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

enum { SMTP_PORT = 25 };

static size_t family_index(int family)
{
	return family == AF_INET6;
}

/* ---- compiling ---- */

static void add_forwards(struct nat *nat, size_t *cap, const struct lyd_node *node, uint8_t proto,
			 const char *text)
{
	unsigned long to = conf_number(node, "to-port");
	struct nat_forward f = {.proto = proto};

	if (!addr_parse(conf_value(node, "address"), &f.address) ||
	    !addr_parse(conf_value(node, "to"), &f.inside))
		return;
	while (text && *text) {
		char *end;
		unsigned long first = strtoul(text, &end, 10), last = first;

		if (*end == '-')
			last = strtoul(end + 1, &end, 10);
		f.first = (uint16_t)first;
		f.last = (uint16_t)last;
		f.to_port = (uint16_t)(to ? to : first);
		*ARRAY_NEXT(nat->forwards, nat->forwards_n, *cap) = f;
		text = *end == ',' ? end + 1 : NULL;
	}
}

static int by_length(const void *a, const void *b)
{
	const struct nat_pair *x = a, *y = b;

	if (x->outside.len != y->outside.len)
		return x->outside.len > y->outside.len ? -1 : 1;
	return prefix_cmp(&x->outside, &y->outside);
}

static void compile_pairs(const struct lyd_node *conf, struct nat *nat)
{
	size_t cap = 0, machines;

	CONF_FOR_EACH (node, conf, "one-to-one") {
		struct nat_pair p = {0};
		if (prefix_parse(conf_value(node, "outside"), &p.outside) &&
		    prefix_parse(conf_value(node, "inside"), &p.inside))
			*ARRAY_NEXT(nat->pairs, nat->pairs_n, cap) = p;
	}
	machines = nat->pairs_n;
	CONF_FOR_EACH (node, conf, "prefix") {
		struct nat_pair p = {.name = conf_value(node, "name")};
		if (!prefix_parse(conf_value(node, "outside"), &p.outside) ||
		    !prefix_parse(conf_value(node, "inside"), &p.inside))
			continue;
		p.name = text_copy(p.name);
		*ARRAY_NEXT(nat->pairs, nat->pairs_n, cap) = p;
	}
	if (nat->pairs_n > machines)
		qsort(nat->pairs + machines, nat->pairs_n - machines, sizeof(*nat->pairs),
		      by_length);
}

static bool is_loopback(const struct addr *a)
{
	static const struct addr v6 = {.family = AF_INET6, .bytes = {[15] = 1}};

	return a->family == AF_INET ? a->bytes[0] == 127 : !addr_cmp(a, &v6);
}

/* Mail goes to where a listener at this address hears it: "::" hears both families. */
static void lead_to(struct nat *nat, const struct addr *listener)
{
	static const struct addr any4 = {.family = AF_INET}, any6 = {.family = AF_INET6};
	size_t family = family_index(listener->family);

	if (!addr_cmp(listener, &any6))
		memcpy(nat->redirect, nat->hairpin, sizeof(nat->redirect));
	else
		nat->redirect[family] =
			!addr_cmp(listener, &any4) ? nat->hairpin[family] : *listener;
}

/* The first listener that takes mail on plain SMTP. */
static void compile_redirect(const struct lyd_node *conf, struct nat *nat)
{
	static const struct addr any6 = {.family = AF_INET6};
	const struct lyd_node *relay = conf_top(conf, "relay");
	const struct lyd_node *out = conf_child(conf_top(conf, "policy"), "dmz-outbound");
	struct addr at;

	if (!conf_has(out, "redirect-smtp") || !relay)
		return;
	if (!conf_has(relay, "listen")) {
		nat->redirect_port = SMTP_PORT;
		lead_to(nat, &any6);
	}
	CONF_FOR_EACH (listen, relay, "listen") {
		if (nat->redirect_port || strcmp(conf_value(listen, "kind"), "relay") != 0 ||
		    !addr_parse(conf_value(listen, "address"), &at) || is_loopback(&at))
			continue;
		nat->redirect_port = (uint16_t)conf_number(listen, "port");
		lead_to(nat, &at);
	}
}

static void compile_hairpin(const struct lyd_node *conf, struct nat *nat)
{
	const struct lyd_node *dmz = conf_child(conf_top(conf, "interfaces"), "dmz");
	struct prefix p;

	CONF_FOR_EACH (n, dmz, "address") {
		if (!prefix_parse(conf_text(n), &p))
			continue;
		struct addr *first = &nat->hairpin[family_index(p.addr.family)];
		if (!first->family)
			*first = p.addr;
	}
}

void nat_compile(const struct lyd_node *conf, struct nat *nat)
{
	const struct lyd_node *top = conf_top(conf, "nat");
	size_t forwards = 0, sources = 0;

	compile_hairpin(conf, nat);
	compile_redirect(conf, nat);
	CONF_FOR_EACH (node, top, "forward") {
		add_forwards(nat, &forwards, node, IPPROTO_TCP, conf_value(node, "tcp"));
		add_forwards(nat, &forwards, node, IPPROTO_UDP, conf_value(node, "udp"));
	}
	compile_pairs(top, nat);
	CONF_FOR_EACH (node, top, "source") {
		struct addr a;
		if (!addr_parse(conf_value(node, "address"), &a))
			continue;
		struct nat_source *s = ARRAY_NEXT(nat->sources, nat->sources_n, sources);
		s->name = text_copy(conf_value(node, "name"));
		s->address = a;
	}
}

void nat_free(struct nat *nat)
{
	for (size_t i = 0; i < nat->pairs_n; i++)
		free((void *)(uintptr_t)nat->pairs[i].name);
	for (size_t i = 0; i < nat->sources_n; i++) {
		free(nat->sources[i].name);
		ranges_free(&nat->sources[i].from);
	}
	free(nat->forwards);
	free(nat->pairs);
	free(nat->sources);
	ranges_free(&nat->inside);
	*nat = (struct nat){0};
}

bool nat_is_empty(const struct nat *nat)
{
	return !nat->forwards_n && !nat->pairs_n && !nat->sources_n && !nat->redirect[0].family &&
	       !nat->redirect[1].family;
}

/* ---- addresses held ---- */

static void wire_networks(const struct lyd_node *conf, struct ranges *out)
{
	const struct lyd_node *wan = conf_child(conf_top(conf, "interfaces"), "wan");
	static const char *const leaves[] = {"address", "proxy-neighbour"};
	struct prefix p;

	for (size_t i = 0; i < 2; i++)
		CONF_FOR_EACH (n, wan, leaves[i])
			if (prefix_parse(conf_text(n), &p))
				ranges_add_prefix(out, &p);
	ranges_normalise(out);
}

void nat_held(const struct lyd_node *conf, struct ranges *out)
{
	static const struct {
		const char *list, *leaf;
	} places[] = {{"forward", "address"},
		      {"one-to-one", "outside"},
		      {"prefix", "outside"},
		      {"source", "address"}};
	struct ranges held = {0}, wire = {0}, elsewhere = {0};
	struct prefix p;

	wire_networks(conf, &wire);
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++)
		CONF_FOR_EACH (node, conf_top(conf, "nat"), places[i].list)
			if (prefix_parse(conf_value(node, places[i].leaf), &p))
				ranges_add_prefix(&held, &p);
	ranges_normalise(&held);
	ranges_add_all(&elsewhere, &held);
	ranges_normalise(&elsewhere);
	ranges_subtract(&elsewhere, &wire);
	ranges_subtract(&held, &elsewhere);
	ranges_add_all(out, &held);
	ranges_normalise(out);
	ranges_free(&held);
	ranges_free(&wire);
	ranges_free(&elsewhere);
}

/* ---- deciding ---- */

/* a with the bits of to in its first to.len bits. */
static void map_host(struct addr *a, const struct prefix *to)
{
	for (unsigned bit = 0; bit < to->len; bit++) {
		uint8_t mask = (uint8_t)(0x80 >> bit % 8);
		a->bytes[bit / 8] =
			(uint8_t)((a->bytes[bit / 8] & ~mask) | (to->addr.bytes[bit / 8] & mask));
	}
}

static bool forwarded(const struct nat *nat, struct nat_flow *f)
{
	for (size_t i = 0; i < nat->forwards_n; i++) {
		const struct nat_forward *w = &nat->forwards[i];
		if (w->proto != f->proto || addr_cmp(&w->address, &f->to) ||
		    f->to_port < w->first || f->to_port > w->last)
			continue;
		f->to = w->inside;
		f->to_port = (uint16_t)(w->to_port + (f->to_port - w->first));
		return true;
	}
	return false;
}

bool nat_destination(const struct nat *nat, struct nat_flow *f, bool to_wan)
{
	size_t family = family_index(f->to.family);

	if (forwarded(nat, f))
		return true;
	for (size_t i = 0; i < nat->pairs_n; i++) {
		if (!prefix_contains(&nat->pairs[i].outside, &f->to))
			continue;
		map_host(&f->to, &nat->pairs[i].inside);
		return true;
	}
	if (!to_wan || f->proto != IPPROTO_TCP || f->to_port != SMTP_PORT ||
	    !nat->redirect[family].family)
		return false;
	f->to = nat->redirect[family];
	f->to_port = nat->redirect_port;
	return true;
}

bool nat_source(const struct nat *nat, struct nat_flow *f, bool to_wan)
{
	const struct addr *hairpin = &nat->hairpin[family_index(f->from.family)];

	if (!to_wan) {
		if (!hairpin->family || !ranges_contain(&nat->inside, &f->from))
			return false;
		f->from = *hairpin;
		return true;
	}
	for (size_t i = 0; i < nat->pairs_n; i++) {
		if (!prefix_contains(&nat->pairs[i].inside, &f->from))
			continue;
		map_host(&f->from, &nat->pairs[i].outside);
		return true;
	}
	for (size_t i = 0; i < nat->sources_n; i++) {
		const struct nat_source *s = &nat->sources[i];
		if (s->address.family != f->from.family || !ranges_contain(&s->from, &f->from))
			continue;
		f->from = s->address;
		return true;
	}
	return false;
}
