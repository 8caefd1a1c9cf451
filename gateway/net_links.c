/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fwrules/array.h"
#include "gateway/net_linux.h"
#include "gateway/net_state.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <string.h>

static struct nlmsghdr *link_request(char *buffer, uint16_t type, uint16_t flags, uint32_t index)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buffer);

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = flags;
	struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));
	ifi->ifi_family = AF_UNSPEC;
	ifi->ifi_index = (int)index;
	return nlh;
}

static void read_kind(const struct nlattr *info, struct kernel_link *link)
{
	const struct nlattr *attr, *data;
	bool vlan = false;

	mnl_attr_for_each_nested(attr, info)
	{
		if (mnl_attr_get_type(attr) == IFLA_INFO_KIND) {
			vlan = !strcmp(mnl_attr_get_str(attr), "vlan");
			link->is_bridge = !strcmp(mnl_attr_get_str(attr), "bridge");
		}
		if (mnl_attr_get_type(attr) != IFLA_INFO_DATA || !vlan)
			continue;
		mnl_attr_for_each_nested(data, attr) if (mnl_attr_get_type(data) == IFLA_VLAN_ID)
			link->vlan = mnl_attr_get_u16(data);
	}
}

static void read_link(const struct nlmsghdr *nlh, void *context)
{
	struct kernel_links *links = context;
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	struct kernel_link *link = ARRAY_NEXT(links->at, links->n, links->cap);
	const struct nlattr *attr;

	link->index = (uint32_t)ifi->ifi_index;
	link->up = ifi->ifi_flags & IFF_UP;
	mnl_attr_for_each(attr, nlh, sizeof(*ifi))
	{
		switch (mnl_attr_get_type(attr)) {
		case IFLA_IFNAME:
			strncpy(link->name, mnl_attr_get_str(attr), IFNAMSIZ - 1);
			break;
		case IFLA_MTU:
			link->mtu = mnl_attr_get_u32(attr);
			break;
		case IFLA_LINK:
			link->parent_index = mnl_attr_get_u32(attr);
			break;
		case IFLA_MASTER:
			link->bridge_index = mnl_attr_get_u32(attr);
			break;
		case IFLA_GROUP:
			link->group = mnl_attr_get_u32(attr);
			break;
		case IFLA_LINKINFO:
			read_kind(attr, link);
			break;
		default:
			break;
		}
	}
}

int links_read(struct netlink *nl, struct kernel_links *out)
{
	char buffer[NETLINK_MESSAGE_MAX];

	*out = (struct kernel_links){0};
	return netlink_dump(nl, link_request(buffer, RTM_GETLINK, 0, 0), read_link, out);
}

const struct kernel_link *links_named(const struct kernel_links *links, const char *name)
{
	for (size_t i = 0; i < links->n; i++)
		if (!strcmp(links->at[i].name, name))
			return &links->at[i];
	return NULL;
}

const struct kernel_link *links_indexed(const struct kernel_links *links, uint32_t index)
{
	for (size_t i = 0; i < links->n; i++)
		if (links->at[i].index == index)
			return &links->at[i];
	return NULL;
}

void links_free(struct kernel_links *links)
{
	free(links->at);
	*links = (struct kernel_links){0};
}

int link_set(struct netlink *nl, uint32_t index, bool up, unsigned mtu)
{
	char buffer[NETLINK_MESSAGE_MAX];
	struct nlmsghdr *nlh = link_request(buffer, RTM_NEWLINK, 0, index);
	struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);

	ifi->ifi_change = IFF_UP;
	ifi->ifi_flags = up ? IFF_UP : 0;
	if (mtu)
		mnl_attr_put_u32(nlh, IFLA_MTU, mtu);
	return netlink_do(nl, nlh);
}

int link_add_vlan(struct netlink *nl, const char *name, uint32_t parent_index, unsigned vlan)
{
	char buffer[NETLINK_MESSAGE_MAX];
	struct nlmsghdr *nlh = link_request(buffer, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0);

	mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
	mnl_attr_put_u32(nlh, IFLA_LINK, parent_index);
	mnl_attr_put_u32(nlh, IFLA_GROUP, NET_PROTOCOL);
	struct nlattr *info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
	mnl_attr_put_strz(nlh, IFLA_INFO_KIND, "vlan");
	struct nlattr *data = mnl_attr_nest_start(nlh, IFLA_INFO_DATA);
	mnl_attr_put_u16(nlh, IFLA_VLAN_ID, (uint16_t)vlan);
	mnl_attr_nest_end(nlh, data);
	mnl_attr_nest_end(nlh, info);
	return netlink_do(nl, nlh);
}

int link_add_bridge(struct netlink *nl, const char *name)
{
	char buffer[NETLINK_MESSAGE_MAX];
	struct nlmsghdr *nlh = link_request(buffer, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, 0);

	mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
	mnl_attr_put_u32(nlh, IFLA_GROUP, NET_PROTOCOL);
	struct nlattr *info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
	mnl_attr_put_strz(nlh, IFLA_INFO_KIND, "bridge");
	struct nlattr *data = mnl_attr_nest_start(nlh, IFLA_INFO_DATA);
	mnl_attr_put_u32(nlh, IFLA_BR_STP_STATE, 0);
	mnl_attr_put_u32(nlh, IFLA_BR_FORWARD_DELAY, 0);
	/* Neighbour discovery is multicast, and nobody here asks who listens. */
	mnl_attr_put_u8(nlh, IFLA_BR_MCAST_SNOOPING, 0);
	mnl_attr_nest_end(nlh, data);
	mnl_attr_nest_end(nlh, info);
	return netlink_do(nl, nlh);
}

int link_set_bridge(struct netlink *nl, uint32_t index, uint32_t bridge_index)
{
	char buffer[NETLINK_MESSAGE_MAX];
	struct nlmsghdr *nlh = link_request(buffer, RTM_NEWLINK, 0, index);

	mnl_attr_put_u32(nlh, IFLA_MASTER, bridge_index);
	return netlink_do(nl, nlh);
}

int link_delete(struct netlink *nl, uint32_t index)
{
	char buffer[NETLINK_MESSAGE_MAX];

	return netlink_do(nl, link_request(buffer, RTM_DELLINK, 0, index));
}
