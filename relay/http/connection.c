/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A step per phase; a run takes steps until one has to wait. Only the run frees a connection, so
 * that a handler may answer, or a step may fail, anywhere below it.
 */
#include "relay/http/connection.h"

#include "relay/process.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
	READ_CHUNK = 4096,
	IN_MAX = HTTP_HEAD_MAX + HTTP_BODY_MAX,
	LINGER_BYTES_MAX = 256 * 1024,
	KEEP_CAP = 8192, /* of a buffer that an idle connection may keep */
};

/* Whether there is another step to take at once. */
typedef bool step_fn(struct http_connection *c);
static step_fn step_handshake, step_request, step_answer, step_send, step_linger;

static const struct {
	uint32_t limit_s;
	step_fn *step;
	unsigned expired; /* the reply when time is up; 0: none, it is closed */
} phases[PHASE_COUNT] = {
	[PHASE_HANDSHAKE] = {10, step_handshake, 0}, [PHASE_IDLE] = {30, step_request, 0},
	[PHASE_HEAD] = {10, step_request, 408},      [PHASE_BODY] = {20, step_request, 408},
	[PHASE_ANSWER] = {30, step_answer, 503},     [PHASE_SEND] = {20, step_send, 0},
	[PHASE_LINGER] = {2, step_linger, 0},
};

uint64_t http_phase_limit_ms(enum http_phase phase)
{
	return phases[phase].limit_s * (uint64_t)1000;
}

static void line_leave(struct http_connection *c)
{
	struct http_line *line = &c->server->lines[c->phase];

	*(c->older ? &c->older->newer : &line->oldest) = c->newer;
	*(c->newer ? &c->newer->older : &line->newest) = c->older;
}

static void line_join(struct http_connection *c, enum http_phase phase)
{
	struct http_line *line = &c->server->lines[phase];

	c->phase = phase;
	c->since_ms = clock_steady_ms();
	c->older = line->newest;
	c->newer = NULL;
	*(line->newest ? &line->newest->newer : &line->oldest) = c;
	line->newest = c;
}

static void enter(struct http_connection *c, enum http_phase phase)
{
	line_leave(c);
	line_join(c, phase);
}

/* ---- bytes ---- */

static enum stream_status read_into(struct http_connection *c, void *bytes, size_t cap, size_t *got)
{
	if (!c->readable && !stream_has_pending(c->stream))
		return STREAM_AGAIN;
	enum stream_status status = stream_read(c->stream, bytes, cap, got);
	/* A short read has emptied the socket: asking again would cost a call to hear so. */
	if (status != STREAM_OK || *got < cap)
		c->readable = false;
	return status;
}

static enum stream_status read_some(struct http_connection *c)
{
	size_t got = 0;

	buf_reserve(&c->in, READ_CHUNK);
	enum stream_status status = read_into(c, c->in.data + c->in.len, READ_CHUNK, &got);
	if (status == STREAM_OK)
		c->in.len += got;
	return status;
}

static enum stream_status flush(struct http_connection *c)
{
	while (c->sent < c->out.len) {
		size_t written = 0;
		enum stream_status status = stream_write(c->stream, c->out.data + c->sent,
							 c->out.len - c->sent, &written);
		if (status != STREAM_OK)
			return status;
		c->sent += written;
	}
	buf_clear(&c->out);
	c->sent = 0;
	return STREAM_OK;
}

static bool waits(struct http_connection *c, enum stream_status status)
{
	if (status != STREAM_AGAIN)
		c->dead = true;
	return false;
}

/* ---- steps ---- */

static bool step_handshake(struct http_connection *c)
{
	enum stream_status status = stream_handshake(c->stream);

	if (status != STREAM_OK)
		return waits(c, status);
	c->readable = true;
	enter(c, PHASE_HEAD);
	return true;
}

static void answer(struct http_connection *c, const struct http_response *r)
{
	struct http_server *s = c->server;
	time_t now = (time_t)ev_now(s->loop);

	if (now != s->date_time) {
		s->date_time = now;
		http_date(now, s->date);
	}
	c->keep_alive = c->keep_alive && !s->stopping;
	http_response_format(r, c->minor, c->head, c->keep_alive, s->date, &c->out);
	c->data = NULL;
	enter(c, PHASE_SEND);
}

static void refuse(struct http_connection *c, unsigned status)
{
	c->keep_alive = false;
	c->head = false;
	answer(c, &(struct http_response){.status = status});
}

static void hand_over(struct http_connection *c, const struct http_request *r, size_t used)
{
	c->minor = r->minor;
	c->head = r->method == HTTP_HEAD;
	c->keep_alive = r->keep_alive;
	c->data = NULL;
	enter(c, PHASE_ANSWER);
	c->server->handler->request(c, r, c->server->arg);
	buf_consume(&c->in, used);
	c->parser = (struct http_parser){0};
	c->continued = false;
}

/* The first bytes of a request, or its whole head, move on to the next bound. */
static void advance(struct http_connection *c)
{
	if (c->phase == PHASE_IDLE)
		enter(c, PHASE_HEAD);
	if (c->phase == PHASE_HEAD && c->parser.head_len)
		enter(c, PHASE_BODY);
	if (c->parser.wants_continue && !c->continued && c->in.len == c->parser.head_len) {
		c->continued = true;
		buf_appends(&c->out, "HTTP/1.1 100 Continue\r\n\r\n");
	}
}

static bool step_request(struct http_connection *c)
{
	struct http_request r;
	size_t used;
	unsigned status;

	if (c->in.len) {
		switch (http_parse(&c->parser, c->in.data, c->in.len, &r, &used, &status)) {
		case HTTP_DONE:
			hand_over(c, &r, used);
			return true;
		case HTTP_BAD:
			refuse(c, status);
			return true;
		case HTTP_MORE:
			advance(c);
		}
	}
	enum stream_status sent = flush(c);
	if (sent != STREAM_OK)
		return waits(c, sent);
	enum stream_status got = c->ended ? STREAM_CLOSED : read_some(c);
	return got == STREAM_OK || waits(c, got);
}

/* The handler has it. Look only whether the peer is still there, and what it sends meanwhile. */
static bool step_answer(struct http_connection *c)
{
	if (c->ended || c->in.len >= IN_MAX)
		return false;
	enum stream_status got = read_some(c);
	if (got == STREAM_CLOSED)
		c->ended = true; /* of its half: it may well be waiting for the answer */
	else if (got == STREAM_FAILED)
		c->dead = true;
	return got == STREAM_OK;
}

static bool step_send(struct http_connection *c)
{
	enum stream_status status = flush(c);

	if (status != STREAM_OK)
		return waits(c, status);
	if (c->keep_alive) {
		if (c->in.cap > KEEP_CAP && !c->in.len)
			buf_free(&c->in);
		if (c->out.cap > KEEP_CAP)
			buf_free(&c->out);
		enter(c, PHASE_IDLE);
		return true;
	}
	if (c->ended) {
		c->dead = true;
		return false;
	}
	shutdown(stream_fd(c->stream), SHUT_WR);
	enter(c, PHASE_LINGER);
	return true;
}

static bool step_linger(struct http_connection *c)
{
	char bytes[READ_CHUNK];
	size_t got = 0;
	enum stream_status status = read_into(c, bytes, sizeof(bytes), &got);

	if (status != STREAM_OK)
		return waits(c, status);
	c->discarded += got;
	if (c->discarded > LINGER_BYTES_MAX)
		c->dead = true;
	return true;
}

/* ---- the run ---- */

static void watch(struct http_connection *c)
{
	bool reads = c->phase != PHASE_SEND && !c->ended && c->in.len < IN_MAX;
	int events = reads ? EV_READ : 0;

	if (stream_wants_write(c->stream))
		events |= EV_WRITE;
	else if (c->phase == PHASE_SEND)
		events |= stream_is_tls(c->stream) ? EV_READ : EV_WRITE;
	if (events == c->events)
		return;
	ev_io_stop(c->server->loop, &c->io);
	if (events) {
		ev_io_set(&c->io, stream_fd(c->stream), events);
		ev_io_start(c->server->loop, &c->io);
	}
	c->events = events;
}

static void http_connection_free(struct http_connection *c)
{
	struct http_server *s = c->server;

	line_leave(c);
	ev_io_stop(s->loop, &c->io);
	if (c->phase == PHASE_ANSWER)
		s->handler->gone(c, s->arg);
	stream_close(c->stream);
	http_source_leave(s, &c->peer);
	buf_free(&c->in);
	buf_free(&c->out);
	free(c);
	s->connections--;
	http_server_has_place(s);
}

void http_connection_run(struct http_connection *c)
{
	if (c->running)
		return;
	c->running = true;
	while (!c->dead && phases[c->phase].step(c))
		;
	c->running = false;
	if (c->dead)
		http_connection_free(c);
	else
		watch(c);
}

static void on_io(struct ev_loop *loop, ev_io *w, int events)
{
	struct http_connection *c = w->data;

	(void)loop;
	c->readable |= (events & EV_READ) != 0;
	http_connection_run(c);
}

void http_connection_start(struct http_server *s, struct stream *stream, const struct addr *peer,
			   bool handshake)
{
	struct http_connection *c = calloc(1, sizeof(*c));
	if (!c)
		abort();
	c->server = s;
	c->stream = stream;
	c->peer = *peer;
	c->minor = 1;
	s->connections++;
	ev_io_init(&c->io, on_io, stream_fd(stream), EV_READ);
	c->io.data = c;
	line_join(c, handshake ? PHASE_HANDSHAKE : PHASE_HEAD);
	watch(c);
}

void http_connection_close(struct http_connection *c)
{
	c->dead = true;
	http_connection_run(c);
}

void http_connection_expire(struct http_connection *c)
{
	unsigned status = phases[c->phase].expired;

	/* Who has not asked is not answered: a browser opens connections ahead. */
	if (!status || (c->phase == PHASE_HEAD && !c->in.len)) {
		http_connection_close(c);
		return;
	}
	if (c->phase == PHASE_ANSWER)
		c->server->handler->gone(c, c->server->arg);
	refuse(c, status);
	http_connection_run(c);
}

void http_answer(struct http_connection *c, const struct http_response *r)
{
	if (c->phase != PHASE_ANSWER)
		return;
	answer(c, r);
	http_connection_run(c);
}

const struct addr *http_connection_peer(const struct http_connection *c)
{
	return &c->peer;
}

void http_connection_set_data(struct http_connection *c, void *data)
{
	c->data = data;
}

void *http_connection_data(const struct http_connection *c)
{
	return c->data;
}
