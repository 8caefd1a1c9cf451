/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * connection_run() is the one place where things move: it sends what it can, feeds the session what
 * is there, does what the session wants, reads once more, and then says what to wait for. Every
 * event leads there, when the connection's turn has come (turns.h).
 */
#include "relay/smtp/connection.h"

#include "lib/log.h"
#include "relay/smtp/session.h"
#include "relay/smtp/submission.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
	READ_BYTES = 64 * 1024,
	HANDSHAKE_COST = 256 * 1024, /* a key exchange takes as long as reading so many bytes */
	STRANGERS_WEIGHT = 10,       /* what an account has that was given none */
};

enum phase {
	PHASE_HANDSHAKE,
	PHASE_TALK,
	PHASE_ANSWER, /* auth or spool was asked */
	PHASE_LINGER, /* all is said; the client closes, or time does */
};

struct connection {
	struct fair_item turn; /* first: found by its address */
	struct acceptor *acceptor;
	struct connection *next, **at;
	struct stream *stream;
	struct session *session; /* NULL during the handshake of an implicit TLS */
	enum phase phase;
	struct buf in; /* read, but not yet wanted by the session */
	ev_io readable, writable;
	ev_timer timer;
	double active_at, kept_at; /* the loop's clock */
	struct addr client;
	char source[ADDR_STR_MAX];
	char charged[TALLY_NAME_MAX + 1]; /* the account that it counts for; "" for none */
	uint32_t flow;                    /* whose turns it takes */
	unsigned weight;
	uint64_t last_bytes; /* of the last read: what the next turn may cost */
	struct body body;
	struct submission *submission;
	uint64_t login; /* ticket */
	bool login_asked;
	bool draining; /* end after the message under way */
	bool finished; /* our side is closed */
};

static void connection_run(struct connection *c);

const char *connection_source(const struct addr *client, char out[ADDR_STR_MAX])
{
	struct addr network = *client;

	if (client->family == AF_INET6)
		memset(network.bytes + 8, 0, 8);
	return addr_format(&network, out);
}

/* ---- its end ---- */

static void drop_body(struct connection *c)
{
	acceptor_release(c->acceptor, c->charged, c->body.size);
	body_clear(&c->body);
}

static void connection_free(struct connection *c)
{
	struct acceptor *a = c->acceptor;

	ev_io_stop(a->loop, &c->readable);
	ev_io_stop(a->loop, &c->writable);
	ev_timer_stop(a->loop, &c->timer);
	turns_drop(&a->turns, &c->turn);
	if (c->submission)
		submission_forget_client(c->submission);
	if (c->login_asked)
		tickets_take(&a->logins, c->login);
	drop_body(c);
	tally_take(&a->by_source, c->source, 1);
	if (c->charged[0])
		tally_take(&a->by_account, c->charged, 1);
	*c->at = c->next;
	if (c->next)
		c->next->at = c->at;
	a->connections--;
	session_free(c->session);
	stream_close(c->stream);
	buf_free(&c->in);
	free(c);
	a->less(a);
}

/* ---- what the session asks of its owner ---- */

static void on_body_begin(void *arg)
{
	drop_body(arg);
}

static void on_body(void *arg, const char *bytes, size_t n)
{
	struct connection *c = arg;
	struct acceptor *a = c->acceptor;
	uint64_t before = c->body.size;

	if (a->body_bytes + n <= 2 * a->body_bytes_max) {
		body_append(&c->body, bytes, n);
		acceptor_hold(a, c->charged, c->body.size - before);
	} else {
		drop_body(c);
		body_fail(&c->body);
	}
}

static const char *over_rate(const struct config_account *account, uint64_t wait_ms, char *text,
			     size_t cap)
{
	char why[RATES_TEXT_MAX];

	rates_explain(account, wait_ms, why);
	snprintf(text, cap, "%s", why);
	return "450 4.7.1";
}

static const char *on_charge(void *arg, const struct config_account *account, unsigned recipients,
			     char *text, size_t cap)
{
	struct acceptor *a = ((struct connection *)arg)->acceptor;
	uint64_t now_ms, wait_ms;

	if (!account->rate.count)
		return NULL;
	now_ms = clock_steady_ms();
	wait_ms = rates_wait_ms(&a->rates, account, recipients, now_ms);
	if (wait_ms)
		return over_rate(account, wait_ms, text, cap);
	rates_take(&a->rates, account, recipients, now_ms);
	return NULL;
}

static void on_refund(void *arg, const struct config_account *account, unsigned recipients)
{
	rates_give_back(&((struct connection *)arg)->acceptor->rates, account, recipients,
			clock_steady_ms());
}

/* Counts the connection for the account; NULL, or why it may not. */
static const char *on_admit(void *arg, const struct config_account *account, char *text, size_t cap)
{
	struct connection *c = arg;
	struct acceptor *a = c->acceptor;
	uint64_t wait_ms;

	drop_body(c); /* of a message that was refused */
	if (a->draining) {
		snprintf(text, cap, "the relay is being drained: try again later");
		return "451 4.3.2";
	}
	if (!a->spool) {
		snprintf(text, cap, "the queue is not there: try again soon");
		return "451 4.3.0";
	}
	if (!acceptor_has_room(a, account->name)) {
		snprintf(text, cap, "too much mail is coming in: try again soon");
		return "452 4.3.1";
	}
	wait_ms = account->rate.count ? rates_wait_ms(&a->rates, account, 1, clock_steady_ms()) : 0;
	if (wait_ms)
		return over_rate(account, wait_ms, text, cap);
	if (strcmp(c->charged, account->name) == 0)
		return NULL;
	if (tally_of(&a->by_account, account->name) >= account->connections_max) {
		snprintf(text, cap, "account %s has %u connections open, and no more are allowed",
			 account->name, account->connections_max);
		return "421 4.7.0";
	}
	if (c->charged[0])
		tally_take(&a->by_account, c->charged, 1);
	snprintf(c->charged, sizeof(c->charged), "%s", account->name);
	tally_add(&a->by_account, c->charged, 1);
	c->flow = turns_account(c->charged);
	c->weight = account->weight;
	return NULL;
}

/* Whoever comes by must not be able to fill the log. */
static bool may_be_logged(struct acceptor *a, const char *account)
{
	uint64_t minute = clock_steady_ms() / 60000;

	if (*account)
		return true;
	if (minute != a->stranger_minute) {
		a->stranger_minute = minute;
		a->stranger_events = 0;
	}
	return a->stranger_events++ < STRANGER_EVENTS_MAX;
}

static void on_rejected(void *arg, const char *account, const char *sender, const char *rcpt,
			const char *reply)
{
	struct connection *c = arg;
	struct event event = {
		.kind = EVENT_REJECTED,
		.time_ms = clock_wall_ms(),
		.account = (char *)account,
		.sender = (char *)sender,
		.rcpt = (char *)rcpt,
		.detail = (char *)reply,
		.client = c->client,
	};

	if (may_be_logged(c->acceptor, account))
		outbox_put(&c->acceptor->outbox, &event);
}

static const struct session_owner owner = {
	.body_begin = on_body_begin,
	.body = on_body,
	.admit = on_admit,
	.charge = on_charge,
	.refund = on_refund,
	.rejected = on_rejected,
};

/* ---- time ---- */

static const double phase_seconds[] = {
	[PHASE_HANDSHAKE] = CONNECTION_HANDSHAKE_S,
	[PHASE_TALK] = CONNECTION_IDLE_S,
	[PHASE_ANSWER] = CONNECTION_ANSWER_S,
	[PHASE_LINGER] = CONNECTION_LINGER_S,
};

static double now(const struct connection *c)
{
	return ev_now(c->acceptor->loop);
}

/* When time will be up: whichever comes first. */
static double deadline(const struct connection *c)
{
	double idle = c->active_at + phase_seconds[c->phase];
	double message = c->kept_at + CONNECTION_MESSAGE_S;

	return c->phase == PHASE_TALK && message < idle ? message : idle;
}

/* The timer is not moved by every byte: when it fires too early it is set anew. */
static void set_timer(struct connection *c)
{
	double left = deadline(c) - now(c);

	ev_timer_stop(c->acceptor->loop, &c->timer);
	ev_timer_set(&c->timer, left > 0 ? left : 0, 0.);
	ev_timer_start(c->acceptor->loop, &c->timer);
}

static void enter(struct connection *c, enum phase phase)
{
	bool sooner = phase_seconds[phase] < phase_seconds[c->phase];

	c->phase = phase;
	c->active_at = now(c);
	if (sooner)
		set_timer(c);
}

static void give_up_waiting(struct connection *c)
{
	if (c->login_asked) {
		tickets_take(&c->acceptor->logins, c->login);
		connection_authenticated(c, &(struct auth_answer){.verdict = AUTH_LATER});
	} else {
		submission_forget_client(c->submission);
		connection_submitted(c, SUBMIT_ERROR, 0);
	}
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int events)
{
	struct connection *c = w->data;

	(void)loop;
	(void)events;
	if (deadline(c) > now(c)) {
		set_timer(c);
	} else if (c->phase == PHASE_ANSWER) {
		give_up_waiting(c);
	} else if (c->phase == PHASE_TALK) {
		session_end(c->session, c->active_at + CONNECTION_IDLE_S <= now(c)
						? "4.4.2 nothing came for 300 seconds"
						: "4.4.2 no message was complete for 1800 seconds");
		connection_run(c);
	} else {
		connection_free(c);
	}
}

/* ---- what the session wants ---- */

static void begin_session(struct connection *c)
{
	c->session =
		session_new(c->acceptor->config, &c->client, stream_tls_name(c->stream), &owner, c);
	enter(c, PHASE_TALK);
}

/* What was read already was sent in clear: it is dropped (RFC 3207 §4.2). */
static void start_tls(struct connection *c)
{
	buf_clear(&c->in);
	stream_start_tls_server(c->stream, c->acceptor->tls);
	enter(c, PHASE_HANDSHAKE);
}

static void ask_auth(struct connection *c)
{
	struct acceptor *a = c->acceptor;
	struct buf payload = BUF_INIT;
	struct auth_ask ask;

	if (!a->auth) {
		session_auth_answer(c->session, AUTH_LATER, "");
		return;
	}
	session_auth_ask(c->session, &ask);
	auth_ask_encode(&ask, &payload);
	c->login = tickets_give(&a->logins, c);
	c->login_asked = true;
	channel_send(a->auth, MSG_AUTH_ASK, c->login, &payload, -1);
	explicit_bzero(&ask, sizeof(ask));
	explicit_bzero(payload.data, payload.len);
	buf_free(&payload);
	enter(c, PHASE_ANSWER);
}

static void submit(struct connection *c)
{
	c->submission = submission_send(c->acceptor, c, session_take_envelope(c->session), &c->body,
					c->charged, stream_tls_name(c->stream));
	if (c->submission)
		enter(c, PHASE_ANSWER);
	else
		session_submitted(c->session, SUBMIT_ERROR, 0);
}

/* ---- moving ---- */

static size_t unsent(const struct connection *c)
{
	return c->session ? session_output(c->session)->len : 0;
}

/* False when the connection is over. */
static bool flush(struct connection *c)
{
	struct buf *out = session_output(c->session);
	enum stream_status s = STREAM_OK;

	while (out->len && s == STREAM_OK) {
		size_t written;

		s = stream_write(c->stream, out->data, out->len, &written);
		buf_consume(out, written);
		if (written)
			c->active_at = now(c);
	}
	return s == STREAM_OK || s == STREAM_AGAIN;
}

static bool handshake(struct connection *c)
{
	switch (stream_handshake(c->stream)) {
	case STREAM_AGAIN:
		return true;
	case STREAM_OK:
		break;
	case STREAM_FAILED:
		log_info("TLS with %s failed: %s", c->source, stream_error(c->stream));
		return false;
	default:
		return false;
	}
	if (!c->session) {
		begin_session(c);
	} else {
		session_tls_started(c->session, stream_tls_name(c->stream));
		enter(c, PHASE_TALK);
	}
	return true;
}

/* One thing that can be done without waiting; false when there is none. */
static bool talk(struct connection *c)
{
	size_t used;

	switch (session_want(c->session)) {
	case SESSION_INPUT:
		if (c->draining && session_is_idle(c->session)) {
			session_end(c->session, "4.3.2 the relay is going down");
			return true;
		}
		if (!c->in.len || unsent(c) >= CONNECTION_OUTPUT_MAX)
			return false;
		used = session_input(c->session, c->in.data, c->in.len);
		buf_consume(&c->in, used);
		return true;
	case SESSION_AUTH:
		ask_auth(c);
		return true;
	case SESSION_SUBMIT:
		submit(c);
		return true;
	case SESSION_STARTTLS:
		if (!unsent(c))
			start_tls(c);
		return !unsent(c);
	default:
		enter(c, PHASE_LINGER);
		return true;
	}
}

/* Everything that can be done without reading. False when the connection is over. */
static bool move(struct connection *c)
{
	bool moved = true;

	while (moved) {
		if (c->phase == PHASE_HANDSHAKE) {
			if (!handshake(c))
				return false;
			moved = c->phase == PHASE_TALK;
			continue;
		}
		if (!flush(c))
			return false;
		moved = c->phase == PHASE_TALK && talk(c);
	}
	if (c->phase == PHASE_LINGER && !unsent(c) && !c->finished) {
		stream_finish(c->stream);
		c->finished = true;
	}
	return true;
}

static bool wants_input(const struct connection *c)
{
	if (c->phase == PHASE_LINGER)
		return true;
	return c->phase == PHASE_TALK && session_want(c->session) == SESSION_INPUT &&
	       unsent(c) < CONNECTION_OUTPUT_MAX;
}

static enum stream_status read_once(struct connection *c)
{
	static char bytes[READ_BYTES];
	size_t got, used;
	enum stream_status status = stream_read(c->stream, bytes, sizeof(bytes), &got);

	if (status != STREAM_OK || c->phase == PHASE_LINGER)
		return status;
	c->active_at = now(c);
	c->last_bytes = got;
	used = session_input(c->session, bytes, got);
	buf_append(&c->in, bytes + used, got - used);
	return status;
}

static void watch(struct connection *c, ev_io *w, bool wanted)
{
	if (wanted && !ev_is_active(w))
		ev_io_start(c->acceptor->loop, w);
	else if (!wanted && ev_is_active(w))
		ev_io_stop(c->acceptor->loop, w);
}

static void say_what_to_wait_for(struct connection *c)
{
	/* While an answer is awaited, a client is seldom early: on_event() sees to that one. */
	if (c->phase != PHASE_ANSWER)
		watch(c, &c->readable, c->phase == PHASE_HANDSHAKE || wants_input(c));
	watch(c, &c->writable, unsent(c) || stream_wants_write(c->stream));
}

static void connection_run(struct connection *c)
{
	bool alive = move(c);

	while (alive && wants_input(c)) {
		enum stream_status status = read_once(c);

		alive = status <= STREAM_AGAIN && move(c);
		/* What TLS holds back is not shown by the socket. */
		if (status == STREAM_AGAIN || !stream_has_pending(c->stream))
			break;
	}
	if (!alive) {
		connection_free(c);
		return;
	}
	if (!c->in.len)
		buf_free(&c->in);
	say_what_to_wait_for(c);
}

void connection_serve(struct fair_item *turn)
{
	connection_run((struct connection *)(void *)turn);
}

static void ask_for_turn(struct connection *c)
{
	turns_ask(&c->acceptor->turns, &c->turn, c->flow, c->weight,
		  c->phase == PHASE_HANDSHAKE ? HANDSHAKE_COST : c->last_bytes);
}

static void on_event(struct ev_loop *loop, ev_io *w, int events)
{
	struct connection *c = w->data;

	(void)loop;
	if (c->phase == PHASE_ANSWER && (events & EV_READ))
		watch(c, w, false);
	else
		ask_for_turn(c);
}

/* ---- answers ---- */

/* The reply leaves at once; what the client sent behind it has to wait for a turn. */
static void go_on(struct connection *c)
{
	if (!flush(c)) {
		connection_free(c);
		return;
	}
	say_what_to_wait_for(c);
	if (c->in.len || c->draining || stream_has_pending(c->stream) ||
	    session_want(c->session) != SESSION_INPUT)
		ask_for_turn(c);
}

void connection_authenticated(struct connection *c, const struct auth_answer *answer)
{
	c->login_asked = false;
	enter(c, PHASE_TALK);
	session_auth_answer(c->session, answer->verdict, answer->account);
	go_on(c);
}

void connection_submitted(struct connection *c, enum submit_status status, uint64_t message)
{
	c->submission = NULL;
	if (status == SUBMIT_KEPT)
		c->kept_at = now(c);
	enter(c, PHASE_TALK);
	session_submitted(c->session, status, message);
	go_on(c);
}

/* ---- its beginning, and what concerns all ---- */

void connection_open(struct acceptor *a, int fd, const struct addr *client, enum listener_kind kind)
{
	struct connection *c = calloc(1, sizeof(*c));
	int on = 1;

	if (!c)
		abort();
	/* Replies are small and waited for. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	*c = (struct connection){
		.acceptor = a,
		.next = a->first,
		.at = &a->first,
		.stream = stream_open(fd),
		.client = *client,
		.body = BODY_INIT,
		.active_at = ev_now(a->loop),
		.kept_at = ev_now(a->loop),
	};
	if (c->next)
		c->next->at = &c->next;
	a->first = c;
	a->connections++;
	connection_source(client, c->source);
	c->flow = turns_source(c->source);
	c->weight = STRANGERS_WEIGHT;
	tally_add(&a->by_source, c->source, 1);
	ev_io_init(&c->readable, on_event, fd, EV_READ);
	ev_io_init(&c->writable, on_event, fd, EV_WRITE);
	ev_init(&c->timer, on_timer);
	c->readable.data = c->writable.data = c->timer.data = c;
	if (kind == LISTENER_SUBMISSIONS)
		stream_start_tls_server(c->stream, a->tls);
	else
		begin_session(c);
	set_timer(c);
	ask_for_turn(c);
}

void connection_reload_all(struct acceptor *a)
{
	for (struct connection *c = a->first; c; c = c->next)
		if (c->session)
			session_reload(c->session, a->config);
}

void connection_drain_all(struct acceptor *a)
{
	for (struct connection *c = a->first; c; c = c->next) {
		c->draining = true;
		if (c->phase == PHASE_TALK)
			ask_for_turn(c);
	}
}
