/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/log.h"
#include "relay/http/connection.h"
#include "relay/process.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SWEEP_S 0.5

enum { ACCEPT_AT_ONCE = 64, SOURCE_SHARE = 4 };

struct http_listener {
	struct http_server *server;
	struct http_listener *next;
	ev_io io;
	bool tls;
};

/* ---- sources ---- */

struct http_source {
	struct http_source *next;
	struct addr net;
	size_t connections;
};

/* An IPv6 host has a whole /64 to choose from. */
static struct addr source_net(const struct addr *peer)
{
	return prefix_network(
		       &(struct prefix){.addr = *peer, .len = peer->family == AF_INET6 ? 64 : 32})
		.addr;
}

static struct http_source **source_find(struct http_server *s, const struct addr *net)
{
	uint32_t h = 2166136261u; /* FNV-1a; a chain is never longer than there are places */

	for (size_t i = 0; i < sizeof(net->bytes); i++)
		h = (h ^ net->bytes[i]) * 16777619u;
	struct http_source **at = &s->sources[(h ^ h >> 16) % HTTP_SOURCE_BUCKETS];
	while (*at && addr_cmp(&(*at)->net, net) != 0)
		at = &(*at)->next;
	return at;
}

static size_t share(const struct http_server *s)
{
	return s->places / SOURCE_SHARE ? s->places / SOURCE_SHARE : 1;
}

static bool source_is_full(struct http_server *s, const struct addr *net)
{
	struct http_source **at = source_find(s, net);

	return *at && (*at)->connections >= share(s);
}

void http_source_enter(struct http_server *s, const struct addr *peer)
{
	struct addr net = source_net(peer);
	struct http_source **at = source_find(s, &net);

	if (!*at) {
		*at = calloc(1, sizeof(**at));
		if (!*at)
			abort();
		(*at)->net = net;
	}
	(*at)->connections++;
}

void http_source_leave(struct http_server *s, const struct addr *peer)
{
	struct addr net = source_net(peer);
	struct http_source **at = source_find(s, &net);

	if (*at && --(*at)->connections == 0) {
		struct http_source *gone = *at;
		*at = gone->next;
		free(gone);
	}
}

/* ---- places ---- */

static struct http_connection *oldest_in(struct http_server *s, enum http_phase phase,
					 const struct addr *net)
{
	for (struct http_connection *c = s->lines[phase].oldest; c; c = c->newer) {
		struct addr from = source_net(&c->peer);
		if (!net || addr_cmp(&from, net) == 0)
			return c;
	}
	return NULL;
}

/* Who gives up its place for a newcomer: who has been served, or else whoever makes us wait
 * longest. net: of that source only; NULL for any. */
static struct http_connection *longest_idle(struct http_server *s, const struct addr *net)
{
	static const enum http_phase served[] = {PHASE_LINGER, PHASE_IDLE};
	static const enum http_phase waited_for[] = {PHASE_HANDSHAKE, PHASE_HEAD, PHASE_BODY,
						     PHASE_SEND};
	struct http_connection *oldest = NULL;

	for (size_t i = 0; !oldest && i < sizeof(served) / sizeof(*served); i++)
		oldest = oldest_in(s, served[i], net);
	if (oldest)
		return oldest;
	for (size_t i = 0; i < sizeof(waited_for) / sizeof(*waited_for); i++) {
		struct http_connection *c = oldest_in(s, waited_for[i], net);
		if (c && (!oldest || c->since_ms < oldest->since_ms))
			oldest = c;
	}
	return oldest;
}

/* False when every place is taken by a request that waits for its answer. */
static bool make_place(struct http_server *s)
{
	if (s->connections < s->places)
		return true;
	struct http_connection *victim = longest_idle(s, NULL);
	if (!victim)
		return false;
	http_connection_close(victim);
	return true;
}

/* Within a source's share its newcomers displace its own. */
static bool make_place_in_share(struct http_server *s, const struct addr *peer)
{
	struct addr net = source_net(peer);

	if (!source_is_full(s, &net))
		return true;
	struct http_connection *victim = longest_idle(s, &net);
	if (!victim)
		return false;
	http_connection_close(victim);
	return true;
}

static void listeners_pause(struct http_server *s)
{
	for (struct http_listener *l = s->listeners; l; l = l->next)
		ev_io_stop(s->loop, &l->io);
}

void http_server_has_place(struct http_server *s)
{
	for (struct http_listener *l = s->listeners; l; l = l->next)
		ev_io_start(s->loop, &l->io);
}

/* ---- accepting ---- */

static void admit(struct http_listener *l, int fd, const struct sockaddr_storage *from)
{
	struct http_server *s = l->server;
	struct addr peer;
	int on = 1;

	if (!addr_from_sockaddr((const struct sockaddr *)from, &peer, NULL) ||
	    (l->tls && !s->tls) || !make_place_in_share(s, &peer)) {
		close(fd);
		return;
	}
	http_source_enter(s, &peer);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	struct stream *stream = stream_open(fd);
	if (l->tls)
		stream_start_tls_server(stream, s->tls);
	http_connection_start(s, stream, &peer, l->tls);
	if (!ev_is_active(&s->sweep))
		ev_timer_again(s->loop, &s->sweep);
}

static void on_accept(struct ev_loop *loop, ev_io *w, int events)
{
	struct http_listener *l = w->data;
	struct sockaddr_storage from;

	(void)loop;
	(void)events;
	for (int i = 0; i < ACCEPT_AT_ONCE; i++) {
		if (!make_place(l->server)) {
			listeners_pause(l->server);
			return;
		}
		socklen_t len = sizeof(from);
		int fd = accept4(w->fd, (struct sockaddr *)&from, &len,
				 SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd >= 0) {
			admit(l, fd, &from);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			log_warn("http: a connection waits: %s", strerror(errno));
			listeners_pause(l->server); /* the sweep starts them again */
			ev_timer_again(l->server->loop, &l->server->sweep);
			return;
		}
		if (errno == EAGAIN)
			return;
		/* The others are errors of the one connection (accept(2)). */
	}
}

static void on_sweep(struct ev_loop *loop, ev_timer *w, int events)
{
	struct http_server *s = w->data;
	uint64_t now = clock_steady_ms();

	(void)events;
	for (size_t i = 0; i < PHASE_COUNT; i++)
		while (s->lines[i].oldest &&
		       s->lines[i].oldest->since_ms + http_phase_limit_ms(i) <= now)
			http_connection_expire(s->lines[i].oldest);
	if (!s->stopping && s->connections < s->places)
		http_server_has_place(s);
	if (!s->connections)
		ev_timer_stop(loop, w);
}

/* ---- the server ---- */

struct http_server *http_server_new(struct ev_loop *loop, size_t places,
				    const struct http_handler *handler, void *arg)
{
	struct http_server *s = calloc(1, sizeof(*s));
	if (!s)
		abort();
	s->loop = loop;
	s->places = places ? places : 1;
	s->handler = handler;
	s->arg = arg;
	s->date_time = -1;
	ev_timer_init(&s->sweep, on_sweep, SWEEP_S, SWEEP_S);
	s->sweep.data = s;
	return s;
}

void http_server_listen(struct http_server *s, int fd, bool tls)
{
	struct http_listener *l = calloc(1, sizeof(*l));
	if (!l)
		abort();
	l->server = s;
	l->tls = tls;
	l->next = s->listeners;
	s->listeners = l;
	ev_io_init(&l->io, on_accept, fd, EV_READ);
	l->io.data = l;
	ev_io_start(s->loop, &l->io);
}

void http_server_set_listener_tls(struct http_server *s, int fd, bool tls)
{
	for (struct http_listener *l = s->listeners; l; l = l->next)
		if (l->io.fd == fd)
			l->tls = tls;
}

void http_server_unlisten(struct http_server *s, int fd)
{
	for (struct http_listener **at = &s->listeners; *at; at = &(*at)->next) {
		struct http_listener *l = *at;
		if (l->io.fd != fd)
			continue;
		*at = l->next;
		ev_io_stop(s->loop, &l->io);
		close(fd);
		free(l);
		return;
	}
}

void http_server_set_tls(struct http_server *s, struct tls_server *t)
{
	if (s->tls)
		tls_server_free(s->tls);
	s->tls = t;
}

void http_server_stop(struct http_server *s)
{
	s->stopping = true;
	while (s->listeners)
		http_server_unlisten(s, s->listeners->io.fd);
	while (s->lines[PHASE_IDLE].oldest)
		http_connection_close(s->lines[PHASE_IDLE].oldest);
	for (struct http_connection *c = s->lines[PHASE_HEAD].oldest, *next; c; c = next) {
		next = c->newer;
		if (!c->in.len)
			http_connection_close(c);
	}
}

size_t http_server_connections(const struct http_server *s)
{
	return s->connections;
}

void http_server_free(struct http_server *s)
{
	http_server_stop(s);
	for (size_t i = 0; i < PHASE_COUNT; i++)
		while (s->lines[i].oldest)
			http_connection_close(s->lines[i].oldest);
	ev_timer_stop(s->loop, &s->sweep);
	http_server_set_tls(s, NULL);
	free(s);
}
