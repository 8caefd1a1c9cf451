/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fwrules/natrules.h"

#include "fwrules/build.h"

enum { SMTP_PORT = 25 };

struct compiler {
	const struct policy *p;
	const struct nat *nat;
	struct ruleset *rs;
	const char *wan, *dmz; /* devices */
	size_t to, from;       /* chains */
};

/* ---- the destination ---- */

/* address . protocol . port -> address . port, port by port. */
static void compile_forwards(struct compiler *c, int family)
{
	enum key_kind key = family == AF_INET ? KEY_IPV4_SERVICE : KEY_IPV6_SERVICE;
	size_t map = NO_SET;

	for (size_t i = 0; i < c->nat->forwards_n; i++) {
		const struct nat_forward *f = &c->nat->forwards[i];
		if (f->address.family != family)
			continue;
		if (map == NO_SET)
			map = build_set(c->rs, SET_SERVICES, key, "forward%d",
					family_digit(family));
		for (unsigned port = f->first; port <= f->last; port++) {
			struct element *e = build_element(c->rs, map);
			size_t at = key_put_addr(e->key, 0, &f->address);
			key_put_port(e->key, key_put_proto(e->key, at, f->proto), (uint16_t)port);
			at = key_put_addr(e->last, 0, &f->inside);
			key_put_port(e->last, at, (uint16_t)(f->to_port + (port - f->first)));
		}
	}
	if (map != NO_SET)
		BUILD_RULE(c->rs, c->to, step_nat_map(STEP_NAT_SERVICE, false, family, map));
}

/* The map of machines: outside -> inside, or of_source inside -> outside. NO_SET for none. */
static size_t machines(struct compiler *c, int family, bool of_source)
{
	enum key_kind key = family == AF_INET ? KEY_IPV4 : KEY_IPV6;
	size_t map = NO_SET;

	for (size_t i = 0; i < c->nat->pairs_n; i++) {
		const struct nat_pair *pair = &c->nat->pairs[i];
		const struct prefix *is = of_source ? &pair->inside : &pair->outside;
		const struct prefix *becomes = of_source ? &pair->outside : &pair->inside;
		if (pair->name || is->addr.family != family)
			continue;
		if (map == NO_SET)
			map = build_set(c->rs, SET_ADDRESSES, key, "%s%d",
					of_source ? "outside" : "inside", family_digit(family));
		struct element *e = build_element(c->rs, map);
		key_put_addr(e->key, 0, &is->addr);
		key_put_addr(e->last, 0, &becomes->addr);
	}
	return map;
}

static size_t prefix_set(struct compiler *c, const struct prefix *p, const char *word,
			 const char *name)
{
	struct ranges r = {0};
	int family = p->addr.family;

	ranges_add_prefix(&r, p);
	ranges_normalise(&r);
	size_t set =
		build_address_set(c->rs, &r, family, "%s%d-%s", word, family_digit(family), name);
	ranges_free(&r);
	return set;
}

/* What is outside, to go by the next hop on the WAN: not the box's, not in the DMZ. */
static void rules_near(struct compiler *c, size_t chain)
{
	struct ranges near = {0};

	ranges_add_all(&near, &c->p->own);
	ranges_add_all(&near, &c->p->port[ZONE_DMZ].networks);
	for (size_t i = 0; i < c->p->owners_n; i++)
		ranges_add(&near, &c->p->owners[i].addr, &c->p->owners[i].addr);
	ranges_normalise(&near);
	for (size_t i = 0; i < 2; i++) {
		int family = build_family(i);
		size_t set =
			build_address_set(c->rs, &near, family, "near%d", family_digit(family));
		if (set != NO_SET)
			BUILD_RULE(c->rs, chain, step_in(STEP_DADDR_IN, family, set),
				   step_return());
	}
	ranges_free(&near);
}

static void compile_redirect(struct compiler *c)
{
	size_t chain;

	if (!c->nat->redirect[0].family && !c->nat->redirect[1].family)
		return;
	chain = build_chain(c->rs, "redirect-smtp");
	rules_near(c, chain);
	for (size_t i = 0; i < 2; i++)
		if (c->nat->redirect[i].family)
			BUILD_RULE(c->rs, chain, step_number(STEP_PORT, SMTP_PORT),
				   step_nat_address(false, &c->nat->redirect[i],
						    c->nat->redirect_port));
	BUILD_RULE(c->rs, c->to, step_iif(c->dmz), step_number(STEP_PORT, SMTP_PORT),
		   step_jump(chain));
}

static void compile_to(struct compiler *c)
{
	for (size_t i = 0; i < 2; i++)
		compile_forwards(c, build_family(i));
	for (size_t i = 0; i < 2; i++) {
		size_t map = machines(c, build_family(i), false);
		if (map != NO_SET)
			BUILD_RULE(c->rs, c->to,
				   step_nat_map(STEP_NAT_MAP, false, build_family(i), map));
	}
	for (size_t i = 0; i < c->nat->pairs_n; i++) {
		const struct nat_pair *pair = &c->nat->pairs[i];
		if (!pair->name)
			continue;
		size_t set = prefix_set(c, &pair->outside, "outside", pair->name);
		BUILD_RULE(c->rs, c->to, step_in(STEP_DADDR_IN, pair->outside.addr.family, set),
			   step_nat_prefix(false, &pair->inside));
	}
	compile_redirect(c);
}

/* ---- the source ---- */

static void compile_hairpin(struct compiler *c)
{
	for (size_t i = 0; i < 2; i++) {
		int family = build_family(i);
		const struct addr *box = &c->nat->hairpin[i];
		if (!box->family)
			continue;
		size_t set = build_address_set(c->rs, &c->nat->inside, family, "dmz%d",
					       family_digit(family));
		if (set != NO_SET)
			BUILD_RULE(c->rs, c->from, step_oif(c->dmz),
				   (struct step){.kind = STEP_CT_DNAT},
				   step_in(STEP_SADDR_IN, family, set),
				   step_nat_address(true, box, 0));
	}
}

static void compile_from(struct compiler *c)
{
	compile_hairpin(c);
	for (size_t i = 0; i < 2; i++) {
		size_t map = machines(c, build_family(i), true);
		if (map != NO_SET)
			BUILD_RULE(c->rs, c->from, step_oif(c->wan),
				   step_nat_map(STEP_NAT_MAP, true, build_family(i), map));
	}
	for (size_t i = 0; i < c->nat->pairs_n; i++) {
		const struct nat_pair *pair = &c->nat->pairs[i];
		if (!pair->name)
			continue;
		size_t set = prefix_set(c, &pair->inside, "inside", pair->name);
		BUILD_RULE(c->rs, c->from, step_oif(c->wan),
			   step_in(STEP_SADDR_IN, pair->inside.addr.family, set),
			   step_nat_prefix(true, &pair->outside));
	}
	for (size_t i = 0; i < c->nat->sources_n; i++) {
		const struct nat_source *s = &c->nat->sources[i];
		int family = s->address.family;
		size_t set = build_address_set(c->rs, &s->from, family, "source%d-%s",
					       family_digit(family), s->name);
		if (set != NO_SET)
			BUILD_RULE(c->rs, c->from, step_oif(c->wan),
				   step_in(STEP_SADDR_IN, family, set),
				   step_nat_address(true, &s->address, 0));
	}
}

void natrules_compile(const struct policy *p, struct ruleset *rs, const char *wan, const char *dmz,
		      size_t to, size_t from)
{
	struct compiler c = {
		.p = p, .nat = &p->nat, .rs = rs, .wan = wan, .dmz = dmz, .to = to, .from = from};

	compile_to(&c);
	if (*wan && *dmz)
		compile_from(&c);
}
