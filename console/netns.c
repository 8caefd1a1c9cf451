/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "console/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <unistd.h>

#ifndef NSFS_MAGIC
#define NSFS_MAGIC 0x6e736673
#endif

static const char own[] = "/proc/thread-self/ns/net";

static bool failed(struct buf *error, const char *doing, const char *what)
{
	buf_printf(error, "cannot %s %s: %s\n", doing, what, strerror(errno));
	return false;
}

static bool is_pinned(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && (unsigned long)fs.f_type == NSFS_MAGIC;
}

static bool enter_pinned(const char *path, struct buf *error)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool ok = fd >= 0 && setns(fd, CLONE_NEWNET) == 0;

	if (fd >= 0)
		close(fd);
	return ok || failed(error, "enter", path);
}

static bool make_pinned(const char *path, struct buf *error)
{
	int fd = open(path, O_RDONLY | O_CREAT | O_CLOEXEC, 0400);

	if (fd < 0)
		return failed(error, "create", path);
	close(fd);
	if (unshare(CLONE_NEWNET) != 0)
		return failed(error, "make", "a network namespace");
	return mount(own, path, NULL, MS_BIND, NULL) == 0 || failed(error, "pin", path);
}

bool netns_enter(const char *path, struct buf *error)
{
	return is_pinned(path) ? enter_pinned(path, error) : make_pinned(path, error);
}

/* ---- the port ---- */

static bool bring_in(struct netlink *outside, const char *device, struct buf *error)
{
	char bytes[1024];
	struct nlmsghdr *h = mnl_nlmsg_put_header(bytes);
	int fd = open(own, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return failed(error, "open", own);
	h->nlmsg_type = RTM_NEWLINK;
	((struct ifinfomsg *)mnl_nlmsg_put_extra_header(h, sizeof(struct ifinfomsg)))->ifi_family =
		AF_UNSPEC;
	mnl_attr_put_strz(h, IFLA_IFNAME, device);
	mnl_attr_put_u32(h, IFLA_NET_NS_FD, (uint32_t)fd);
	int why = netlink_do(outside, h);
	close(fd);
	if (why)
		buf_printf(error, "cannot fetch the port %s: %s\n", device,
			   netlink_reason(outside));
	return why == 0;
}

static bool switch_ipv6_off(const char *device, struct buf *error)
{
	char path[128];

	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/disable_ipv6", device);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 ? write(fd, "1", 1) == 1 : errno == ENOENT; /* a kernel without IPv6 */
	if (fd >= 0)
		close(fd);
	return ok || failed(error, "write", path);
}

static bool set_up(const char *device, struct buf *error)
{
	struct ifreq request = {0};
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", device);
	bool ok = fd >= 0 && ioctl(fd, SIOCGIFFLAGS, &request) == 0;
	request.ifr_flags |= IFF_UP | IFF_NOARP;
	ok = ok && ioctl(fd, SIOCSIFFLAGS, &request) == 0;
	if (fd >= 0)
		close(fd);
	return ok || failed(error, "set up", device);
}

bool netns_fetch(struct netlink *outside, const char *device, struct buf *error)
{
	return (if_nametoindex(device) || bring_in(outside, device, error)) &&
	       switch_ipv6_off(device, error) && set_up(device, error);
}
