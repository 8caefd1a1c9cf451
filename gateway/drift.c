/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gateway/drift.h"

#include "fwrules/ruleset.h"
#include "lib/log.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <unistd.h>

#define SETTLE_S   0.05 /* after the first notice: one change is many messages */
#define MINUTE_S   60.0
#define PATIENCE_S 0.5 /* after a failure; twice as long after each, up to a minute */
#define READ_BYTES 65536

struct drift {
	struct ev_loop *loop;
	struct apply *apply;
	drift_found found;
	void *arg;
	ev_io rules, network, sysctls;
	ev_timer settle;
	bool look_at[APPLY_PARTS];
	bool differs;      /* told, and not mended */
	double patience_s; /* then it is tried again */
	double not_before; /* whatever is noticed meanwhile: trying makes notices of its own */
	unsigned mends;
	double minute_since;
};

/* ---- looking ---- */

static bool may_mend(struct drift *d)
{
	double now = ev_now(d->loop);

	if (now - d->minute_since >= MINUTE_S) {
		d->minute_since = now;
		d->mends = 0;
	}
	return d->mends < DRIFT_MENDS_MAX;
}

static void look_later(struct drift *d, double seconds)
{
	ev_timer_stop(d->loop, &d->settle);
	ev_timer_set(&d->settle, seconds, 0.0);
	ev_timer_start(d->loop, &d->settle);
}

/* What could not be mended may be possible later, or who fights may have given up. */
static void try_again_later(struct drift *d, bool fought)
{
	for (unsigned part = 0; part < APPLY_PARTS; part++)
		d->look_at[part] = true;
	d->patience_s = fought || d->patience_s * 2 > MINUTE_S ? MINUTE_S
			: d->patience_s > 0                    ? d->patience_s * 2
							       : PATIENCE_S;
	d->not_before = ev_now(d->loop) + d->patience_s;
	look_later(d, d->patience_s);
}

static bool compare(struct drift *d, struct buf *difference)
{
	bool same = true;

	for (unsigned part = 0; part < APPLY_PARTS; part++)
		if (d->look_at[part])
			same = apply_verify(d->apply, part, difference) && same;
	return same;
}

static bool mend(struct drift *d, struct buf *error)
{
	for (unsigned part = 0; part < APPLY_PARTS; part++)
		if (d->look_at[part] && !apply_mend(d->apply, part, error))
			return false;
	d->mends++;
	return true;
}

static void look(struct drift *d)
{
	struct buf difference = BUF_INIT, error = BUF_INIT;
	bool same = compare(d, &difference), differed = d->differs;
	bool fought = !same && !may_mend(d), mended = !same && !fought && mend(d, &error);

	memset(d->look_at, 0, sizeof(d->look_at));
	d->differs = !same && !mended;
	if (d->differs)
		try_again_later(d, fought);
	else
		d->patience_s = d->not_before = 0;
	if (error.len)
		buf_printf(&difference, "it cannot be put back: %s", buf_str(&error));
	if (fought)
		buf_appends(&difference, "it was put back again and again; somebody changes it\n");
	/* Told once while it lasts. */
	if ((!same && !(differed && d->differs)) || (same && differed))
		d->found(d->arg, buf_str(&difference), !d->differs);
	buf_free(&difference);
	buf_free(&error);
}

static void on_settled(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	look(w->data);
}

static void notice(struct drift *d, enum apply_part part)
{
	d->look_at[part] = true;
	ev_now_update(d->loop);
	double wait = d->not_before - ev_now(d->loop);
	if (wait < SETTLE_S)
		wait = SETTLE_S;
	if (!ev_is_active(&d->settle) || ev_timer_remaining(d->loop, &d->settle) > wait)
		look_later(d, wait);
}

/* ---- notices ---- */

/* About our table, and not of our own doing? The table's name is the first attribute of each. */
static bool is_foreign_rule(const struct drift *d, const struct nlmsghdr *nlh)
{
	const struct nlattr *attr;

	if (nlh->nlmsg_pid == apply_netlink_port(d->apply) ||
	    (nlh->nlmsg_type & 0xff) == NFT_MSG_NEWGEN)
		return false;
	mnl_attr_for_each(attr, nlh, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(attr) == NFTA_TABLE_NAME)
			return mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0 &&
			       !strcmp(mnl_attr_get_str(attr), RULESET_TABLE);
	}
	return false;
}

static void on_rules(struct ev_loop *loop, ev_io *w, int revents)
{
	static char bytes[READ_BYTES];
	struct drift *d = w->data;
	ssize_t got;

	(void)loop;
	(void)revents;
	while ((got = recv(w->fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0) {
		const struct nlmsghdr *nlh = (const struct nlmsghdr *)bytes;
		int left = (int)got;
		for (; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left))
			if (is_foreign_rule(d, nlh))
				notice(d, APPLY_RULES);
	}
	if (got < 0 && errno == ENOBUFS) /* some were lost */
		notice(d, APPLY_RULES);
}

/* Sockets and inotify alike: that there was something is all that counts. */
static void on_network(struct ev_loop *loop, ev_io *w, int revents)
{
	static char bytes[READ_BYTES];
	struct drift *d = w->data;

	(void)loop;
	(void)revents;
	while (read(w->fd, bytes, sizeof(bytes)) > 0)
		;
	notice(d, APPLY_NETWORK);
	if (d->differs) /* the ruleset names devices that may be back */
		notice(d, APPLY_RULES);
}

static int notifications(int bus, const int *groups, size_t n, struct buf *error)
{
	const struct sockaddr_nl local = {.nl_family = AF_NETLINK};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, bus);
	int size = 4 << 20;
	bool ok = fd >= 0 && bind(fd, (const struct sockaddr *)&local, sizeof(local)) == 0;

	for (size_t i = 0; ok && i < n; i++)
		ok = setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &groups[i],
				sizeof(groups[i])) == 0;
	if (ok) {
		setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
		return fd;
	}
	buf_printf(error, "the kernel's notices cannot be heard: %s\n", strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

static void while_changing(void *arg, bool begins)
{
	struct drift *d = arg;
	const int group = NFNLGRP_NFTABLES;

	if (setsockopt(d->rules.fd, SOL_NETLINK,
		       begins ? NETLINK_DROP_MEMBERSHIP : NETLINK_ADD_MEMBERSHIP, &group,
		       sizeof(group)) != 0)
		log_error("the kernel's notices cannot be heard: %s", strerror(errno));
}

/* ---- sysctls ---- */

static void watch_sysctl(const char *path, void *arg)
{
	struct buf file = BUF_INIT;

	buf_printf(&file, "/proc/sys/%s", path);
	inotify_add_watch(*(int *)arg, buf_str(&file),
			  IN_MODIFY); /* one that is not there: no watch */
	buf_free(&file);
}

void drift_committed(struct drift *d)
{
	if (!d)
		return;
	if (d->sysctls.fd >= 0)
		apply_each_sysctl(d->apply, watch_sysctl, &d->sysctls.fd);
	/* What could not be mended before is compared with what is meant now. */
	d->not_before = 0;
	if (d->differs)
		notice(d, APPLY_NETWORK);
}

/* ---- open, close ---- */

static void start(struct drift *d, ev_io *w, void (*on)(struct ev_loop *, ev_io *, int), int fd)
{
	ev_io_init(w, on, fd, EV_READ);
	w->data = d;
	if (fd >= 0)
		ev_io_start(d->loop, w);
}

struct drift *drift_open(struct ev_loop *loop, struct apply *a, drift_found found, void *arg,
			 struct buf *error)
{
	static const int rules[] = {NFNLGRP_NFTABLES};
	static const int network[] = {RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
				      RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE};
	struct drift *d = calloc(1, sizeof(*d));

	if (!d)
		abort();
	*d = (struct drift){.loop = loop, .apply = a, .found = found, .arg = arg};
	start(d, &d->rules, on_rules,
	      notifications(NETLINK_NETFILTER, rules, sizeof(rules) / sizeof(*rules), error));
	start(d, &d->network, on_network,
	      notifications(NETLINK_ROUTE, network, sizeof(network) / sizeof(*network), error));
	start(d, &d->sysctls, on_network, inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
	if (d->sysctls.fd < 0)
		log_warn("sysctls are not watched: %s", strerror(errno));
	ev_timer_init(&d->settle, on_settled, 0.0, 0.0);
	d->settle.data = d;
	if (d->rules.fd >= 0 && d->network.fd >= 0) {
		apply_on_change(a, while_changing, d);
		drift_committed(d);
		return d;
	}
	drift_close(d);
	return NULL;
}

static void stop(struct drift *d, ev_io *w)
{
	ev_io_stop(d->loop, w);
	if (w->fd >= 0)
		close(w->fd);
}

void drift_close(struct drift *d)
{
	if (!d)
		return;
	apply_on_change(d->apply, NULL, NULL);
	stop(d, &d->rules);
	stop(d, &d->network);
	stop(d, &d->sysctls);
	ev_timer_stop(d->loop, &d->settle);
	free(d);
}
