/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fwrules/decide.h"

#include <netinet/in.h>
#include <stdarg.h>
#include <stdlib.h>

enum { SMTP_PORT = 25, ICMP_ECHO_REQUEST = 8, ICMPV6_ECHO_REQUEST = 128 };

/* Sets the reason and gives the verdict back. */
static bool verdict(bool allowed, struct buf *why, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static bool verdict(bool allowed, struct buf *why, const char *fmt, ...)
{
	va_list ap;

	if (!why)
		return allowed;
	va_start(ap, fmt);
	buf_vprintf(why, fmt, ap);
	va_end(ap);
	return allowed;
}

static int by_addr(const void *key, const void *member)
{
	return addr_cmp(key, &((const struct owner *)member)->addr);
}

static const struct server *server_at(const struct policy *p, const struct addr *a)
{
	if (!p->owners_n)
		return NULL;
	const struct owner *o = bsearch(a, p->owners, p->owners_n, sizeof(*p->owners), by_addr);
	return o ? &p->servers[o->server] : NULL;
}

/* Loopback is the box's own. A link-local address may be a neighbour's, but says nothing about
 * which; no router passes it on, so it counts as the box's too. */
static bool stays_here(const struct addr *a)
{
	static const struct addr loopback6 = {.family = AF_INET6, .bytes = {[15] = 1}};

	if (a->family == AF_INET)
		return a->bytes[0] == 127 || (a->bytes[0] == 169 && a->bytes[1] == 254);
	return !addr_cmp(a, &loopback6) || (a->bytes[0] == 0xfe && (a->bytes[1] & 0xc0) == 0x80);
}

enum zone policy_zone(const struct policy *p, const struct addr *a)
{
	if (stays_here(a) || ranges_contain(&p->own, a))
		return ZONE_BOX;
	if (ranges_contain(&p->port[ZONE_DMZ].networks, a) || server_at(p, a))
		return ZONE_DMZ;
	return ZONE_WAN;
}

static bool is_echo(const struct flow *f)
{
	return (f->proto == IPPROTO_ICMP && f->icmp_type == ICMP_ECHO_REQUEST) ||
	       (f->proto == IPPROTO_ICMPV6 && f->icmp_type == ICMPV6_ECHO_REQUEST);
}

static bool port_in(const struct port_range *ports, size_t n, const struct flow *f)
{
	for (size_t i = 0; i < n; i++)
		if (ports[i].proto == f->proto && f->to_port >= ports[i].first &&
		    f->to_port <= ports[i].last)
			return true;
	return false;
}

static bool service_allows(const struct policy *p, const struct service *s, const struct flow *f)
{
	bool to = s->to_n == 0;

	for (size_t i = 0; i < s->to_n && !to; i++)
		to = !addr_cmp(&s->to[i], &f->to);
	return to && (is_echo(f) ? s->icmp : port_in(s->ports, s->ports_n, f)) &&
	       ranges_contain(&p->sources[s->source].ranges, &f->from);
}

static bool any_service(const struct policy *p, const struct service *services, size_t n,
			const struct flow *f, struct buf *why)
{
	for (size_t i = 0; i < n; i++)
		if (service_allows(p, &services[i], f))
			return verdict(true, why, "%s allow %s", services[i].owner,
				       services[i].name);
	return false;
}

static bool outbound_allows(const struct policy *p, const struct flow *f, struct buf *why)
{
	if (f->proto == IPPROTO_TCP && f->to_port == SMTP_PORT)
		return verdict(false, why, "mail from the DMZ leaves through the relay only");
	if (p->deny && ranges_contain(&p->deny_to, &f->to) &&
	    (!p->deny_ports_n || port_in(p->deny_ports, p->deny_ports_n, f)))
		return verdict(false, why, "policy dmz-outbound deny");
	if (ranges_contain(&p->outbound, &f->to))
		return verdict(true, why, "policy dmz-outbound allow");
	return verdict(false, why, "no allow in policy dmz-outbound");
}

/* The destination; to_wan is told as the packet comes in. */
static bool lead_inside(const struct policy *p, struct nat_flow *f)
{
	bool to_wan = policy_zone(p, &f->from) == ZONE_DMZ && policy_zone(p, &f->to) == ZONE_WAN;

	return nat_destination(&p->nat, f, to_wan);
}

bool policy_translate(const struct policy *p, struct nat_flow *f)
{
	bool changed = lead_inside(p, f);
	enum zone from = policy_zone(p, &f->from), to = policy_zone(p, &f->to);

	if (from == ZONE_DMZ && to == ZONE_WAN)
		changed |= nat_source(&p->nat, f, true);
	else if (changed && to == ZONE_DMZ)
		changed |= nat_source(&p->nat, f, false);
	return changed;
}

/* With the destination that it has inside. */
static bool allows_inside(const struct policy *p, const struct flow *f, struct buf *why)
{
	enum zone from = policy_zone(p, &f->from), to = policy_zone(p, &f->to);

	if (from == ZONE_BOX)
		return verdict(true, why, "the box itself");
	if (p->flat && from == ZONE_DMZ && to == ZONE_DMZ)
		return verdict(true, why, "servers reach each other without the box");
	if (from == ZONE_WAN && ranges_contain(&p->bogons, &f->from))
		return verdict(false, why, "nobody on the WAN has this address");
	if (to == ZONE_BOX)
		return any_service(p, p->box, p->box_n, f, why) ||
		       verdict(false, why, "no service of the box");
	if (to == ZONE_WAN)
		return from == ZONE_DMZ ? outbound_allows(p, f, why)
					: verdict(false, why, "from the WAN back to the WAN");
	const struct server *server = server_at(p, &f->to);
	if (server && any_service(p, &p->services[server->services], server->services_n, f, why))
		return true;
	if (from == ZONE_DMZ && ranges_contain(&p->internal, &f->to))
		return verdict(true, why, "policy dmz-internal allow");
	return verdict(false, why, server ? "no allow of server %s" : "no server%s",
		       server ? server->name : " has this address");
}

bool policy_allows(const struct policy *p, const struct flow *f, struct buf *why)
{
	struct flow inside = *f;
	struct nat_flow n = {f->from, f->to, f->proto, f->to_port};
	char text[ADDR_STR_MAX];

	if (!lead_inside(p, &n))
		return allows_inside(p, f, why);
	inside.to = n.to;
	inside.to_port = n.to_port;
	if (why && n.to_port)
		buf_printf(why, "led to %s port %u: ", addr_format(&n.to, text), n.to_port);
	else if (why)
		buf_printf(why, "led to %s: ", addr_format(&n.to, text));
	return allows_inside(p, &inside, why);
}
