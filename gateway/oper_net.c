/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gateway/oper.h"

#include "fwrules/policy.h"
#include "lib/addr.h"
#include "lib/netlink.h"
#include "model/model.h"

#include <arpa/inet.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

/* ---- asking ---- */

static json_t *dump(uint16_t type, size_t header_bytes, netlink_message *each, struct buf *error)
{
	char bytes[MNL_NLMSG_HDRLEN + 64];
	struct nlmsghdr *request = mnl_nlmsg_put_header(bytes);
	struct netlink *nl = netlink_open(NETLINK_ROUTE, error);
	json_t *rows = json_array();

	if (!nl)
		goto err;
	request->nlmsg_type = type;
	request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	mnl_nlmsg_put_extra_header(request, header_bytes); /* zeroed: every family */
	if (netlink_dump(nl, request, each, rows) != 0) {
		buf_printf(error, "the kernel does not answer: %s\n", netlink_reason(nl));
		goto err;
	}
	netlink_close(nl);
	return rows;
err:
	if (nl)
		netlink_close(nl);
	json_decref(rows);
	return NULL;
}

/* table[type] for each attribute, NULL where there is none. */
static void attributes(const struct nlmsghdr *nlh, size_t header_bytes, const struct nlattr **table,
		       size_t max)
{
	struct nlattr *attr;

	memset(table, 0, (max + 1) * sizeof(*table));
	mnl_attr_for_each(attr, nlh, header_bytes)
	{
		if (mnl_attr_get_type(attr) <= max)
			table[mnl_attr_get_type(attr)] = attr;
	}
}

static const char *address_text(int family, const struct nlattr *attr, char out[ADDR_STR_MAX])
{
	size_t want = family == AF_INET ? 4 : 16;
	struct addr a = {.family = family};

	if (mnl_attr_get_payload_len(attr) != want)
		return "?";
	memcpy(a.bytes, mnl_attr_get_payload(attr), want);
	return addr_format(&a, out);
}

static json_t *mac_text(const struct nlattr *attr)
{
	const uint8_t *m = attr ? mnl_attr_get_payload(attr) : NULL;
	char text[32] = "";

	if (m && mnl_attr_get_payload_len(attr) == 6)
		snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2],
			 m[3], m[4], m[5]);
	return json_string(text);
}

static json_t *device_name(uint32_t index)
{
	char name[IF_NAMESIZE] = "";

	return json_string(index && if_indextoname(index, name) ? name : "");
}

/* ---- interfaces ---- */

static const char *link_state(const struct ifinfomsg *info, const struct nlattr *operstate)
{
	uint8_t state = operstate ? mnl_attr_get_u8(operstate) : 0;

	if (!(info->ifi_flags & IFF_UP))
		return "disabled";
	if (state == 6 || (state == 0 && (info->ifi_flags & IFF_RUNNING))) /* IF_OPER_UP, UNKNOWN */
		return "up";
	return "no link";
}

static void add_counters(json_t *row, const struct nlattr *attr)
{
	struct rtnl_link_stats64 stats;

	memset(&stats, 0, sizeof(stats));
	if (attr) {
		size_t len = mnl_attr_get_payload_len(attr);
		memcpy(&stats, mnl_attr_get_payload(attr),
		       len < sizeof(stats) ? len : sizeof(stats));
	}
	const struct {
		const char *name;
		uint64_t value;
	} all[] = {
		{"rx_bytes", stats.rx_bytes},   {"rx_packets", stats.rx_packets},
		{"rx_errors", stats.rx_errors}, {"rx_dropped", stats.rx_dropped},
		{"tx_bytes", stats.tx_bytes},   {"tx_packets", stats.tx_packets},
		{"tx_errors", stats.tx_errors}, {"tx_dropped", stats.tx_dropped},
	};
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		json_object_set_new(row, all[i].name, json_integer((json_int_t)all[i].value));
}

static void add_link(const struct nlmsghdr *nlh, void *rows)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *at[IFLA_MAX + 1];

	attributes(nlh, sizeof(*info), at, IFLA_MAX);
	if (!at[IFLA_IFNAME])
		return;
	json_t *row = json_pack(
		"{s:s s:i s:s s:s s:o s:i s:[]}", "name", mnl_attr_get_str(at[IFLA_IFNAME]),
		"index", info->ifi_index, "role", "", "state", link_state(info, at[IFLA_OPERSTATE]),
		"mac", mac_text(at[IFLA_ADDRESS]), "mtu",
		at[IFLA_MTU] ? (int)mnl_attr_get_u32(at[IFLA_MTU]) : 0, "addresses");
	add_counters(row, at[IFLA_STATS64]);
	json_array_append_new(rows, row);
}

static void add_address(const struct nlmsghdr *nlh, void *rows)
{
	const struct ifaddrmsg *info = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *at[IFA_MAX + 1];
	char text[ADDR_STR_MAX], whole[PREFIX_STR_MAX + 8];

	attributes(nlh, sizeof(*info), at, IFA_MAX);
	const struct nlattr *own = at[IFA_LOCAL] ? at[IFA_LOCAL] : at[IFA_ADDRESS];
	if (!own)
		return;
	snprintf(whole, sizeof(whole), "%s/%u", address_text(info->ifa_family, own, text),
		 info->ifa_prefixlen);
	json_array_append_new(
		rows, json_pack("{s:i s:s}", "index", (int)info->ifa_index, "address", whole));
}

static void join_addresses(json_t *links, json_t *addresses)
{
	size_t i, j;
	json_t *link, *address;

	json_array_foreach(links, i, link)
	{
		json_int_t index = json_integer_value(json_object_get(link, "index"));
		json_array_foreach(addresses, j, address)
		{
			if (json_integer_value(json_object_get(address, "index")) == index)
				json_array_append(json_object_get(link, "addresses"),
						  json_object_get(address, "address"));
		}
		json_object_del(link, "index");
	}
}

static void name_roles(json_t *links, const struct lyd_node *running)
{
	static const char *const roles[] = {"wan", "dmz"};
	const struct lyd_node *interfaces = conf_top(running, "interfaces");
	char name[IFNAMSIZ];
	size_t i;
	json_t *link;

	for (size_t r = 0; r < 2; r++) {
		const struct lyd_node *port = conf_child(interfaces, roles[r]);
		if (!port || !policy_port_name(port, name))
			continue;
		json_array_foreach(links, i, link)
		{
			if (!strcmp(json_string_value(json_object_get(link, "name")), name))
				json_object_set_new(link, "role", json_string(roles[r]));
		}
	}
}

json_t *oper_interfaces(const struct lyd_node *running, struct buf *error)
{
	json_t *links = dump(RTM_GETLINK, sizeof(struct ifinfomsg), add_link, error);
	json_t *addresses =
		links ? dump(RTM_GETADDR, sizeof(struct ifaddrmsg), add_address, error) : NULL;

	if (!addresses) {
		json_decref(links);
		return NULL;
	}
	join_addresses(links, addresses);
	json_decref(addresses);
	name_roles(links, running);
	return links;
}

/* ---- routes, neighbours ---- */

static const char *route_kind(const struct rtmsg *info)
{
	if (info->rtm_type == RTN_BLACKHOLE || info->rtm_type == RTN_UNREACHABLE)
		return "unreachable";
	return info->rtm_protocol == RTPROT_KERNEL ? "connected" : "static";
}

static void add_route(const struct nlmsghdr *nlh, void *rows)
{
	const struct rtmsg *info = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *at[RTA_MAX + 1];
	char to[ADDR_STR_MAX], via[ADDR_STR_MAX], whole[PREFIX_STR_MAX + 8];

	attributes(nlh, sizeof(*info), at, RTA_MAX);
	uint32_t table = at[RTA_TABLE] ? mnl_attr_get_u32(at[RTA_TABLE]) : info->rtm_table;
	if (table != RT_TABLE_MAIN || (info->rtm_flags & RTM_F_CLONED) ||
	    (info->rtm_family != AF_INET && info->rtm_family != AF_INET6))
		return;
	if (at[RTA_DST])
		snprintf(whole, sizeof(whole), "%s/%u",
			 address_text(info->rtm_family, at[RTA_DST], to), info->rtm_dst_len);
	else
		snprintf(whole, sizeof(whole), "%s",
			 info->rtm_family == AF_INET ? "0.0.0.0/0" : "::/0");
	json_array_append_new(
		rows,
		json_pack("{s:s s:s s:o s:s s:I}", "to", whole, "via",
			  at[RTA_GATEWAY] ? address_text(info->rtm_family, at[RTA_GATEWAY], via)
					  : "",
			  "device", device_name(at[RTA_OIF] ? mnl_attr_get_u32(at[RTA_OIF]) : 0),
			  "kind", route_kind(info), "metric",
			  (json_int_t)(at[RTA_PRIORITY] ? mnl_attr_get_u32(at[RTA_PRIORITY]) : 0)));
}

json_t *oper_routes(struct buf *error)
{
	return dump(RTM_GETROUTE, sizeof(struct rtmsg), add_route, error);
}

static const char *neighbour_state(uint16_t state)
{
	static const struct {
		uint16_t bit;
		const char *name;
	} names[] = {
		{NUD_REACHABLE, "reachable"}, {NUD_STALE, "stale"},       {NUD_DELAY, "stale"},
		{NUD_PROBE, "asking"},        {NUD_INCOMPLETE, "asking"}, {NUD_FAILED, "no answer"},
		{NUD_PERMANENT, "fixed"},
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (state & names[i].bit)
			return names[i].name;
	return "";
}

static void add_neighbour(const struct nlmsghdr *nlh, void *rows)
{
	const struct ndmsg *info = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *at[NDA_MAX + 1];
	char text[ADDR_STR_MAX];

	attributes(nlh, sizeof(*info), at, NDA_MAX);
	if (!at[NDA_DST] || (info->ndm_state & NUD_NOARP) ||
	    (info->ndm_family != AF_INET && info->ndm_family != AF_INET6))
		return;
	json_array_append_new(rows, json_pack("{s:s s:o s:o s:s}", "address",
					      address_text(info->ndm_family, at[NDA_DST], text),
					      "device", device_name((uint32_t)info->ndm_ifindex),
					      "mac", mac_text(at[NDA_LLADDR]), "state",
					      neighbour_state(info->ndm_state)));
}

json_t *oper_neighbours(struct buf *error)
{
	return dump(RTM_GETNEIGH, sizeof(struct ndmsg), add_neighbour, error);
}
