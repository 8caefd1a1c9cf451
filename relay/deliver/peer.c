/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/deliver/peer.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { OUT_FULL = 64 * 1024 };

enum phase { CONNECTING, TALKING, SHAKING_HANDS, BROKEN };

struct peer {
	struct ev_loop *loop;
	const struct peer_handler *handler;
	void *arg;
	ev_io io;
	ev_timer wait;
	ev_timer end; /* never started, only fed: broken(), called from the loop */
	struct stream *stream;
	struct addr source;
	enum phase phase;
	struct reply reply;
	struct buf out;
	double wait_s;
	bool wait_each_write;
	char why[PEER_WHY_MAX];
};

void peer_break(struct peer *p, const char *why)
{
	if (p->phase == BROKEN)
		return;
	if (why != p->why)
		snprintf(p->why, sizeof(p->why), "%s", why);
	p->phase = BROKEN;
	ev_io_stop(p->loop, &p->io);
	ev_timer_stop(p->loop, &p->wait);
	ev_feed_event(p->loop, &p->end, EV_CUSTOM);
}

static void on_end(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct peer *p = w->data;

	(void)loop;
	(void)revents;
	p->handler->broken(p->why, p->arg);
}

static void on_wait(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct peer *p = w->data;

	(void)loop;
	(void)revents;
	p->handler->overdue(p->arg);
}

void peer_wait(struct peer *p, double seconds, bool each_write)
{
	if (p->phase == BROKEN)
		return;
	p->wait_s = seconds;
	p->wait_each_write = each_write;
	ev_timer_stop(p->loop, &p->wait);
	ev_timer_set(&p->wait, seconds, 0.);
	ev_timer_start(p->loop, &p->wait);
}

/* --- in --- */

static void take_bytes(struct peer *p, const char *bytes, size_t n)
{
	size_t used;

	while (n && p->phase == TALKING) {
		enum reply_status status = reply_feed(&p->reply, bytes, n, &used);

		bytes += used;
		n -= used;
		if (status == REPLY_BAD)
			peer_break(p, p->reply.error);
		else if (status == REPLY_DONE)
			p->handler->reply(&p->reply, p->arg);
	}
	/* Somebody on the way may have put it there to be read as if it had come over TLS. */
	if (n && p->phase == SHAKING_HANDS)
		peer_break(p, "plaintext behind the reply to STARTTLS");
}

static void pull(struct peer *p)
{
	char bytes[4096];
	size_t got;

	while (p->phase == TALKING) {
		switch (stream_read(p->stream, bytes, sizeof(bytes), &got)) {
		case STREAM_OK:
			take_bytes(p, bytes, got);
			/* One piece at a time: a flood of replies stalls nobody. */
			if (!stream_has_pending(p->stream))
				return;
			break;
		case STREAM_AGAIN:
			return;
		case STREAM_CLOSED:
			peer_break(p, "the peer closed the connection");
			return;
		case STREAM_FAILED:
			peer_break(p, stream_error(p->stream));
			return;
		}
	}
}

/* --- out --- */

/* It takes no more bytes, but may have said why. */
static void cannot_write(struct peer *p, const char *why)
{
	char text[300];

	snprintf(text, sizeof(text), "%s", why);
	pull(p);
	peer_break(p, text);
}

/* Writes what there is, as far as the peer takes it. */
static void push(struct peer *p)
{
	while (p->phase == TALKING) {
		size_t written = 0;

		if (p->out.len < OUT_FULL && !p->handler->hungry(&p->out, p->arg)) {
			peer_break(p, "the message could not be read");
			return;
		}
		if (!p->out.len)
			return;
		switch (stream_write(p->stream, p->out.data, p->out.len, &written)) {
		case STREAM_OK:
			break;
		case STREAM_AGAIN:
			return;
		case STREAM_CLOSED:
			cannot_write(p, "the peer closed the connection");
			return;
		case STREAM_FAILED:
			cannot_write(p, stream_error(p->stream));
			return;
		}
		buf_consume(&p->out, written);
		if (p->wait_each_write)
			peer_wait(p, p->wait_s, true);
	}
}

static void shake_hands(struct peer *p)
{
	char text[300];

	switch (stream_handshake(p->stream)) {
	case STREAM_OK:
		p->phase = TALKING;
		reply_reset(&p->reply);
		p->handler->secured(p->arg);
		break;
	case STREAM_AGAIN:
		break;
	case STREAM_CLOSED:
		peer_break(p, "the peer closed the connection in the TLS handshake");
		break;
	case STREAM_FAILED:
		snprintf(text, sizeof(text), "TLS: %s", stream_error(p->stream));
		peer_break(p, text);
		break;
	}
}

/* --- the loop --- */

static void set_events(struct peer *p)
{
	int events = EV_READ;

	if (p->phase == CONNECTING || (p->phase == TALKING && p->out.len) ||
	    stream_wants_write(p->stream))
		events |= EV_WRITE;
	/* libev keeps a flag of its own beside these. */
	if (events == (p->io.events & (EV_READ | EV_WRITE)) && ev_is_active(&p->io))
		return;
	ev_io_stop(p->loop, &p->io);
	ev_io_set(&p->io, p->io.fd, events);
	ev_io_start(p->loop, &p->io);
}

static void connected(struct peer *p)
{
	int error = 0;
	socklen_t len = sizeof(error);
	struct sockaddr_storage sa;

	if (getsockopt(p->io.fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
		error = errno;
	if (error) {
		peer_break(p, strerror(error));
		return;
	}
	len = sizeof(sa);
	if (getsockname(p->io.fd, (struct sockaddr *)&sa, &len) == 0)
		addr_from_sockaddr((struct sockaddr *)&sa, &p->source, NULL);
	p->phase = TALKING;
	p->handler->connected(p->arg);
}

static void on_io(struct ev_loop *loop, ev_io *w, int revents)
{
	struct peer *p = w->data;

	(void)loop;
	if (p->phase == CONNECTING) {
		if (revents & EV_WRITE)
			connected(p);
	} else if (revents & EV_READ || stream_is_tls(p->stream)) {
		pull(p);
	}
	if (p->phase == SHAKING_HANDS)
		shake_hands(p);
	push(p);
	if (p->phase != BROKEN)
		set_events(p);
}

void peer_wake(struct peer *p)
{
	if (p->phase == TALKING)
		ev_feed_event(p->loop, &p->io, EV_WRITE);
}

/* --- the owner's calls --- */

static bool bind_source(int fd, const struct addr *source)
{
	struct sockaddr_storage sa;
	int one = 1;

	if (!addr_size(source))
		return true;
	/* The port is chosen at connect(), for each peer: as many connections as ports to each. */
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
	socklen_t len = addr_to_sockaddr(source, 0, &sa);
	return bind(fd, (struct sockaddr *)&sa, len) == 0;
}

static void start(struct peer *p, const struct addr *to, uint16_t port)
{
	struct sockaddr_storage sa;
	socklen_t len = addr_to_sockaddr(to, port, &sa);
	int one = 1;
	char text[200], from[ADDR_STR_MAX];
	int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0) {
		snprintf(text, sizeof(text), "no socket: %s", strerror(errno));
		peer_break(p, text);
		return;
	}
	p->stream = stream_open(fd);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (!bind_source(fd, &p->source)) {
		snprintf(text, sizeof(text), "the source address %s cannot be used: %s",
			 addr_format(&p->source, from), strerror(errno));
		peer_break(p, text);
		return;
	}
	if (connect(fd, (struct sockaddr *)&sa, len) != 0 && errno != EINPROGRESS) {
		peer_break(p, strerror(errno));
		return;
	}
	ev_io_set(&p->io, fd, EV_READ | EV_WRITE);
	ev_io_start(p->loop, &p->io);
}

struct peer *peer_open(struct ev_loop *loop, const struct addr *to, uint16_t port,
		       const struct addr *source, const struct peer_handler *h, void *arg)
{
	struct peer *p = calloc(1, sizeof(*p));

	if (!p)
		abort();
	p->loop = loop;
	p->handler = h;
	p->arg = arg;
	p->source = *source;
	ev_init(&p->io, on_io);
	ev_init(&p->wait, on_wait);
	ev_init(&p->end, on_end);
	p->io.data = p->wait.data = p->end.data = p;
	start(p, to, port);
	return p;
}

void peer_close(struct peer *p)
{
	ev_io_stop(p->loop, &p->io);
	ev_timer_stop(p->loop, &p->wait);
	ev_timer_stop(p->loop, &p->end);
	stream_close(p->stream);
	reply_free(&p->reply);
	buf_free(&p->out);
	free(p);
}

void peer_say(struct peer *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&p->out, fmt, ap);
	va_end(ap);
	buf_append(&p->out, "\r\n", 2);
	peer_wake(p);
}

struct buf *peer_out(struct peer *p)
{
	return &p->out;
}

void peer_start_tls(struct peer *p, struct tls_client *t, const char *host)
{
	stream_start_tls_client(p->stream, t, host);
	p->phase = SHAKING_HANDS;
}

bool peer_is_tls(const struct peer *p)
{
	return p->stream && stream_is_tls(p->stream);
}

const char *peer_tls_name(const struct peer *p)
{
	return p->stream ? stream_tls_name(p->stream) : "";
}

bool peer_is_trusted(const struct peer *p, struct buf *why)
{
	return p->stream && stream_peer_trusted(p->stream, why);
}

const struct mbedtls_x509_crt *peer_chain(const struct peer *p)
{
	return p->stream ? stream_peer_chain(p->stream) : NULL;
}

struct addr peer_source(const struct peer *p)
{
	return p->source;
}
