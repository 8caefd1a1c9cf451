/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fwrules/bridge.h"

#include "fwrules/chains.h"
#include "fwrules/services.h"

#include <linux/if_ether.h>
#include <linux/netfilter.h>
#include <netinet/in.h>
#include <stdlib.h>

/* Sources in r, in sets "NAME4" and "NAME6": the verdict. */
static void rules_from(struct compiler *c, size_t chain, const char *device, const struct ranges *r,
		       const char *name, struct verdict end)
{
	for (size_t i = 0; i < 2; i++) {
		int family = build_family(i);
		size_t set =
			build_address_set(c->rs, r, family, "%s%d", name, family_digit(family));
		if (set != NO_SET)
			BUILD_RULE(c->rs, chain, step_iif(device),
				   step_in(STEP_SADDR_IN, family, set), step_verdict(end));
	}
}

/* Neighbours may speak from addresses of the link alone, or from none yet. */
static void compile_sources(struct compiler *c, size_t chain)
{
	struct ranges inside = {0}, servers = {0};
	size_t of_dmz = build_chain(c->rs, "dmz-sources");

	for (size_t i = 0; i < c->p->owners_n; i++)
		ranges_add(&servers, &c->p->owners[i].addr, &c->p->owners[i].addr);
	ranges_normalise(&servers);
	ranges_add_all(&inside, &servers);
	ranges_add_all(&inside, &c->p->own);
	ranges_normalise(&inside);
	BUILD_RULE(c->rs, chain, (struct step){.kind = STEP_ETHER, .number = ETH_P_ARP},
		   step_accept());
	BUILD_RULE(c->rs, chain, step_number(STEP_PROTO, IPPROTO_ICMPV6), step_jump(c->neighbours));
	rules_from(c, chain, c->wan, &inside, "inside",
		   (struct verdict){VERDICT_GOTO, c->drop[SPOOFED]});
	chains_guard(c, chain);
	rules_from(c, of_dmz, c->dmz, &servers, "servers", (struct verdict){VERDICT_RETURN});
	BUILD_RULE(c->rs, of_dmz, step_goto(c->drop[SPOOFED]));
	BUILD_RULE(c->rs, chain, step_iif(c->dmz), step_jump(of_dmz));
	ranges_free(&inside);
	ranges_free(&servers);
}

static void compile_forward(struct compiler *c, size_t chain, size_t services)
{
	size_t outbound = build_chain(c->rs, "outbound");

	chains_outbound(c, outbound);
	BUILD_RULE(c->rs, chain, (struct step){.kind = STEP_ETHER, .number = ETH_P_ARP},
		   step_accept());
	chains_established(c, chain);
	BUILD_RULE(c->rs, chain, step_number(STEP_PROTO, IPPROTO_ICMPV6), step_jump(c->neighbours));
	chains_unfit(c, chain);
	BUILD_RULE(c->rs, chain, step_iif(c->wan), step_oif(c->dmz), step_jump(services));
	BUILD_RULE(c->rs, chain, step_iif(c->dmz), step_oif(c->wan), step_jump(outbound));
	BUILD_RULE(c->rs, chain, step_goto(c->drop[DENIED]));
}

struct ruleset *bridge_compile(const struct policy *p)
{
	struct ruleset *rs = calloc(1, sizeof(*rs));

	if (!rs)
		abort();
	rs->family = NFPROTO_BRIDGE;
	struct compiler c = {
		.p = p,
		.rs = rs,
		.wan = build_text(rs, "%s", p->port[ZONE_WAN].ifname),
		.dmz = build_text(rs, "%s", p->port[ZONE_DMZ].ifname),
	};
	chains_begin(&c);
	size_t allow = build_chain(rs, "allow");
	chains_allow(&c, allow);
	size_t services = build_chain(rs, "services");
	services_compile(p, rs, services, allow, NO_CHAIN);
	size_t prerouting = build_chain(rs, "prerouting");
	compile_sources(&c, prerouting);
	size_t forward = build_chain(rs, "forward");
	compile_forward(&c, forward, services);
	chains_base(rs, "prerouting", NF_INET_PRE_ROUTING, PRIORITY_RAW, false, prerouting);
	chains_base(rs, "forward", NF_INET_FORWARD, PRIORITY_FILTER, true, forward);
	build_finish(rs);
	return rs;
}
