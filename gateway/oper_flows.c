/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's table of connections, as rows. A connection belongs to a server when one of the two
 * addresses that its packets really carry behind the box is the server's: the original source, or
 * the source of the replies (the other side of a NAT).
 */
#include "gateway/oper.h"

#include "lib/addr.h"
#include "lib/netlink.h"
#include "model/model.h"

#include <arpa/inet.h>
#include <endian.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- whose address ---- */

struct owned {
	struct addr addr;
	const char *server;
};
struct owners {
	struct owned *list;
	size_t count;
};

static int by_addr(const void *a, const void *b)
{
	return addr_cmp(&((const struct owned *)a)->addr, &((const struct owned *)b)->addr);
}

static void find_owners(const struct lyd_node *running, struct owners *o)
{
	const struct lyd_node *servers = conf_top(running, "servers");
	size_t cap = 0;

	*o = (struct owners){0};
	CONF_FOR_EACH (server, servers, "server")
		CONF_FOR_EACH (n, server, "address") {
			struct owned one = {.server = conf_value(server, "name")};
			if (!addr_parse(conf_text(n), &one.addr))
				continue;
			if (o->count == cap) {
				cap = cap ? cap * 2 : 64;
				o->list = realloc(o->list, cap * sizeof(*o->list));
				if (!o->list)
					abort();
			}
			o->list[o->count++] = one;
		}
	if (o->count)
		qsort(o->list, o->count, sizeof(*o->list), by_addr);
}

static const char *owner_of(const struct owners *o, const struct addr *a)
{
	const struct owned key = {.addr = *a};
	const struct owned *found =
		o->count ? bsearch(&key, o->list, o->count, sizeof(key), by_addr) : NULL;

	return found ? found->server : "";
}

/* ---- one connection ---- */

struct tuple {
	struct addr from, to;
	uint8_t proto;
	uint16_t from_port, to_port; /* host order */
	bool ports;
};

struct connection {
	struct tuple there, back;
	uint64_t packets, bytes;
	uint32_t status;
	uint8_t tcp_state;
	const char *server;
};

struct search {
	const struct owners *owners;
	const char *server;
	struct connection *list;
	size_t count, cap;
};

static void read_address(const struct nlattr *attr, int family, struct addr *out)
{
	size_t want = family == AF_INET ? 4 : 16;

	if (mnl_attr_get_payload_len(attr) < want)
		return;
	out->family = family;
	memcpy(out->bytes, mnl_attr_get_payload(attr), want);
}

static void read_addresses(const struct nlattr *nest, struct tuple *t)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, nest)
	{
		switch (mnl_attr_get_type(attr)) {
		case CTA_IP_V4_SRC:
			read_address(attr, AF_INET, &t->from);
			break;
		case CTA_IP_V4_DST:
			read_address(attr, AF_INET, &t->to);
			break;
		case CTA_IP_V6_SRC:
			read_address(attr, AF_INET6, &t->from);
			break;
		case CTA_IP_V6_DST:
			read_address(attr, AF_INET6, &t->to);
			break;
		default:
			break;
		}
	}
}

static void read_ports(const struct nlattr *nest, struct tuple *t)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, nest)
	{
		switch (mnl_attr_get_type(attr)) {
		case CTA_PROTO_NUM:
			t->proto = mnl_attr_get_u8(attr);
			break;
		case CTA_PROTO_SRC_PORT:
			t->from_port = ntohs(mnl_attr_get_u16(attr));
			t->ports = true;
			break;
		case CTA_PROTO_DST_PORT:
			t->to_port = ntohs(mnl_attr_get_u16(attr));
			break;
		default:
			break;
		}
	}
}

static void read_tuple(const struct nlattr *nest, struct tuple *t)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, nest)
	{
		if (mnl_attr_get_type(attr) == CTA_TUPLE_IP)
			read_addresses(attr, t);
		else if (mnl_attr_get_type(attr) == CTA_TUPLE_PROTO)
			read_ports(attr, t);
	}
}

static void add_counters(const struct nlattr *nest, struct connection *c)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, nest)
	{
		if (mnl_attr_get_payload_len(attr) < sizeof(uint64_t))
			continue;
		if (mnl_attr_get_type(attr) == CTA_COUNTERS_PACKETS)
			c->packets += be64toh(mnl_attr_get_u64(attr));
		else if (mnl_attr_get_type(attr) == CTA_COUNTERS_BYTES)
			c->bytes += be64toh(mnl_attr_get_u64(attr));
	}
}

static void read_protocol_state(const struct nlattr *nest, struct connection *c)
{
	const struct nlattr *tcp, *attr;

	mnl_attr_for_each_nested(tcp, nest)
	{
		if (mnl_attr_get_type(tcp) != CTA_PROTOINFO_TCP)
			continue;
		mnl_attr_for_each_nested(attr, tcp)
		{
			if (mnl_attr_get_type(attr) == CTA_PROTOINFO_TCP_STATE)
				c->tcp_state = mnl_attr_get_u8(attr);
		}
	}
}

static void take_connection(const struct nlmsghdr *nlh, void *context)
{
	struct search *s = context;
	struct connection c = {0};
	const struct nlattr *attr;

	mnl_attr_for_each(attr, nlh, sizeof(struct nfgenmsg))
	{
		switch (mnl_attr_get_type(attr)) {
		case CTA_TUPLE_ORIG:
			read_tuple(attr, &c.there);
			break;
		case CTA_TUPLE_REPLY:
			read_tuple(attr, &c.back);
			break;
		case CTA_COUNTERS_ORIG:
		case CTA_COUNTERS_REPLY:
			add_counters(attr, &c);
			break;
		case CTA_PROTOINFO:
			read_protocol_state(attr, &c);
			break;
		case CTA_STATUS:
			c.status = ntohl(mnl_attr_get_u32(attr));
			break;
		default:
			break;
		}
	}
	c.server = owner_of(s->owners, &c.back.from);
	if (!*c.server)
		c.server = owner_of(s->owners, &c.there.from);
	if (s->server && strcmp(c.server, s->server) != 0)
		return;
	if (s->count == s->cap) {
		s->cap = s->cap ? s->cap * 2 : 256;
		s->list = realloc(s->list, s->cap * sizeof(*s->list));
		if (!s->list)
			abort();
	}
	s->list[s->count++] = c;
}

/* ---- rows ---- */

static int by_bytes(const void *a, const void *b)
{
	const struct connection *x = a, *y = b;

	return (x->bytes < y->bytes) - (x->bytes > y->bytes);
}

static const char *state_of(const struct connection *c)
{
	static const char *const tcp[] = {
		[TCP_CONNTRACK_NONE] = "",
		[TCP_CONNTRACK_SYN_SENT] = "opening",
		[TCP_CONNTRACK_SYN_RECV] = "opening",
		[TCP_CONNTRACK_ESTABLISHED] = "open",
		[TCP_CONNTRACK_FIN_WAIT] = "closing",
		[TCP_CONNTRACK_CLOSE_WAIT] = "closing",
		[TCP_CONNTRACK_LAST_ACK] = "closing",
		[TCP_CONNTRACK_TIME_WAIT] = "closed",
		[TCP_CONNTRACK_CLOSE] = "closed",
		[TCP_CONNTRACK_SYN_SENT2] = "opening",
	};

	if (c->status & IPS_OFFLOAD)
		return "offloaded";
	if (c->there.proto == IPPROTO_TCP && c->tcp_state < sizeof(tcp) / sizeof(*tcp))
		return tcp[c->tcp_state];
	return c->status & IPS_SEEN_REPLY ? "answered" : "no answer";
}

static json_t *end_text(const struct addr *a, bool ports, uint16_t port)
{
	char text[ADDR_STR_MAX], whole[ADDR_STR_MAX + 16];

	if (a->family == AF_UNSPEC)
		return json_string("?");
	addr_format(a, text);
	if (!ports)
		return json_string(text);
	snprintf(whole, sizeof(whole), a->family == AF_INET6 ? "[%s]:%u" : "%s:%u", text, port);
	return json_string(whole);
}

static json_t *protocol_text(uint8_t proto)
{
	static const struct {
		uint8_t number;
		const char *name;
	} names[] = {{IPPROTO_TCP, "tcp"},
		     {IPPROTO_UDP, "udp"},
		     {IPPROTO_ICMP, "icmp"},
		     {IPPROTO_ICMPV6, "icmp6"}};
	char number[8];

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (names[i].number == proto)
			return json_string(names[i].name);
	snprintf(number, sizeof(number), "%u", proto);
	return json_string(number);
}

static json_t *row_of(const struct connection *c)
{
	const struct tuple *t = &c->there;

	return json_pack("{s:o s:o s:o s:s s:s s:I s:I}", "protocol", protocol_text(t->proto),
			 "from", end_text(&t->from, t->ports, t->from_port), "to",
			 end_text(&t->to, t->ports, t->to_port), "server", c->server, "state",
			 state_of(c), "packets", (json_int_t)c->packets, "bytes",
			 (json_int_t)c->bytes);
}

static bool read_all(struct search *s, struct buf *error)
{
	char bytes[NETLINK_MESSAGE_MAX];
	struct netlink *nl = netlink_open(NETLINK_NETFILTER, error);
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(bytes);

	if (!nl)
		return false;
	nlh->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	nlh->nlmsg_seq = netlink_seq(nl);
	struct nfgenmsg *nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	nfg->nfgen_family = AF_UNSPEC;
	nfg->version = NFNETLINK_V0;
	bool ok = netlink_dump(nl, nlh, take_connection, s) == 0;
	if (!ok)
		buf_printf(error, "the kernel does not tell its connections: %s\n",
			   netlink_reason(nl));
	netlink_close(nl);
	return ok;
}

json_t *oper_flows(const struct lyd_node *running, const char *server, size_t limit, size_t *total,
		   struct buf *error)
{
	struct owners owners;
	json_t *rows = NULL;

	*total = 0;
	if (server && !conf_find(conf_top(running, "servers"), "server", server)) {
		buf_printf(error, "\"%s\": no server has this name\n", server);
		return NULL;
	}
	find_owners(running, &owners);
	struct search s = {.owners = &owners, .server = server};
	if (read_all(&s, error)) {
		rows = json_array();
		*total = s.count;
		if (s.count)
			qsort(s.list, s.count, sizeof(*s.list), by_bytes);
		for (size_t i = 0; i < s.count && i < limit; i++)
			json_array_append_new(rows, row_of(&s.list[i]));
	}
	free(owners.list);
	free(s.list);
	return rows;
}
