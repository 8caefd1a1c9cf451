/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/queue/session.h"

#include "lib/log.h"
#include "relay/deliver/provider.h"
#include "relay/deliver/route.h"
#include "relay/queue/destination.h"
#include "relay/queue/lane.h"
#include "relay/queue/mails.h"
#include "relay/queue/parcel.h"
#include "relay/queue/prepare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SMTP_PORT 25

bool session_is_opening(const struct session *s)
{
	return s->state == SESSION_RESOLVING || s->state == SESSION_CONNECTING;
}

uint16_t session_peer_port(void)
{
	uint16_t lab = scheduler.process->config->lab_smtp_port;

	return lab ? lab : SMTP_PORT;
}

static uint16_t port_of(const struct config_pool *pool)
{
	return pool && *pool->smart_host.host ? pool->smart_host.port : session_peer_port();
}

static const struct config_pool *pool_of(const struct destination *d)
{
	return *d->pool ? config_pool(scheduler.process->config, d->pool) : NULL;
}

/* --- who it speaks to, in words --- */

static void say_host(const struct session *s, struct buf *out)
{
	const struct resolve_target *t = &s->targets->items[s->target].to;
	char text[ADDR_STR_MAX];

	buf_printf(out, "%s [%s]", t->host, addr_format(&t->addr, text));
}

static void say_peer(const struct session *s, struct buf *out)
{
	struct addr source = client_source(s->client);
	char text[ADDR_STR_MAX];

	say_host(s, out);
	buf_printf(out, ":%u", s->port);
	if (*s->destination->pool)
		buf_printf(out, " pool %s", s->destination->pool);
	buf_printf(out, " from %s", addr_format(&source, text));
	buf_printf(out, " %s (%s)",
		   *client_tls_name(s->client) ? client_tls_name(s->client) : "no TLS", s->policy);
	if (s->sent_ms)
		buf_printf(out, " in %llu ms",
			   (unsigned long long)(clock_steady_ms() - s->sent_ms));
}

/* --- its end --- */

static void forget_parcel(struct session *s)
{
	s->parcel = NULL;
	envelope_free(s->envelope);
	s->envelope = NULL;
	free(s->recipients);
	s->recipients = NULL;
}

static void session_free(struct session *s)
{
	struct destination *d = s->destination;

	ev_timer_stop(scheduler.loop, &s->idle);
	*s->link = s->next;
	if (s->next)
		s->next->link = s->link;
	d->session_count--;
	lane_exit(s);
	share_return(&scheduler.slots, s->account, 1);
	targets_release(s->targets);
	destination_touch(d);
	free(s);
}

void session_abort(struct session *s)
{
	struct parcel *p = s->parcel;

	if (s->client)
		client_abort(s->client);
	if (p) {
		forget_parcel(s);
		parcel_again(p);
	}
	session_free(s);
}

/* host_failed() puts the host before what it said. */
static const char *said_by_peer(const char *why)
{
	const char *said = strstr(why, "]: ");

	return said ? said + 3 : why;
}

/* There was nobody to speak to. While other sessions live, the destination does. */
static void none_opened(struct destination *d, const char *why, bool refuse)
{
	bool last = true;

	for (const struct session *s = d->sessions; s; s = s->next)
		last = last && s->state == SESSION_CLOSING;
	enum limits_trouble trouble = limits_of_reply(said_by_peer(why));
	if (d->lane && !refuse)
		lane_troubled(d->lane, trouble ? trouble : LIMITS_UNREACHABLE, why);
	/* A provider that wants less has its lane back off; what waits is told when that goes on.
	 */
	if (last && (refuse || !trouble || !d->lane || lane_shut(d->lane)))
		destination_failed(d, why, refuse);
	else if (last)
		destination_forget_hosts(d); /* that one of them failed */
}

/* No host is left to try. */
static void give_up(struct session *s, const char *why)
{
	struct destination *d = s->destination;

	session_free(s);
	none_opened(d, why, false);
}

/* --- its beginning --- */

static const struct client_handler client_handler;

/* What a mail host has to offer. */
static void ask_of_host(const struct resolve_target *t, struct session *s, struct client_target *to)
{
	to->need = s->plain ? TLS_NEVER : t->tls.need;
	to->tlsa = t->tlsa;
	to->tls = t->tls.need == TLS_TRUSTED ? scheduler.trusted : scheduler.tls;
	s->policy = t->tls.policy;
}

/* What a smart host has to offer: the pool says it, not the DNS. */
static void ask_of_smart_host(const struct config_smart_host *smart, struct session *s,
			      struct client_target *to)
{
	to->host = smart->host;
	to->need = smart->tls == SMART_NONE ? TLS_NEVER : TLS_TRUSTED;
	to->implicit = smart->tls == SMART_IMPLICIT;
	to->tls = scheduler.trusted;
	to->user = smart->user;
	to->password = smart->password;
	s->policy = "smart-host";
}

static bool try_target(struct session *s, const struct config_pool *pool)
{
	const struct relay_config *c = scheduler.process->config;
	const struct target *t = &s->targets->items[s->target];
	struct client_target to = {
		.host = t->to.base,
		.addr = t->to.addr,
		.port = port_of(pool),
		.next_hop = s->destination->domain,
	};

	if (t->bad || !lane_source(s->lane, pool, t->to.addr.family,
				   route_hash(s->destination->domain) + s->serial, &to.source))
		return false;
	to.helo = route_helo(c, pool, &to.source);
	if (pool && *pool->smart_host.host)
		ask_of_smart_host(&pool->smart_host, s, &to);
	else
		ask_of_host(&t->to, s, &to);
	s->port = to.port;
	s->state = SESSION_CONNECTING;
	s->client = client_open(scheduler.loop, &to, &client_handler, s);
	return true;
}

/* From s->target on, the first host that can be tried. */
static void connect_next(struct session *s)
{
	struct destination *d = s->destination;
	const struct config_pool *pool = pool_of(d);
	struct buf why = BUF_INIT;

	if (*d->pool && !pool) {
		buf_printf(&why, "4.3.5 the pool %s is no longer configured", d->pool);
		give_up(s, buf_str(&why));
		buf_free(&why);
		return;
	}
	/* Enough others speak to this provider, or its addresses may not today: it waits. */
	if (!lane_enter(s)) {
		session_free(s);
		return;
	}
	for (; s->target < s->targets->count; s->target++)
		if (try_target(s, pool))
			return;
	if (lane_used_up(s->lane)) {
		session_free(s);
		return;
	}
	if (d->why)
		buf_appends(&why, d->why);
	else
		buf_printf(&why, "4.4.1 the pool %s has no address that reaches a mail host of %s",
			   d->pool, d->domain);
	give_up(s, buf_str(&why));
	buf_free(&why);
}

static struct targets *targets_new(const struct resolve_answer *a)
{
	struct targets *t = calloc(1, sizeof(*t) + a->count * sizeof(*t->items));

	if (!t)
		abort();
	t->refs = 1;
	t->at_ms = clock_steady_ms();
	t->count = a->count;
	for (size_t i = 0; i < a->count; i++) {
		t->items[i].to = a->targets[i];
		tlsa_set_keep(t->items[i].to.tlsa);
	}
	return t;
}

static void use_targets(struct session *s, struct targets *t)
{
	s->targets = t;
	t->refs++;
	s->target = 0;
	connect_next(s);
}

/* The best host of the first by name tells whose the domain is: their order is by chance. */
static void join_lane(struct destination *d, const struct resolve_answer *a)
{
	const struct resolve_target *best = &a->targets[0];

	for (size_t i = 1; i < a->count; i++) {
		const struct resolve_target *t = &a->targets[i];

		if (t->preference < best->preference ||
		    (t->preference == best->preference && strcmp(t->host, best->host) < 0))
			best = t;
	}
	lane_join(d, provider_of(scheduler.process->config, best->host));
}

static void on_resolved(const struct resolve_answer *a, void *arg)
{
	struct destination *d = arg;
	struct session *s, *next;

	d->query = NULL;
	targets_release(d->targets);
	d->targets = a->status == RESOLVE_FOUND ? targets_new(a) : NULL;
	if (d->targets)
		join_lane(d, a);
	free(d->why);
	d->why = NULL;
	for (s = d->sessions; s; s = next) {
		next = s->next;
		if (s->state != SESSION_RESOLVING)
			continue;
		if (d->targets)
			use_targets(s, d->targets);
		else
			session_free(s);
	}
	if (!d->targets)
		none_opened(d, a->why, a->status != RESOLVE_LATER && a->status != RESOLVE_UNSAFE);
	destination_touch(d);
}

static void on_idle(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct session *s = w->data;

	(void)loop;
	(void)revents;
	s->state = SESSION_CLOSING;
	client_quit(s->client);
}

/* A smart host is a name of the config's: it needs no MX. */
static struct resolve_query *ask_targets(struct destination *d)
{
	const struct config_pool *pool = pool_of(d);

	if (pool && *pool->smart_host.host)
		return resolve_host(&scheduler.resolver, pool->smart_host.host, on_resolved, d);
	return resolve_mail(&scheduler.resolver, d->domain, on_resolved, d);
}

void session_let_go(struct session *s)
{
	ev_timer_stop(scheduler.loop, &s->idle);
	s->state = SESSION_CLOSING;
	client_quit(s->client);
}

static bool targets_fresh(const struct destination *d)
{
	return d->targets && !d->fails &&
	       clock_steady_ms() - d->targets->at_ms < TARGETS_FRESH_S * 1000;
}

void session_open(struct destination *d, uint32_t account)
{
	struct session *s = calloc(1, sizeof(*s));

	if (!s)
		abort();
	s->destination = d;
	s->account = account;
	s->serial = d->session_serial++;
	s->opened_ms = clock_steady_ms();
	ev_timer_init(&s->idle, on_idle, SESSION_IDLE_S, 0.);
	s->idle.data = s;
	s->next = d->sessions;
	s->link = &d->sessions;
	if (s->next)
		s->next->link = &s->next;
	d->sessions = s;
	d->session_count++;
	if (d->lane)
		lane_enter(s);
	if (targets_fresh(d))
		use_targets(s, d->targets);
	else if (!d->query)
		d->query = ask_targets(d);
}

/* --- its mails --- */

static void on_ready(struct client *c, void *arg)
{
	struct session *s = arg;
	struct destination *d = s->destination;

	if (!s->was_ready)
		destination_answers(d);
	s->was_ready = true;
	if (!client_extensions(c)->eight_bit)
		d->seven_bit = true;
	if (scheduler.stopping || lane_wants_back(s) ||
	    clock_steady_ms() - s->opened_ms > SESSION_AGE_S * 1000) {
		session_let_go(s);
	} else {
		s->state = SESSION_IDLE;
		ev_timer_set(&s->idle, SESSION_IDLE_S, 0.);
		ev_timer_start(scheduler.loop, &s->idle);
	}
	destination_touch(d);
}

static void refuse(struct session *s, struct parcel *p, const char *reply)
{
	struct buf host = BUF_INIT, peer = BUF_INIT;

	say_host(s, &host);
	say_peer(s, &peer);
	parcel_refuse(p, reply, buf_str(&host), buf_str(&peer));
	buf_free(&host);
	buf_free(&peer);
}

static struct client_mail describe(struct session *s)
{
	const struct envelope *e = s->envelope;
	const struct parcel *p = s->parcel;
	const struct body *b = p->body;
	size_t n = 0;

	s->recipients = calloc(p->count, sizeof(*s->recipients));
	if (!s->recipients)
		abort();
	for (uint16_t i = p->first; i != NO_RCPT; i = p->mail->rcpts[i].next)
		s->recipients[n++] = (struct client_recipient){
			.address = e->recipients[i].address,
			.orcpt = e->recipients[i].orcpt,
			.notify = e->recipients[i].notify,
		};
	return (struct client_mail){
		.sender = e->sender,
		.envid = e->envid,
		.ret_hdrs = e->flags & ENVELOPE_RET_HDRS,
		.smtputf8 = e->flags & ENVELOPE_SMTPUTF8,
		.eight_bit = b->eight_bit,
		.fd = b->fd,
		.bytes = b->bytes,
		.size = b->size,
		.recipients = s->recipients,
		.recipient_count = n,
	};
}

void session_send(struct session *s, struct parcel *p)
{
	const struct reply_extensions *peer = client_extensions(s->client);

	if (p->body->eight_bit && !peer->eight_bit) {
		if (p->body->seven_bit)
			refuse(s, p,
			       "554 5.6.3 the peer takes seven bits only, and the message "
			       "cannot be converted");
		else
			parcel_again(p); /* made anew: the destination is known as seven-bit now */
		return;
	}
	s->parcel = p;
	s->envelope = mail_envelope(p->mail);
	const struct client_mail m = describe(s);
	const char *cannot = command_cannot(&m, peer);
	if (cannot) {
		forget_parcel(s);
		refuse(s, p, cannot);
		return;
	}
	ev_timer_stop(scheduler.loop, &s->idle);
	p->state = PARCEL_SENDING;
	p->destination->ahead--;
	s->state = SESSION_SENDING;
	s->mails++;
	s->sent_ms = clock_steady_ms();
	client_send(s->client, &m);
}

static void on_done(struct client *c, const struct client_result *results, void *arg)
{
	struct session *s = arg;
	struct parcel *p = s->parcel;
	struct buf host = BUF_INIT, peer = BUF_INIT;
	enum limits_trouble trouble = LIMITS_NO_TROUBLE;
	const char *why = "";
	bool delivered = false;

	if (results[0].outcome == CLIENT_UNTRIED) {
		parcel_again(p);
	} else {
		for (uint16_t i = 0; i < p->count; i++)
			if (results[i].outcome == CLIENT_DELIVERED)
				delivered = true;
			else if (results[i].outcome == CLIENT_LATER &&
				 (trouble = limits_of_reply(results[i].reply)))
				why = results[i].reply;
		if (delivered && trouble != LIMITS_BUSY)
			lane_delivered(s->lane);
		else if (trouble)
			lane_troubled(s->lane, trouble, why);
		say_host(s, &host);
		say_peer(s, &peer);
		prepare_cancel(p);
		parcel_settle(p, s->envelope, results, buf_str(&host), buf_str(&peer),
			      client_extensions(c)->dsn);
	}
	forget_parcel(s);
	buf_free(&host);
	buf_free(&peer);
}

static void host_failed(struct session *s, const char *why)
{
	struct destination *d = s->destination;
	struct buf text = BUF_INIT;

	s->targets->items[s->target].bad = true;
	say_host(s, &text);
	buf_printf(&text, ": %s", why);
	free(d->why);
	d->why = buf_steal(&text);
	s->target++;
	s->plain = false;
}

static void on_closed(struct client *c, enum client_end end, const char *why, void *arg)
{
	struct session *s = arg;

	(void)c;
	s->client = NULL;
	if (scheduler.stopping) {
		session_free(s);
		return;
	}
	switch (end) {
	case CLIENT_END_NEVER_READY:
		host_failed(s, why);
		connect_next(s);
		break;
	case CLIENT_END_TLS:
		log_info("%s: %s; speaking plainly", s->targets->items[s->target].to.host, why);
		s->plain = true;
		connect_next(s);
		break;
	case CLIENT_END_BROKEN:
		if (s->lane)
			lane_troubled(s->lane, LIMITS_UNREACHABLE, why);
		session_free(s);
		break;
	case CLIENT_END_IDLE:
		session_free(s);
		break;
	}
}

static const struct client_handler client_handler = {on_ready, on_done, on_closed};
