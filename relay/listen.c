/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/listen.h"

#include "lib/addr.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 1024 };

struct listening {
	struct config_listener bound;
	uint16_t asked_port;
	bool fresh;
	int fd;
};

struct listen_set {
	struct listening *items;
	size_t count;
};

static int bind_socket(const struct config_listener *l, struct buf *error)
{
	char text[ADDR_STR_MAX];
	struct sockaddr_storage address;
	socklen_t n = addr_to_sockaddr(&l->address, l->port, &address);
	int fd = socket(l->address.family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1, off = 0;

	if (fd >= 0) {
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
		/* :: means both families here, whatever the system's default. */
		if (l->address.family == AF_INET6)
			setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
		if (bind(fd, (struct sockaddr *)&address, n) == 0 && listen(fd, BACKLOG) == 0)
			return fd;
	}
	buf_printf(error, "listen[%s]: cannot listen on %s port %u: %s\n", l->name,
		   addr_format(&l->address, text), l->port, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

static uint16_t bound_port(int fd)
{
	struct sockaddr_storage ss;
	socklen_t n = sizeof(ss);
	struct addr a;
	uint16_t port = 0;

	if (getsockname(fd, (struct sockaddr *)&ss, &n) == 0)
		addr_from_sockaddr((struct sockaddr *)&ss, &a, &port);
	return port;
}

static int reuse(const struct listen_set *old, const struct config_listener *l)
{
	for (size_t i = 0; old && i < old->count; i++) {
		const struct listening *o = &old->items[i];
		if (strcmp(o->bound.name, l->name) == 0 && o->asked_port == l->port &&
		    addr_cmp(&o->bound.address, &l->address) == 0)
			return fcntl(o->fd, F_DUPFD_CLOEXEC, 0);
	}
	return -1;
}

struct listen_set *listen_open(const struct relay_config *c, const struct listen_set *old,
			       struct buf *error)
{
	struct listen_set *s = calloc(1, sizeof(*s));
	bool ok = true;

	if (!s || !(s->items = calloc(c->listener_count + 1, sizeof(*s->items))))
		abort();
	for (size_t i = 0; i < c->listener_count; i++) {
		const struct config_listener *l = &c->listeners[i];
		int fd = reuse(old, l);
		bool fresh = fd < 0;
		if (fresh)
			fd = bind_socket(l, error);
		if (fd < 0) {
			ok = false;
			continue;
		}
		struct listening *item = &s->items[s->count++];
		*item = (struct listening){
			.bound = *l, .asked_port = l->port, .fresh = fresh, .fd = fd};
		item->bound.name = strdup(l->name);
		item->bound.port = bound_port(fd);
		if (!item->bound.name)
			abort();
	}
	if (ok)
		return s;
	listen_free(s);
	return NULL;
}

void listen_free(struct listen_set *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->count; i++) {
		close(s->items[i].fd);
		free(s->items[i].bound.name);
	}
	free(s->items);
	free(s);
}

size_t listen_count(const struct listen_set *s)
{
	return s->count;
}

const struct config_listener *listen_at(const struct listen_set *s, size_t i)
{
	return &s->items[i].bound;
}

bool listen_is_fresh(const struct listen_set *s, size_t i)
{
	return s->items[i].fresh;
}

int listen_dup(const struct listen_set *s, size_t i)
{
	return fcntl(s->items[i].fd, F_DUPFD_CLOEXEC, 0);
}

json_t *listen_status(const struct listen_set *s)
{
	json_t *out = json_array();
	char text[ADDR_STR_MAX];

	for (size_t i = 0; i < s->count; i++) {
		const struct config_listener *l = &s->items[i].bound;
		json_array_append_new(out, json_pack("{s:s, s:s, s:i}", "name", l->name, "address",
						     addr_format(&l->address, text), "port",
						     (int)l->port));
	}
	return out;
}
