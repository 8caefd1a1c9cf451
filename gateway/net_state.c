/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gateway/net_state.h"

#include "fwrules/array.h"
#include "gateway/net_linux.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

enum {
	/* The kernel gives an IPv6 route without a metric this one. */
	IPV6_METRIC = 1024,
	/* Taking an address away may take routes along; the next pass brings them back. */
	PASSES = 5,
};
#define FOREVER 0xffffffffu /* seconds, of an address's lifetime */

/* ---- a plan as a state ---- */

static struct item *next_item(struct state *s, enum item_kind kind, const char *link)
{
	struct item *item = ARRAY_NEXT(s->items, s->n, s->cap);

	item->kind = kind;
	item->ours = true;
	memcpy(item->link, link, IFNAMSIZ);
	return item;
}

static struct prefix whole(const struct addr *a)
{
	return (struct prefix){.addr = *a, .len = (unsigned)addr_size(a) * 8};
}

void state_of_plan(const struct netplan *plan, struct state *out)
{
	*out = (struct state){0};
	for (size_t i = 0; i < plan->addresses_n; i++) {
		const struct net_address *a = &plan->addresses[i];
		struct item *item = next_item(out, ITEM_ADDRESS, a->link);
		item->prefix = a->prefix;
		item->deprecated = a->deprecated;
	}
	for (size_t i = 0; i < plan->routes_n; i++) {
		const struct net_route *r = &plan->routes[i];
		struct item *item = next_item(out, ITEM_ROUTE, r->link);
		item->prefix = r->to;
		item->via = r->via;
		item->metric = r->via.family == AF_INET6 ? IPV6_METRIC : 0;
	}
	for (size_t i = 0; i < plan->neighbours_n; i++)
		next_item(out, ITEM_NEIGHBOUR, plan->neighbours[i].link)->prefix =
			whole(&plan->neighbours[i].address);
}

void state_free(struct state *s)
{
	for (size_t i = 0; i < s->n; i++)
		free(s->items[i].message);
	free(s->items);
	*s = (struct state){0};
}

/* ---- reading ---- */

struct reader {
	struct state *out;
	const struct scope *scope;
	struct kernel_links links;
};

static bool in_scope(const struct scope *scope, const char *link)
{
	for (size_t i = 0; i < scope->n; i++)
		if (!strcmp(scope->links[i], link))
			return true;
	return false;
}

static void read_addr(const struct nlattr *attr, int family, struct addr *out)
{
	*out = (struct addr){.family = family};
	if (mnl_attr_get_payload_len(attr) == addr_size(out))
		memcpy(out->bytes, mnl_attr_get_payload(attr), addr_size(out));
}

/* Adds item when it is ours, by its link or by its mark; a route of others too, to be seen when it
 * stands in the way. */
static void take(struct reader *r, const struct item *read, uint32_t index, bool marked,
		 const struct nlmsghdr *nlh)
{
	const struct kernel_link *link = links_indexed(&r->links, index);

	if (!link)
		return;
	bool ours = marked || in_scope(r->scope, link->name);
	if (!ours && read->kind != ITEM_ROUTE)
		return;
	struct item *item = ARRAY_NEXT(r->out->items, r->out->n, r->out->cap);
	*item = *read;
	item->ours = ours;
	memcpy(item->link, link->name, IFNAMSIZ);
	item->message = malloc(nlh->nlmsg_len);
	if (!item->message)
		abort();
	memcpy(item->message, nlh, nlh->nlmsg_len);
}

static void read_address(const struct nlmsghdr *nlh, void *context)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	struct item item = {.kind = ITEM_ADDRESS, .prefix.len = ifa->ifa_prefixlen};
	const struct nlattr *attr, *local = NULL, *address = NULL;
	bool marked = false;

	/* The kernel's own link-local addresses come and go with the link. */
	if (ifa->ifa_family == AF_INET6 && ifa->ifa_scope == RT_SCOPE_LINK)
		return;
	mnl_attr_for_each(attr, nlh, sizeof(*ifa))
	{
		switch (mnl_attr_get_type(attr)) {
		case IFA_LOCAL:
			local = attr;
			break;
		case IFA_ADDRESS:
			address = attr;
			break;
		case IFA_FLAGS:
			item.deprecated = mnl_attr_get_u32(attr) & IFA_F_DEPRECATED;
			break;
		case IFA_PROTO:
			marked = mnl_attr_get_u8(attr) == NET_PROTOCOL;
			break;
		default:
			break;
		}
	}
	if (!local && !address)
		return;
	read_addr(local ? local : address, ifa->ifa_family, &item.prefix.addr);
	take(context, &item, ifa->ifa_index, marked, nlh);
}

static void read_route(const struct nlmsghdr *nlh, void *context)
{
	const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
	struct item item = {.kind = ITEM_ROUTE,
			    .prefix = {.addr.family = rtm->rtm_family, .len = rtm->rtm_dst_len}};
	const struct nlattr *attr;
	uint32_t table = rtm->rtm_table, index = 0;

	if (rtm->rtm_type != RTN_UNICAST || rtm->rtm_flags & RTM_F_CLONED ||
	    rtm->rtm_protocol == RTPROT_KERNEL)
		return;
	mnl_attr_for_each(attr, nlh, sizeof(*rtm))
	{
		switch (mnl_attr_get_type(attr)) {
		case RTA_TABLE:
			table = mnl_attr_get_u32(attr);
			break;
		case RTA_DST:
			read_addr(attr, rtm->rtm_family, &item.prefix.addr);
			break;
		case RTA_GATEWAY:
			read_addr(attr, rtm->rtm_family, &item.via);
			break;
		case RTA_OIF:
			index = mnl_attr_get_u32(attr);
			break;
		case RTA_PRIORITY:
			item.metric = mnl_attr_get_u32(attr);
			break;
		default:
			break;
		}
	}
	if (table == RT_TABLE_MAIN)
		take(context, &item, index, rtm->rtm_protocol == NET_PROTOCOL, nlh);
}

static void read_neighbour(const struct nlmsghdr *nlh, void *context)
{
	const struct ndmsg *ndm = mnl_nlmsg_get_payload(nlh);
	struct item item = {.kind = ITEM_NEIGHBOUR};
	const struct nlattr *attr;
	bool marked = false;

	if (!(ndm->ndm_flags & NTF_PROXY))
		return;
	mnl_attr_for_each(attr, nlh, sizeof(*ndm))
	{
		if (mnl_attr_get_type(attr) == NDA_DST)
			read_addr(attr, ndm->ndm_family, &item.prefix.addr);
		else if (mnl_attr_get_type(attr) == NDA_PROTOCOL)
			marked = mnl_attr_get_u8(attr) == NET_PROTOCOL;
	}
	item.prefix = whole(&item.prefix.addr);
	take(context, &item, (uint32_t)ndm->ndm_ifindex, marked, nlh);
}

static int dump(struct netlink *nl, uint16_t type, int family, netlink_message *each,
		struct reader *r)
{
	char buffer[NETLINK_MESSAGE_MAX];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buffer);

	nlh->nlmsg_type = type;
	if (type == RTM_GETADDR) {
		struct ifaddrmsg *ifa = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifa));
		ifa->ifa_family = (uint8_t)family;
	} else if (type == RTM_GETROUTE) {
		struct rtmsg *rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));
		rtm->rtm_family = (uint8_t)family;
	} else {
		struct ndmsg *ndm = mnl_nlmsg_put_extra_header(nlh, sizeof(*ndm));
		ndm->ndm_family = (uint8_t)family;
		ndm->ndm_flags = NTF_PROXY;
	}
	return netlink_dump(nl, nlh, each, r);
}

int state_read(struct netlink *nl, const struct scope *scope, struct state *out)
{
	static const struct {
		uint16_t type;
		netlink_message *each;
	} dumps[] = {{RTM_GETADDR, read_address},
		     {RTM_GETROUTE, read_route},
		     {RTM_GETNEIGH, read_neighbour}};
	static const int families[] = {AF_INET, AF_INET6};
	struct reader r = {.out = out, .scope = scope};

	*out = (struct state){0};
	int error = links_read(nl, &r.links);
	for (size_t i = 0; i < sizeof(dumps) / sizeof(*dumps); i++)
		for (size_t j = 0; j < 2 && !error; j++)
			error = dump(nl, dumps[i].type, families[j], dumps[i].each, &r);
	links_free(&r.links);
	return error;
}

/* ---- writing ---- */

static void put_addr(struct nlmsghdr *nlh, uint16_t type, const struct addr *a)
{
	mnl_attr_put(nlh, type, addr_size(a), a->bytes);
}

static void write_address(struct nlmsghdr *nlh, const struct item *item, uint32_t index)
{
	struct ifaddrmsg *ifa = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifa));
	struct ifa_cacheinfo life = {.ifa_valid = FOREVER,
				     .ifa_prefered = item->deprecated ? 0 : FOREVER};
	bool six = item->prefix.addr.family == AF_INET6;

	ifa->ifa_family = (uint8_t)item->prefix.addr.family;
	ifa->ifa_prefixlen = (uint8_t)item->prefix.len;
	ifa->ifa_index = index;
	ifa->ifa_scope = RT_SCOPE_UNIVERSE;
	put_addr(nlh, IFA_LOCAL, &item->prefix.addr);
	put_addr(nlh, IFA_ADDRESS, &item->prefix.addr);
	mnl_attr_put_u8(nlh, IFA_PROTO, NET_PROTOCOL);
	if (!six && item->prefix.len < 31) {
		struct addr broadcast = prefix_last(&item->prefix);
		put_addr(nlh, IFA_BROADCAST, &broadcast);
	}
	if (six)
		mnl_attr_put_u32(nlh, IFA_FLAGS, IFA_F_NODAD);
	mnl_attr_put(nlh, IFA_CACHEINFO, sizeof(life), &life);
}

static void write_route(struct nlmsghdr *nlh, const struct item *item, uint32_t index)
{
	struct rtmsg *rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));

	rtm->rtm_family = (uint8_t)item->prefix.addr.family;
	rtm->rtm_dst_len = (uint8_t)item->prefix.len;
	rtm->rtm_table = RT_TABLE_MAIN;
	rtm->rtm_protocol = NET_PROTOCOL;
	rtm->rtm_scope = RT_SCOPE_UNIVERSE;
	rtm->rtm_type = RTN_UNICAST;
	put_addr(nlh, RTA_DST, &item->prefix.addr);
	put_addr(nlh, RTA_GATEWAY, &item->via);
	mnl_attr_put_u32(nlh, RTA_OIF, index);
	if (item->metric)
		mnl_attr_put_u32(nlh, RTA_PRIORITY, item->metric);
}

static void write_neighbour(struct nlmsghdr *nlh, const struct item *item, uint32_t index)
{
	struct ndmsg *ndm = mnl_nlmsg_put_extra_header(nlh, sizeof(*ndm));

	ndm->ndm_family = (uint8_t)item->prefix.addr.family;
	ndm->ndm_ifindex = (int)index;
	ndm->ndm_flags = NTF_PROXY;
	ndm->ndm_state = NUD_PERMANENT;
	put_addr(nlh, NDA_DST, &item->prefix.addr);
	mnl_attr_put_u8(nlh, NDA_PROTOCOL, NET_PROTOCOL);
}

/* The kernel's own message, for a link that may have another index now. */
static void write_kept(struct nlmsghdr *nlh, const struct item *item, uint32_t index)
{
	const struct nlmsghdr *kept = (const struct nlmsghdr *)item->message;
	struct nlattr *attr;

	memcpy(mnl_nlmsg_get_payload(nlh), mnl_nlmsg_get_payload(kept),
	       mnl_nlmsg_get_payload_len(kept));
	nlh->nlmsg_len = kept->nlmsg_len;
	if (item->kind == ITEM_ADDRESS)
		((struct ifaddrmsg *)mnl_nlmsg_get_payload(nlh))->ifa_index = index;
	else if (item->kind == ITEM_NEIGHBOUR)
		((struct ndmsg *)mnl_nlmsg_get_payload(nlh))->ndm_ifindex = (int)index;
	else
		mnl_attr_for_each(attr, nlh,
				  sizeof(struct rtmsg)) if (mnl_attr_get_type(attr) == RTA_OIF)
			memcpy(mnl_attr_get_payload(attr), &index, sizeof(index));
}

static int send_item(struct netlink *nl, const struct item *item, bool add, uint32_t index)
{
	static const uint16_t types[][2] = {
		[ITEM_ADDRESS] = {RTM_DELADDR, RTM_NEWADDR},
		[ITEM_ROUTE] = {RTM_DELROUTE, RTM_NEWROUTE},
		[ITEM_NEIGHBOUR] = {RTM_DELNEIGH, RTM_NEWNEIGH},
	};
	static void (*const write[])(struct nlmsghdr *, const struct item *, uint32_t) = {
		[ITEM_ADDRESS] = write_address,
		[ITEM_ROUTE] = write_route,
		[ITEM_NEIGHBOUR] = write_neighbour,
	};
	char buffer[NETLINK_MESSAGE_MAX] = "";
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buffer);

	nlh->nlmsg_type = types[item->kind][add];
	if (add)
		nlh->nlmsg_flags = NLM_F_CREATE | NLM_F_REPLACE;
	if (item->message && ((struct nlmsghdr *)item->message)->nlmsg_len <= sizeof(buffer))
		write_kept(nlh, item, index);
	else
		write[item->kind](nlh, item, index);
	return netlink_do(nl, nlh);
}

/* ---- comparing ---- */

static bool same(const struct item *a, const struct item *b)
{
	return a->kind == b->kind && !prefix_cmp(&a->prefix, &b->prefix) &&
	       !strcmp(a->link, b->link) && a->metric == b->metric && !addr_cmp(&a->via, &b->via);
}

/* The item of s that is wanted, among those that are ours. */
static const struct item *find(const struct state *s, const struct item *wanted)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->items[i].ours && same(&s->items[i], wanted))
			return &s->items[i];
	return NULL;
}

/* Somebody else's route to the same place, which the kernel would put ours in the place of. */
static const struct item *in_the_way(const struct state *s, const struct item *wanted)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct item *item = &s->items[i];
		if (wanted->kind == ITEM_ROUTE && item->kind == ITEM_ROUTE && !item->ours &&
		    item->metric == wanted->metric && !prefix_cmp(&item->prefix, &wanted->prefix))
			return item;
	}
	return NULL;
}

static bool one_network(const struct item *a, const struct item *b)
{
	struct prefix x = prefix_network(&a->prefix), y = prefix_network(&b->prefix);

	return a->kind == ITEM_ADDRESS && b->kind == ITEM_ADDRESS &&
	       a->prefix.addr.family == AF_INET && !strcmp(a->link, b->link) && !prefix_cmp(&x, &y);
}

/*
 * The first item of target that the kernel has before one that target has before it, or NULL: of
 * the IPv4 addresses of one network the first is the one that the box speaks from.
 */
static const struct item *misplaced(const struct state *now, const struct state *target)
{
	for (size_t i = 1; i < target->n; i++) {
		const struct item *have = find(now, &target->items[i]);
		for (size_t j = 0; have && j < i; j++) {
			if (!one_network(&target->items[j], &target->items[i]))
				continue;
			const struct item *earlier = find(now, &target->items[j]);
			if (earlier && earlier > have)
				return &target->items[i];
		}
	}
	return NULL;
}

static void describe(const struct item *item, struct buf *out)
{
	char prefix[PREFIX_STR_MAX], via[ADDR_STR_MAX];

	prefix_format(&item->prefix, prefix);
	if (item->kind == ITEM_ADDRESS)
		buf_printf(out, "address %s on %s", prefix, item->link);
	else if (item->kind == ITEM_ROUTE)
		buf_printf(out, "route to %s via %s on %s", prefix, addr_format(&item->via, via),
			   item->link);
	else
		buf_printf(out, "proxy neighbour %s on %s", addr_format(&item->prefix.addr, via),
			   item->link);
}

static void tell(const struct item *item, const char *what, struct buf *out)
{
	describe(item, out);
	buf_printf(out, ": %s\n", what);
}

bool state_compare(struct netlink *nl, const struct scope *scope, const struct state *target,
		   struct buf *difference)
{
	struct state now;
	size_t before = difference->len;

	if (state_read(nl, scope, &now)) {
		buf_printf(difference, "addresses and routes cannot be read: %s\n",
			   netlink_reason(nl));
		state_free(&now);
		return false;
	}
	for (size_t i = 0; i < target->n; i++) {
		const struct item *item = &target->items[i], *have = find(&now, item);
		if (!have)
			tell(item, "missing", difference);
		else if (have->deprecated != item->deprecated)
			tell(item, item->deprecated ? "not deprecated" : "deprecated", difference);
	}
	for (size_t i = 0; i < now.n; i++)
		if (now.items[i].ours && !find(target, &now.items[i]))
			tell(&now.items[i], "not ours", difference);
	const struct item *late = misplaced(&now, target);
	if (late)
		tell(late, "before one that should come first", difference);
	state_free(&now);
	return difference->len == before;
}

/* ---- converging ---- */

struct pass {
	struct netlink *nl;
	struct kernel_links links;
	struct state now;
	const struct state *target;
	struct buf *error;
	size_t sent;
};

static bool send_one(struct pass *p, const struct item *item, bool add)
{
	const struct kernel_link *link = links_named(&p->links, item->link);

	if (!link && !add)
		return true; /* it went with its link */
	int error = link ? send_item(p->nl, item, add, link->index) : ENODEV;
	p->sent++;
	if (!error || (!add && (error == ESRCH || error == EADDRNOTAVAIL || error == ENOENT)))
		return true;
	describe(item, p->error);
	buf_printf(p->error, ": cannot be %s: %s\n", add ? "set" : "removed",
		   link ? netlink_reason(p->nl) : "no such device");
	return false;
}

static bool add_missing(struct pass *p)
{
	for (size_t i = 0; i < p->target->n; i++) {
		const struct item *item = &p->target->items[i], *have = find(&p->now, item);
		const struct item *other = in_the_way(&p->now, item);

		if (!item->ours || (have && have->deprecated == item->deprecated))
			continue;
		if (other) {
			describe(item, p->error);
			buf_printf(p->error,
				   ": a route to the same place on %s is in the way; remove it\n",
				   other->link);
			return false;
		}
		if (!send_one(p, item, true))
			return false;
	}
	return true;
}

static bool remove_extra(struct pass *p, enum item_kind kind)
{
	for (size_t i = 0; i < p->now.n; i++) {
		const struct item *item = &p->now.items[i];
		if (item->kind == kind && item->ours && !find(p->target, item) &&
		    !send_one(p, item, false))
			return false;
	}
	return true;
}

/* Moves one address behind those that should come before it. */
static bool put_in_order(struct pass *p)
{
	const struct item *late = misplaced(&p->now, p->target);
	const struct item *have = late ? find(&p->now, late) : NULL;

	/* As the kernel has it: it may have a label, or a scope, that the target does not speak of.
	 */
	return !have || (send_one(p, have, false) && send_one(p, have, true));
}

static bool run_pass(struct pass *p, const struct scope *scope)
{
	p->sent = 0;
	if (links_read(p->nl, &p->links) || state_read(p->nl, scope, &p->now)) {
		buf_printf(p->error, "addresses and routes cannot be read: %s\n",
			   netlink_reason(p->nl));
		return false;
	}
	return add_missing(p) && remove_extra(p, ITEM_ROUTE) && remove_extra(p, ITEM_NEIGHBOUR) &&
	       remove_extra(p, ITEM_ADDRESS) && (p->sent || put_in_order(p));
}

bool state_converge(struct netlink *nl, const struct scope *scope, const struct state *target,
		    struct buf *error)
{
	struct pass p = {.nl = nl, .target = target, .error = error};
	size_t passes = PASSES + target->n; /* one address is moved in a pass */
	bool ok = true;

	do {
		ok = run_pass(&p, scope);
		state_free(&p.now);
		links_free(&p.links);
	} while (ok && p.sent && passes-- > 0);
	if (ok && p.sent) {
		buf_appends(error, "addresses and routes do not stay as they are set\n");
		ok = false;
	}
	return ok;
}
