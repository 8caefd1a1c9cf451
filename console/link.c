/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "console/link.h"

#include <errno.h>
#include <linux/if.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

int link_open(void)
{
	const struct sockaddr_nl at = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);

	if (fd >= 0 && bind(fd, (const struct sockaddr *)&at, sizeof(at)) != 0) {
		int why = errno;
		close(fd);
		errno = why;
		return -1;
	}
	return fd;
}

bool link_ask(int fd, unsigned index)
{
	const struct {
		struct nlmsghdr header;
		struct ifinfomsg link;
	} ask = {
		.header = {.nlmsg_len = sizeof(ask),
			   .nlmsg_type = RTM_GETLINK,
			   .nlmsg_flags = NLM_F_REQUEST},
		.link = {.ifi_family = AF_UNSPEC, .ifi_index = (int)index},
	};

	return send(fd, &ask, sizeof(ask), MSG_NOSIGNAL) == (ssize_t)sizeof(ask);
}

static enum link_state state_in(const struct nlmsghdr *h, unsigned index)
{
	const struct ifinfomsg *link = NLMSG_DATA(h);

	if ((h->nlmsg_type != RTM_NEWLINK && h->nlmsg_type != RTM_DELLINK) ||
	    h->nlmsg_len < NLMSG_LENGTH(sizeof(*link)) || (unsigned)link->ifi_index != index)
		return LINK_UNKNOWN;
	if (h->nlmsg_type == RTM_DELLINK)
		return LINK_GONE;
	return (link->ifi_flags & IFF_RUNNING) ? LINK_CABLE_IN : LINK_CABLE_OUT;
}

enum link_state link_read(int fd, unsigned index)
{
	enum link_state state = LINK_UNKNOWN;
	_Alignas(struct nlmsghdr) char bytes[16384];
	ssize_t n;

	while (state != LINK_GONE && (n = recv(fd, bytes, sizeof(bytes), MSG_TRUNC)) != 0) {
		if (n < 0 && errno == ENOBUFS) { /* some changes were lost: the state, then */
			link_ask(fd, index);
			continue;
		}
		if (n < 0)
			break;
		unsigned left = n > (ssize_t)sizeof(bytes) ? 0 : (unsigned)n;
		for (struct nlmsghdr *h = (struct nlmsghdr *)bytes; NLMSG_OK(h, left);
		     h = NLMSG_NEXT(h, left)) {
			enum link_state one = state_in(h, index);
			state = one != LINK_UNKNOWN ? one : state;
		}
	}
	return state;
}
