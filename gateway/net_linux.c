/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gateway/net_linux.h"

#include "fwrules/array.h"
#include "gateway/net_state.h"
#include "lib/log.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SYSCTL_VALUE_MAX = 64 };

struct found_link {
	char name[IFNAMSIZ], parent[IFNAMSIZ], bridge[IFNAMSIZ];
	bool existed, up, is_bridge;
	unsigned mtu, vlan;
};

struct found_sysctl {
	char *path;
	char value[SYSCTL_VALUE_MAX];
	bool known; /* false: there was no such file */
};

/* The state that was found. */
struct net_undo {
	char (*scope)[IFNAMSIZ]; /* the plan's ports */
	size_t scope_n, scope_cap;
	struct found_link *links; /* the plan's, and ours that the plan has not */
	size_t links_n, links_cap;
	struct found_sysctl *sysctls;
	size_t sysctls_n, sysctls_cap;
	struct state items;
};

static struct scope scope_of(const struct net_undo *u)
{
	return (struct scope){.links = (const char(*)[IFNAMSIZ])u->scope, .n = u->scope_n};
}

/* ---- sysctls ---- */

static int sysctl_open(const char *path, int flags)
{
	char full[256];

	if (snprintf(full, sizeof(full), "/proc/sys/%s", path) >= (int)sizeof(full)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return open(full, flags | O_CLOEXEC);
}

static bool sysctl_read(const char *path, char out[SYSCTL_VALUE_MAX])
{
	int fd = sysctl_open(path, O_RDONLY);

	if (fd < 0)
		return false;
	ssize_t n = read(fd, out, SYSCTL_VALUE_MAX - 1);
	close(fd);
	if (n < 0)
		return false;
	out[n] = '\0';
	out[strcspn(out, "\n")] = '\0';
	return true;
}

static bool sysctl_write(const char *path, const char *value)
{
	int fd = sysctl_open(path, O_WRONLY);

	if (fd < 0)
		return false;
	bool ok = write(fd, value, strlen(value)) == (ssize_t)strlen(value);
	int saved = errno;
	close(fd);
	errno = saved;
	return ok;
}

static bool sysctl_is(const char *path, const char *value)
{
	char now[SYSCTL_VALUE_MAX];

	return sysctl_read(path, now) && !strcmp(now, value);
}

static bool apply_sysctls(const struct netplan *plan, struct buf *error)
{
	for (size_t i = 0; i < plan->sysctls_n; i++) {
		const struct net_sysctl *s = &plan->sysctls[i];
		if (sysctl_is(s->path, s->value) || sysctl_write(s->path, s->value))
			continue;
		if (s->shared && (errno == EACCES || errno == EPERM || errno == EROFS)) {
			log_warn("sysctl %s: cannot be set from here; it stays as it is", s->path);
			continue;
		}
		buf_printf(error, "sysctl %s: cannot be set to %s: %s\n", s->path, s->value,
			   strerror(errno));
		return false;
	}
	return true;
}

/* ---- what is there before ---- */

static void find_link(struct net_undo *u, const struct kernel_links *links, const char *name)
{
	const struct kernel_link *link = links_named(links, name);
	struct found_link *found = ARRAY_NEXT(u->links, u->links_n, u->links_cap);

	memcpy(found->name, name, IFNAMSIZ);
	found->existed = link != NULL;
	if (!link)
		return;
	const struct kernel_link *parent = links_indexed(links, link->parent_index);
	found->up = link->up;
	found->mtu = link->mtu;
	found->vlan = link->vlan;
	const struct kernel_link *bridge = links_indexed(links, link->bridge_index);
	found->is_bridge = link->is_bridge;
	if (parent)
		memcpy(found->parent, parent->name, IFNAMSIZ);
	if (bridge)
		memcpy(found->bridge, bridge->name, IFNAMSIZ);
}

static void find_sysctl(struct net_undo *u, const char *path)
{
	struct found_sysctl *s = ARRAY_NEXT(u->sysctls, u->sysctls_n, u->sysctls_cap);

	s->path = text_copy(path);
	s->known = sysctl_read(path, s->value);
}

static bool plan_has_link(const struct netplan *plan, const char *name)
{
	for (size_t i = 0; i < plan->links_n; i++)
		if (!strcmp(plan->links[i].name, name))
			return true;
	return false;
}

/* A VLAN or a bridge that we made. */
static bool is_made_by_us(const struct kernel_link *link)
{
	return (link->vlan || link->is_bridge) && link->group == NET_PROTOCOL;
}

/* Everything is read before anything is written: writing one sysctl may change others. */
static struct net_undo *find_all(struct netlink *nl, const struct netplan *plan, struct buf *error)
{
	struct net_undo *u = calloc(1, sizeof(*u));
	struct kernel_links links = {0};

	if (!u)
		abort();
	for (size_t i = 0; i < plan->links_n; i++)
		memcpy(ARRAY_NEXT(u->scope, u->scope_n, u->scope_cap), plan->links[i].name,
		       IFNAMSIZ);
	struct scope scope = scope_of(u);
	if (links_read(nl, &links) || state_read(nl, &scope, &u->items)) {
		buf_printf(error, "the network's state cannot be read: %s\n", netlink_reason(nl));
		links_free(&links);
		net_undo_free(u);
		return NULL;
	}
	for (size_t i = 0; i < plan->links_n; i++)
		find_link(u, &links, plan->links[i].name);
	for (size_t i = 0; i < plan->sysctls_n; i++)
		find_sysctl(u, plan->sysctls[i].path);
	for (size_t i = 0; i < links.n; i++) {
		char path[NET_SYSCTL_PATH_MAX];
		if (!is_made_by_us(&links.at[i]) || plan_has_link(plan, links.at[i].name))
			continue;
		find_link(u, &links, links.at[i].name);
		for (size_t j = 0; netplan_port_sysctl(j, links.at[i].name, path); j++)
			find_sysctl(u, path);
	}
	links_free(&links);
	return u;
}

/* ---- links ---- */

static bool refuse_link(struct netlink *nl, const char *name, const char *what, struct buf *error)
{
	buf_printf(error, "device %s: %s: %s\n", name, what, netlink_reason(nl));
	return false;
}

static bool add_bridge(struct netlink *nl, const struct net_link *want,
		       const struct kernel_link *have, struct buf *error)
{
	if (have && !have->is_bridge) {
		buf_printf(error, "device %s: there is one of this name that is no bridge\n",
			   want->name);
		return false;
	}
	return have || !link_add_bridge(nl, want->name) ||
	       refuse_link(nl, want->name, "the bridge cannot be made", error);
}

/* Ports into their bridge, and those that are to be in none out of ours. */
static bool set_bridges(struct netlink *nl, const struct netplan *plan, struct buf *error)
{
	struct kernel_links links;
	bool ok = true;

	if (links_read(nl, &links))
		ok = refuse_link(nl, "any", "cannot be read", error);
	for (size_t i = 0; i < plan->links_n && ok; i++) {
		const struct kernel_link *have = links_named(&links, plan->links[i].name);
		const struct kernel_link *in = links_indexed(&links, have ? have->bridge_index : 0);
		const struct kernel_link *want = links_named(&links, plan->links[i].bridge);

		if (!have || in == want || (!want && !is_made_by_us(in)))
			continue;
		if (link_set_bridge(nl, have->index, want ? want->index : 0))
			ok = refuse_link(nl, have->name, "cannot become a port of the bridge",
					 error);
	}
	links_free(&links);
	return ok;
}

static bool add_links(struct netlink *nl, const struct netplan *plan, struct buf *error)
{
	struct kernel_links links;
	bool ok = true;

	if (links_read(nl, &links))
		ok = refuse_link(nl, "any", "cannot be read", error);
	for (size_t i = 0; i < plan->links_n && ok; i++) {
		const struct net_link *want = &plan->links[i];
		const struct kernel_link *have = links_named(&links, want->name);
		const struct kernel_link *parent = links_named(&links, want->parent);

		if (want->is_bridge) {
			ok = add_bridge(nl, want, have, error);
			continue;
		}
		if (!want->vlan) {
			if (!have)
				buf_printf(error, "device %s: there is no such device\n",
					   want->name);
			ok = have != NULL;
			continue;
		}
		if (have &&
		    (have->vlan != want->vlan || !parent || have->parent_index != parent->index)) {
			buf_printf(
				error,
				"device %s: there is one of this name that is not vlan %u on %s\n",
				want->name, want->vlan, want->parent);
			ok = false;
		} else if (!have &&
			   (!parent || link_add_vlan(nl, want->name, parent->index, want->vlan))) {
			ok = refuse_link(nl, want->name, "the VLAN cannot be made", error);
		}
	}
	links_free(&links);
	return ok;
}

static bool raise_links(struct netlink *nl, const struct netplan *plan, struct buf *error)
{
	struct kernel_links links;
	bool ok = true;

	if (links_read(nl, &links))
		ok = refuse_link(nl, "any", "cannot be read", error);
	for (size_t i = 0; i < plan->links_n && ok; i++) {
		const struct net_link *want = &plan->links[i];
		const struct kernel_link *have = links_named(&links, want->name);

		if (!have) {
			buf_printf(error, "device %s: there is no such device\n", want->name);
			ok = false;
		} else if ((!have->up || (want->mtu && want->mtu != have->mtu)) &&
			   link_set(nl, have->index, true, want->mtu)) {
			ok = refuse_link(nl, want->name, "cannot be set up", error);
		}
	}
	links_free(&links);
	return ok;
}

/* What we made and the plan has not. */
static bool drop_links(struct netlink *nl, const struct netplan *plan, struct buf *error)
{
	struct kernel_links links;
	bool ok = true;

	if (links_read(nl, &links))
		ok = refuse_link(nl, "any", "cannot be read", error);
	for (size_t i = 0; i < links.n && ok; i++)
		if (is_made_by_us(&links.at[i]) && !plan_has_link(plan, links.at[i].name) &&
		    link_delete(nl, links.at[i].index))
			ok = refuse_link(nl, links.at[i].name, "cannot be removed", error);
	links_free(&links);
	return ok;
}

/* ---- apply, undo ---- */

static bool apply(struct netlink *nl, const struct netplan *plan, const struct net_undo *u,
		  struct buf *error)
{
	struct scope scope = scope_of(u);
	struct state target;

	state_of_plan(plan, &target);
	bool ok = add_links(nl, plan, error) && apply_sysctls(plan, error) &&
		  raise_links(nl, plan, error) && set_bridges(nl, plan, error) &&
		  state_converge(nl, &scope, &target, error) && drop_links(nl, plan, error);
	state_free(&target);
	return ok;
}

static void undo_new_links(struct netlink *nl, const struct net_undo *u)
{
	struct kernel_links links;

	if (links_read(nl, &links))
		log_error("undo: links cannot be read: %s", netlink_reason(nl));
	for (size_t i = 0; i < u->links_n; i++) {
		const struct kernel_link *now = links_named(&links, u->links[i].name);
		if (now && !u->links[i].existed && is_made_by_us(now) &&
		    link_delete(nl, now->index))
			log_error("undo: device %s: %s", now->name, netlink_reason(nl));
	}
	links_free(&links);
}

static int bring_back_link(struct netlink *nl, const struct found_link *found,
			   const struct kernel_links *links)
{
	const struct kernel_link *parent = links_named(links, found->parent);

	if (found->is_bridge)
		return link_add_bridge(nl, found->name);
	return found->vlan && parent ? link_add_vlan(nl, found->name, parent->index, found->vlan)
				     : 0;
}

/* Brings back what was taken away, before its addresses. */
static void undo_lost_links(struct netlink *nl, const struct net_undo *u)
{
	struct kernel_links links;

	if (links_read(nl, &links))
		log_error("undo: links cannot be read: %s", netlink_reason(nl));
	for (size_t i = 0; i < u->links_n; i++) {
		const struct found_link *found = &u->links[i];
		if (found->existed && !links_named(&links, found->name) &&
		    bring_back_link(nl, found, &links))
			log_error("undo: device %s: %s", found->name, netlink_reason(nl));
	}
	links_free(&links);
}

/* Each into the bridge that it was a port of, or out of ours. */
static void undo_bridges(struct netlink *nl, const struct net_undo *u)
{
	struct kernel_links links;

	if (links_read(nl, &links))
		log_error("undo: links cannot be read: %s", netlink_reason(nl));
	for (size_t i = 0; i < u->links_n; i++) {
		const struct found_link *found = &u->links[i];
		const struct kernel_link *now = links_named(&links, found->name);
		const struct kernel_link *bridge = links_named(&links, found->bridge);
		if (!now || !found->existed || now->bridge_index == (bridge ? bridge->index : 0))
			continue;
		if (link_set_bridge(nl, now->index, bridge ? bridge->index : 0))
			log_error("undo: device %s: %s", found->name, netlink_reason(nl));
	}
	links_free(&links);
}

static void undo_link_settings(struct netlink *nl, const struct net_undo *u, bool up)
{
	struct kernel_links links;

	if (links_read(nl, &links))
		log_error("undo: links cannot be read: %s", netlink_reason(nl));
	for (size_t i = 0; i < u->links_n; i++) {
		const struct found_link *found = &u->links[i];
		const struct kernel_link *now = links_named(&links, found->name);
		if (!found->existed || !now || found->up != up)
			continue;
		if ((now->up != found->up || now->mtu != found->mtu) &&
		    link_set(nl, now->index, found->up, found->mtu))
			log_error("undo: device %s: %s", found->name, netlink_reason(nl));
	}
	links_free(&links);
}

static void undo_sysctls(const struct net_undo *u)
{
	for (size_t i = 0; i < u->sysctls_n; i++) {
		const struct found_sysctl *s = &u->sysctls[i];
		if (s->known && !sysctl_is(s->path, s->value) && !sysctl_write(s->path, s->value))
			log_error("undo: sysctl %s: cannot be set back to %s: %s", s->path,
				  s->value, strerror(errno));
	}
}

static void undo_with(struct netlink *nl, const struct net_undo *u)
{
	struct scope scope = scope_of(u);
	struct buf error = BUF_INIT;

	undo_lost_links(nl, u);
	undo_bridges(nl, u);
	undo_link_settings(nl, u, true);
	undo_new_links(nl, u);
	if (!state_converge(nl, &scope, &u->items, &error))
		log_error("undo: %s", buf_str(&error));
	undo_link_settings(nl, u, false);
	undo_sysctls(u);
	buf_free(&error);
}

bool net_apply(const struct netplan *plan, struct net_undo **undo, struct buf *error)
{
	struct netlink *nl = netlink_open(NETLINK_ROUTE, error);

	*undo = nl ? find_all(nl, plan, error) : NULL;
	bool ok = *undo && apply(nl, plan, *undo, error);
	if (!ok && *undo) {
		undo_with(nl, *undo);
		net_undo_free(*undo);
		*undo = NULL;
	}
	netlink_close(nl);
	return ok;
}

void net_undo(struct net_undo *undo)
{
	struct buf error = BUF_INIT;
	struct netlink *nl = netlink_open(NETLINK_ROUTE, &error);

	if (nl)
		undo_with(nl, undo);
	else
		log_error("undo: %s", buf_str(&error));
	netlink_close(nl);
	buf_free(&error);
}

void net_undo_free(struct net_undo *undo)
{
	if (!undo)
		return;
	for (size_t i = 0; i < undo->sysctls_n; i++)
		free(undo->sysctls[i].path);
	free(undo->scope);
	free(undo->links);
	free(undo->sysctls);
	state_free(&undo->items);
	free(undo);
}

/* ---- reading back ---- */

static void compare_links(struct netlink *nl, const struct netplan *plan, struct buf *difference)
{
	struct kernel_links links;

	if (links_read(nl, &links))
		buf_printf(difference, "links cannot be read: %s\n", netlink_reason(nl));
	for (size_t i = 0; i < plan->links_n; i++) {
		const struct net_link *want = &plan->links[i];
		const struct kernel_link *have = links_named(&links, want->name);
		if (!have || !have->up)
			buf_printf(difference, "device %s: %s\n", want->name,
				   have ? "down" : "missing");
		else if (want->mtu && have->mtu != want->mtu)
			buf_printf(difference, "device %s: mtu %u, meant %u\n", want->name,
				   have->mtu, want->mtu);
		const struct kernel_link *bridge = links_named(&links, want->bridge);
		const struct kernel_link *in = links_indexed(&links, have ? have->bridge_index : 0);
		if (have && *want->bridge && (!bridge || in != bridge))
			buf_printf(difference, "device %s: not a port of %s\n", want->name,
				   want->bridge);
		else if (in && !*want->bridge && is_made_by_us(in))
			buf_printf(difference, "device %s: a port of %s\n", want->name, in->name);
		if (have && want->is_bridge && !have->is_bridge)
			buf_printf(difference, "device %s: no bridge\n", want->name);
	}
	links_free(&links);
}

bool net_verify(const struct netplan *plan, struct buf *difference)
{
	size_t before = difference->len;
	struct netlink *nl = netlink_open(NETLINK_ROUTE, difference);
	struct net_undo scope_holder = {0};
	struct state target;

	if (!nl)
		return false;
	compare_links(nl, plan, difference);
	for (size_t i = 0; i < plan->links_n; i++)
		memcpy(ARRAY_NEXT(scope_holder.scope, scope_holder.scope_n, scope_holder.scope_cap),
		       plan->links[i].name, IFNAMSIZ);
	struct scope scope = scope_of(&scope_holder);
	state_of_plan(plan, &target);
	state_compare(nl, &scope, &target, difference);
	for (size_t i = 0; i < plan->sysctls_n; i++)
		if (!plan->sysctls[i].shared &&
		    !sysctl_is(plan->sysctls[i].path, plan->sysctls[i].value))
			buf_printf(difference, "sysctl %s: not %s\n", plan->sysctls[i].path,
				   plan->sysctls[i].value);
	state_free(&target);
	free(scope_holder.scope);
	netlink_close(nl);
	return difference->len == before;
}
