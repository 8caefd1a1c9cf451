/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/http/client.h"

#include "relay/http/answer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum phase { CONNECTING, SHAKING_HANDS, TALKING, OVER };

struct http_client {
	struct ev_loop *loop;
	http_reply_fn *fn;
	void *arg;
	ev_io io;
	ev_timer timer; /* for all of it; and, fed, the call of fn */
	struct addr addrs[HTTP_ADDRS_MAX];
	size_t addr_count, next;
	uint16_t port;
	struct tls_client *tls;
	char *host;
	struct buf request;
	size_t sent;
	struct stream *stream;
	enum phase phase;
	struct answer answer;
	size_t reply_max;
	char why[400];
};

/* ---- the end ---- */

void http_client_cancel(struct http_client *c)
{
	ev_io_stop(c->loop, &c->io);
	ev_timer_stop(c->loop, &c->timer);
	stream_close(c->stream);
	answer_free(&c->answer);
	buf_free(&c->request);
	free(c->host);
	free(c);
}

static void finish(struct http_client *c)
{
	struct http_reply r = {
		.error = *c->why ? c->why : NULL,
		.status = c->answer.status,
		.type = c->answer.type,
		.body = buf_str(&c->answer.body),
		.len = c->answer.body.len,
	};

	c->fn(&r, c->arg);
	http_client_cancel(c);
}

/* The call comes from the loop: nobody is surprised by it. */
static void end(struct http_client *c)
{
	c->phase = OVER;
	ev_io_stop(c->loop, &c->io);
	ev_feed_event(c->loop, &c->timer, EV_CUSTOM);
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct http_client *c = w->data;

	(void)loop;
	if (revents & EV_TIMER && c->phase != OVER)
		snprintf(c->why, sizeof(c->why), "%s took too long", c->host);
	finish(c);
}

static void try_next(struct http_client *c);

/* This address gave nothing; another one may. */
static void failed(struct http_client *c, const char *why)
{
	snprintf(c->why, sizeof(c->why), "%s: %s", c->host, why);
	ev_io_stop(c->loop, &c->io);
	stream_close(c->stream);
	c->stream = NULL;
	try_next(c);
}

/* ---- the way there ---- */

static void shake_hands(struct http_client *c)
{
	struct buf why = BUF_INIT;

	switch (stream_handshake(c->stream)) {
	case STREAM_AGAIN:
		return;
	case STREAM_OK:
		if (!c->tls || stream_peer_trusted(c->stream, &why))
			c->phase = TALKING;
		else
			failed(c, buf_str(&why));
		break;
	case STREAM_CLOSED:
		failed(c, "the server closed the connection in the TLS handshake");
		break;
	case STREAM_FAILED:
		buf_appends(&why, stream_error(c->stream));
		failed(c, buf_str(&why));
		break;
	}
	buf_free(&why);
}

static void connected(struct http_client *c)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(c->io.fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
		error = errno;
	if (error) {
		failed(c, strerror(error));
		return;
	}
	c->phase = SHAKING_HANDS;
	if (c->tls)
		stream_start_tls_client(c->stream, c->tls, c->host);
}

static void push(struct http_client *c)
{
	size_t written;

	while (c->phase == TALKING && c->sent < c->request.len) {
		switch (stream_write(c->stream, c->request.data + c->sent, c->request.len - c->sent,
				     &written)) {
		case STREAM_OK:
			c->sent += written;
			break;
		case STREAM_AGAIN:
			return;
		default:
			failed(c, "the server closed the connection");
			return;
		}
	}
}

static void take(struct http_client *c, enum answer_status status)
{
	if (status == ANSWER_BAD)
		snprintf(c->why, sizeof(c->why), "%s: a bad answer: %s", c->host, c->answer.error);
	else
		c->why[0] = '\0';
	if (status != ANSWER_MORE)
		end(c);
}

static void pull(struct http_client *c)
{
	char bytes[4096];
	size_t got;

	while (c->phase == TALKING) {
		switch (stream_read(c->stream, bytes, sizeof(bytes), &got)) {
		case STREAM_OK:
			take(c, answer_feed(&c->answer, bytes, got));
			if (!stream_has_pending(c->stream))
				return;
			break;
		case STREAM_AGAIN:
			return;
		default:
			take(c, answer_end(&c->answer));
			return;
		}
	}
}

/* ---- the loop ---- */

static void set_events(struct http_client *c)
{
	int events = EV_READ;

	if (c->phase == CONNECTING || (c->phase == TALKING && c->sent < c->request.len) ||
	    stream_wants_write(c->stream))
		events |= EV_WRITE;
	ev_io_stop(c->loop, &c->io);
	ev_io_set(&c->io, stream_fd(c->stream), events);
	ev_io_start(c->loop, &c->io);
}

static void on_io(struct ev_loop *loop, ev_io *w, int revents)
{
	struct http_client *c = w->data;

	(void)loop;
	(void)revents;
	if (c->phase == CONNECTING)
		connected(c);
	if (c->phase == SHAKING_HANDS)
		shake_hands(c);
	push(c);
	pull(c);
	if (c->phase != OVER)
		set_events(c);
}

static void try_next(struct http_client *c)
{
	struct sockaddr_storage sa;

	if (c->next == c->addr_count) {
		end(c);
		return;
	}
	const struct addr *to = &c->addrs[c->next++];
	socklen_t len = addr_to_sockaddr(to, c->port, &sa);
	int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	answer_free(&c->answer);
	answer_init(&c->answer, c->reply_max);
	c->sent = 0;
	c->phase = CONNECTING;
	if (fd < 0) {
		snprintf(c->why, sizeof(c->why), "no socket: %s", strerror(errno));
		end(c);
		return;
	}
	c->stream = stream_open(fd);
	if (connect(fd, (struct sockaddr *)&sa, len) != 0 && errno != EINPROGRESS) {
		failed(c, strerror(errno));
		return;
	}
	set_events(c);
}

static void write_request(const struct http_request *r, struct buf *out)
{
	buf_printf(out,
		   "%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: gatepost\r\nAccept: */*\r\n"
		   "Connection: close\r\n",
		   r->method, r->path, r->host);
	if (r->type)
		buf_printf(out, "Content-Type: %s\r\nContent-Length: %zu\r\n", r->type,
			   r->body_len);
	buf_appends(out, "\r\n");
	if (r->type)
		buf_append(out, r->body, r->body_len);
}

struct http_client *http_client_open(struct ev_loop *loop, const struct http_request *r,
				     http_reply_fn *fn, void *arg)
{
	struct http_client *c = calloc(1, sizeof(*c));

	if (!c || !(c->host = strdup(r->host)))
		abort();
	c->loop = loop;
	c->fn = fn;
	c->arg = arg;
	c->port = r->port;
	c->tls = r->tls;
	c->reply_max = r->reply_max;
	c->addr_count = r->addr_count < HTTP_ADDRS_MAX ? r->addr_count : HTTP_ADDRS_MAX;
	memcpy(c->addrs, r->addrs, c->addr_count * sizeof(*c->addrs));
	write_request(r, &c->request);
	snprintf(c->why, sizeof(c->why), "%s has no address", c->host);
	ev_init(&c->io, on_io);
	ev_timer_init(&c->timer, on_timer, r->timeout_s, 0.);
	c->io.data = c->timer.data = c;
	ev_timer_start(loop, &c->timer);
	try_next(c);
	return c;
}
