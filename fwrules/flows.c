/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fwrules/flows.h"

#include "fwrules/array.h"
#include "fwrules/decide.h"
#include "fwrules/fw.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <stdlib.h>
#include <string.h>

/* What a CT_DELETE names an entry by. Without the tuple a 6.1 kernel would delete them all. */
struct entry {
	uint8_t family;
	uint32_t id; /* network order */
	bool has_id;
	uint16_t tuple_bytes;
	uint8_t tuple[128]; /* the nest CTA_TUPLE_ORIG as it came */
};

struct search {
	const struct policy *policy;
	struct entry *found;
	size_t n, cap;
};

static void read_address(const struct nlattr *attr, int family, struct addr *out)
{
	if (mnl_attr_get_payload_len(attr) < (family == AF_INET ? 4 : 16))
		return;
	out->family = family;
	memcpy(out->bytes, mnl_attr_get_payload(attr), family == AF_INET ? 4 : 16);
}

static void read_addresses(const struct nlattr *nest, struct flow *f)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, nest)
	{
		switch (mnl_attr_get_type(attr)) {
		case CTA_IP_V4_SRC:
			read_address(attr, AF_INET, &f->from);
			break;
		case CTA_IP_V4_DST:
			read_address(attr, AF_INET, &f->to);
			break;
		case CTA_IP_V6_SRC:
			read_address(attr, AF_INET6, &f->from);
			break;
		case CTA_IP_V6_DST:
			read_address(attr, AF_INET6, &f->to);
			break;
		default:
			break;
		}
	}
}

static void read_protocol(const struct nlattr *nest, struct flow *f, uint16_t *from_port)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, nest)
	{
		switch (mnl_attr_get_type(attr)) {
		case CTA_PROTO_NUM:
			f->proto = mnl_attr_get_u8(attr);
			break;
		case CTA_PROTO_SRC_PORT:
			*from_port = ntohs(mnl_attr_get_u16(attr));
			break;
		case CTA_PROTO_DST_PORT:
			f->to_port = ntohs(mnl_attr_get_u16(attr));
			break;
		case CTA_PROTO_ICMP_TYPE:
		case CTA_PROTO_ICMPV6_TYPE:
			f->icmp_type = mnl_attr_get_u8(attr);
			break;
		default:
			break;
		}
	}
}

static bool read_tuple(const struct nlattr *tuple, struct flow *f, uint16_t *from_port)
{
	const struct nlattr *attr;

	*f = (struct flow){0};
	*from_port = 0;
	mnl_attr_for_each_nested(attr, tuple)
	{
		if (mnl_attr_get_type(attr) == CTA_TUPLE_IP)
			read_addresses(attr, f);
		else if (mnl_attr_get_type(attr) == CTA_TUPLE_PROTO)
			read_protocol(attr, f, from_port);
	}
	return f->from.family != AF_UNSPEC && f->from.family == f->to.family;
}

/*
 * Whether the answers come from where the policy would lead such a connection now, and go to whom
 * it would be seen from.
 */
static bool is_led_right(const struct policy *p, const struct flow *f, const struct flow *reply,
			 uint16_t reply_from_port)
{
	struct nat_flow now = {f->from, f->to, f->proto, f->to_port};

	policy_translate(p, &now);
	return !addr_cmp(&reply->from, &now.to) && !addr_cmp(&reply->to, &now.from) &&
	       (!now.to_port || reply_from_port == now.to_port);
}

static void look_at(const struct nlmsghdr *nlh, void *context)
{
	struct search *s = context;
	const struct nfgenmsg *nfg = mnl_nlmsg_get_payload(nlh);
	struct entry e = {.family = nfg->nfgen_family};
	const struct nlattr *attr;
	struct flow flow, reply;
	uint16_t port, reply_port = 0;
	bool known = false, has_reply = false;

	mnl_attr_for_each(attr, nlh, sizeof(*nfg))
	{
		if (mnl_attr_get_type(attr) == CTA_TUPLE_ORIG &&
		    mnl_attr_get_payload_len(attr) <= sizeof(e.tuple)) {
			e.tuple_bytes = mnl_attr_get_payload_len(attr);
			memcpy(e.tuple, mnl_attr_get_payload(attr), e.tuple_bytes);
			known = read_tuple(attr, &flow, &port);
		} else if (mnl_attr_get_type(attr) == CTA_TUPLE_REPLY) {
			has_reply = read_tuple(attr, &reply, &reply_port);
		} else if (mnl_attr_get_type(attr) == CTA_ID) {
			e.id = mnl_attr_get_u32(attr);
			e.has_id = true;
		}
	}
	if (known && (!policy_allows(s->policy, &flow, NULL) ||
		      (has_reply && !is_led_right(s->policy, &flow, &reply, reply_port))))
		*ARRAY_NEXT(s->found, s->n, s->cap) = e;
}

static struct nlmsghdr *request(char *buffer, uint16_t type, uint8_t family)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buffer);

	nlh->nlmsg_type = (uint16_t)(NFNL_SUBSYS_CTNETLINK << 8 | type);
	struct nfgenmsg *nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	nfg->nfgen_family = family;
	nfg->version = NFNETLINK_V0;
	return nlh;
}

static int cut(struct netlink *nl, const struct entry *e)
{
	char buffer[NETLINK_MESSAGE_MAX];
	struct nlmsghdr *nlh = request(buffer, IPCTNL_MSG_CT_DELETE, e->family);

	mnl_attr_put(nlh, CTA_TUPLE_ORIG | NLA_F_NESTED, e->tuple_bytes, e->tuple);
	if (e->has_id)
		mnl_attr_put_u32(nlh, CTA_ID, e->id);
	return netlink_do(nl, nlh);
}

/* Looking through a large table for nothing takes some 8 ms. */
static bool none_tracked(void)
{
	struct buf text = BUF_INIT;
	bool none = buf_read_file(&text, "/proc/sys/net/netfilter/nf_conntrack_count", 64) &&
		    !strcmp(buf_str(&text), "0\n");

	buf_free(&text);
	return none;
}

long fw_cut_flows(struct fw *fw, const struct policy *p, struct buf *error)
{
	char buffer[NETLINK_MESSAGE_MAX];
	struct search s = {.policy = p};
	long count = 0;

	if (none_tracked())
		return 0;
	int status =
		netlink_dump(fw->nl, request(buffer, IPCTNL_MSG_CT_GET, AF_UNSPEC), look_at, &s);
	for (size_t i = 0; i < s.n && !status; i++) {
		status = cut(fw->nl, &s.found[i]);
		if (!status)
			count++;
		else if (status == ENOENT) /* it ended by itself */
			status = 0;
	}
	if (status)
		buf_printf(error, "firewall: connections that are no longer allowed: %s\n",
			   netlink_reason(fw->nl));
	free(s.found);
	return status ? -1 : count;
}
