/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fwrules/ruleset.h"

#include "fwrules/bridge.h"
#include "fwrules/chains.h"
#include "fwrules/natrules.h"
#include "fwrules/services.h"

#include <linux/netfilter.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

enum { ND_REDIRECT = 137 };

/* ---- prerouting ---- */

static void compile_prerouting(struct compiler *c, size_t chain)
{
	BUILD_RULE(c->rs, chain, step_iif("lo"), step_accept());
	BUILD_RULE(c->rs, chain, step_number(STEP_PROTO, IPPROTO_ICMPV6), step_jump(c->neighbours));
	BUILD_RULE(c->rs, chain, (struct step){.kind = STEP_NO_WAY_BACK},
		   step_goto(c->drop[SPOOFED]));
	if (*c->wan)
		chains_guard(c, chain);
}

/* ---- input, forward ---- */

static void compile_input(struct compiler *c, size_t chain, size_t box)
{
	chains_established(c, chain);
	BUILD_RULE(c->rs, chain, step_iif("lo"), step_accept());
	BUILD_RULE(c->rs, chain, step_number(STEP_PROTO, IPPROTO_ICMPV6), step_jump(c->neighbours));
	chains_unfit(c, chain);
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

static void compile_forward(struct compiler *c, size_t chain, size_t services, size_t allow)
{
	if (c->rs->devices_n)
		BUILD_RULE(c->rs, chain, step_number(STEP_CT_STATE, CT_ESTABLISHED),
			   (struct step){.kind = STEP_OFFLOAD});
	chains_established(c, chain);
	chains_unfit(c, chain);
	if (*c->wan && *c->dmz) {
		size_t outbound = build_chain(c->rs, "outbound");
		chains_outbound(c, outbound);
		BUILD_RULE(c->rs, chain, step_iif(c->wan), step_oif(c->dmz), step_jump(services));
		BUILD_RULE(c->rs, chain, step_iif(c->dmz), step_oif(c->wan), step_jump(outbound));
	}
	if (*c->dmz) {
		size_t internal = build_chain(c->rs, "internal");
		chains_to(c, internal, &c->p->internal, "internal",
			  (struct verdict){VERDICT_GOTO, allow});
		BUILD_RULE(c->rs, internal, step_jump(services));
		BUILD_RULE(c->rs, chain, step_iif(c->dmz), step_oif(c->dmz), step_jump(internal));
	}
	BUILD_RULE(c->rs, chain, step_goto(c->drop[DENIED]));
}

/* ---- the whole ---- */

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
		chains_base(c->rs, bases[i].name, bases[i].hook, bases[i].priority, false,
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

/* Of a router: all chains. Of a bridge: what concerns the box itself. */
static void compile_inet(struct compiler *c)
{
	struct ruleset *rs = c->rs;
	bool routes = !c->p->flat;
	size_t allow = NO_CHAIN, services = NO_CHAIN;

	chains_begin(c);
	if (routes) {
		allow = build_chain(rs, "allow");
		chains_allow(c, allow);
		services = build_chain(rs, "services");
	}
	size_t box = build_chain(rs, "box");
	services_compile(c->p, rs, services, allow, box);
	size_t prerouting = build_chain(rs, "prerouting");
	compile_prerouting(c, prerouting);
	size_t input = build_chain(rs, "input");
	compile_input(c, input, box);
	size_t forward = build_chain(rs, "forward");
	if (routes)
		compile_forward(c, forward, services, allow);
	else
		BUILD_RULE(rs, forward, step_goto(c->drop[DENIED]));
	size_t output = build_chain(rs, "output");
	compile_output(c, output);
	if (!nat_is_empty(&c->p->nat))
		compile_nat(c);
	chains_base(rs, "prerouting", NF_INET_PRE_ROUTING, PRIORITY_RAW, false, prerouting);
	chains_base(rs, "input", NF_INET_LOCAL_IN, PRIORITY_FILTER, true, input);
	chains_base(rs, "forward", NF_INET_FORWARD, PRIORITY_FILTER, true, forward);
	chains_base(rs, "output", NF_INET_LOCAL_OUT, PRIORITY_FILTER, false, output);
	build_finish(rs);
}

struct ruleset *ruleset_compile(const struct policy *p, const struct ruleset_caps *caps)
{
	struct ruleset *rs = calloc(1, sizeof(*rs));

	if (!rs)
		abort();
	rs->family = NFPROTO_INET;
	struct compiler c = {
		.p = p,
		.rs = rs,
		.wan = p->flat ? RULESET_BRIDGE : build_text(rs, "%s", p->port[ZONE_WAN].ifname),
		.dmz = p->flat ? "" : build_text(rs, "%s", p->port[ZONE_DMZ].ifname),
	};
	if (p->flat)
		rs->bridge = bridge_compile(p);
	else
		compile_devices(rs, p, caps);
	compile_inet(&c);
	return rs;
}
