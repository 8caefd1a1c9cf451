/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two halves: libunbound's "pluggable event base" on libev, and the questions.
 *
 * A question that was cancelled stays in libunbound until it is answered; only its caller is
 * forgotten. libunbound answers out of its cache before ub_resolve_event() returns; that answer is
 * kept and given from the loop, so that callers need to know one order of events only.
 */
#include "relay/deliver/dns.h"

#include "lib/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unbound-event.h>
#include <unbound.h>

/* --- libunbound's events on libev --- */

struct base {
	struct ub_event_base super; /* first: libunbound hands it back */
	struct ev_loop *loop;
};

struct event {
	struct ub_event super; /* first */
	struct ev_loop *loop;
	ev_io io;
	ev_timer timer;
	int fd;
	short bits;
	bool active;
	void (*fn)(int, short, void *);
	void *arg;
};

static void event_stop(struct event *e)
{
	ev_io_stop(e->loop, &e->io);
	ev_timer_stop(e->loop, &e->timer);
	e->active = false;
}

static void event_fire(struct event *e, short what)
{
	/* Without UB_EV_PERSIST it fires once; fn may free or add it again. */
	if (!(e->bits & UB_EV_PERSIST))
		event_stop(e);
	e->fn(e->fd, what, e->arg);
}

static void on_io(struct ev_loop *loop, ev_io *w, int revents)
{
	short what = 0;

	(void)loop;
	if (revents & EV_READ)
		what |= UB_EV_READ;
	if (revents & EV_WRITE)
		what |= UB_EV_WRITE;
	event_fire(w->data, what);
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	event_fire(w->data, UB_EV_TIMEOUT);
}

static int event_add(struct ub_event *super, struct timeval *timeout)
{
	struct event *e = (struct event *)super;
	int bits = (e->bits & UB_EV_READ ? EV_READ : 0) | (e->bits & UB_EV_WRITE ? EV_WRITE : 0);

	event_stop(e);
	if (e->fd >= 0 && bits) {
		ev_io_set(&e->io, e->fd, bits);
		ev_io_start(e->loop, &e->io);
	}
	if (timeout && (e->bits & UB_EV_TIMEOUT)) {
		double after = (double)timeout->tv_sec + (double)timeout->tv_usec / 1e6;

		ev_timer_set(&e->timer, after, e->bits & UB_EV_PERSIST ? after : 0.);
		ev_timer_start(e->loop, &e->timer);
	}
	e->active = true;
	return 0;
}

static int event_del(struct ub_event *super)
{
	event_stop((struct event *)super);
	return 0;
}

static void event_add_bits(struct ub_event *super, short bits)
{
	((struct event *)super)->bits |= bits;
}

static void event_del_bits(struct ub_event *super, short bits)
{
	((struct event *)super)->bits &= (short)~bits;
}

static void event_set_fd(struct ub_event *super, int fd)
{
	((struct event *)super)->fd = fd;
}

static void event_free(struct ub_event *super)
{
	event_stop((struct event *)super);
	free(super);
}

static int event_add_timer(struct ub_event *super, struct ub_event_base *base,
			   void (*fn)(int, short, void *), void *arg, struct timeval *timeout)
{
	struct event *e = (struct event *)super;

	(void)base;
	e->fn = fn;
	e->arg = arg;
	return event_add(super, timeout);
}

/* Signals are never asked for by a resolver that lives in somebody else's loop. */
static int event_no_signal(struct ub_event *super, struct timeval *timeout)
{
	(void)super;
	(void)timeout;
	return -1;
}

static int event_no_signal_del(struct ub_event *super)
{
	(void)super;
	return -1;
}

static struct ub_event_vmt event_methods = {
	.add_bits = event_add_bits,
	.del_bits = event_del_bits,
	.set_fd = event_set_fd,
	.free = event_free,
	.add = event_add,
	.del = event_del,
	.add_timer = event_add_timer,
	.del_timer = event_del,
	.add_signal = event_no_signal,
	.del_signal = event_no_signal_del,
};

static struct ub_event *base_new_event(struct ub_event_base *super, int fd, short bits,
				       void (*fn)(int, short, void *), void *arg)
{
	struct event *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->super.magic = UB_EVENT_MAGIC;
	e->super.vmt = &event_methods;
	e->loop = ((struct base *)super)->loop;
	ev_init(&e->io, on_io);
	ev_init(&e->timer, on_timer);
	e->io.data = e->timer.data = e;
	e->fd = fd;
	e->bits = bits;
	e->fn = fn;
	e->arg = arg;
	return &e->super;
}

static struct ub_event *base_no_signal(struct ub_event_base *super, int fd,
				       void (*fn)(int, short, void *), void *arg)
{
	(void)super;
	(void)fd;
	(void)fn;
	(void)arg;
	return NULL;
}

static void base_nothing(struct ub_event_base *super)
{
	(void)super;
}

static int base_no_dispatch(struct ub_event_base *super)
{
	(void)super;
	return -1;
}

static int base_no_exit(struct ub_event_base *super, struct timeval *when)
{
	(void)super;
	(void)when;
	return -1;
}

static struct ub_event_base_vmt base_methods = {
	.free = base_nothing,
	.dispatch = base_no_dispatch,
	.loopexit = base_no_exit,
	.new_event = base_new_event,
	.new_signal = base_no_signal,
};

/* --- questions --- */

struct dns {
	struct base base;
	struct ub_ctx *ctx;
	struct dns_query *queries; /* all that have no answer yet */
};

struct dns_query {
	struct dns_query *next, **link;
	struct dns *dns;
	dns_answer_fn *fn; /* NULL once cancelled */
	void *arg;
	uint16_t type;
	bool asking; /* within ub_resolve_event() */
	/* An answer that came at once, to be given from the loop. */
	ev_timer later;
	enum dns_status status;
	struct dns_record *records;
	void *packet; /* what their data lies in */
	size_t count;
	bool secure;
	char why[256];
};

static void query_free(struct dns_query *q)
{
	ev_timer_stop(q->dns->base.loop, &q->later);
	*q->link = q->next;
	if (q->next)
		q->next->link = q->link;
	free(q->records);
	free(q->packet);
	free(q);
}

/* Hands the answer over; the caller of dns_ask() may then do anything, dns_close() included. */
static void query_finish(struct dns_query *q)
{
	dns_answer_fn *fn = q->fn;
	void *arg = q->arg;
	struct dns_record *records = q->records;
	void *packet = q->packet;
	char why[sizeof(q->why)];
	struct dns_answer a = {.status = q->status,
			       .records = records,
			       .count = q->count,
			       .secure = q->secure,
			       .why = why};

	memcpy(why, q->why, sizeof(why));
	q->records = NULL;
	q->packet = NULL;
	query_free(q);
	if (fn)
		fn(&a, arg);
	free(records);
	free(packet);
}

static void on_later(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	query_finish(w->data);
}

static void query_fail(struct dns_query *q, const char *why)
{
	q->status = DNS_FAILED;
	q->count = 0;
	snprintf(q->why, sizeof(q->why), "%s", why);
}

static void query_read(struct dns_query *q, const void *packet, int len)
{
	unsigned rcode;

	q->records = calloc(DNS_RECORDS_MAX, sizeof(*q->records));
	q->packet = malloc((size_t)len);
	if (!q->records || !q->packet)
		abort();
	packet = memcpy(q->packet, packet, (size_t)len);
	if (!dnsmsg_read(packet, (size_t)len, q->type, q->records, DNS_RECORDS_MAX, &q->count,
			 &rcode))
		query_fail(q, "a damaged DNS answer");
	else if (rcode == 3)
		q->status = DNS_NO_NAME;
	else if (rcode != 0)
		query_fail(q, "the name server failed");
	else
		q->status = q->count ? DNS_FOUND : DNS_NOTHING;
}

static void on_answer(void *arg, int rcode, void *packet, int len, int sec, char *why_bogus,
		      int was_ratelimited)
{
	struct dns_query *q = arg;

	(void)was_ratelimited;
	q->secure = sec == 2;
	if (sec == 1)
		query_fail(q, why_bogus ? why_bogus : "the answer's DNSSEC signature is wrong");
	else if (packet && len > 0 && (rcode == 0 || rcode == 3))
		query_read(q, packet, len);
	else if (rcode == 3)
		q->status = DNS_NO_NAME;
	else
		query_fail(q, rcode == 2 ? "no name server answered (SERVFAIL)"
					 : "the name server failed");
	if (q->asking)
		ev_timer_start(q->dns->base.loop, &q->later);
	else
		query_finish(q);
}

struct dns_query *dns_ask(struct dns *d, const char *name, enum dns_type type, dns_answer_fn *fn,
			  void *arg)
{
	struct dns_query *q = calloc(1, sizeof(*q));

	if (!q)
		abort();
	q->dns = d;
	q->fn = fn;
	q->arg = arg;
	q->type = (uint16_t)type;
	q->next = d->queries;
	q->link = &d->queries;
	if (q->next)
		q->next->link = &q->next;
	d->queries = q;
	ev_timer_init(&q->later, on_later, 0., 0.);
	q->later.data = q;
	q->asking = true;
	int err = ub_resolve_event(d->ctx, name, type, 1, q, on_answer, NULL);
	q->asking = false;
	if (err) {
		query_fail(q, ub_strerror(err));
		ev_timer_start(d->base.loop, &q->later);
	}
	return q;
}

void dns_cancel(struct dns_query *q)
{
	q->fn = NULL;
}

/* --- set-up --- */

enum { SYSTEM_SERVERS_MAX = 8 };

/* The system's own, read by the first call: later ones come from a process that may open nothing.*/
static const struct addr *system_servers(size_t *count)
{
	static struct addr servers[SYSTEM_SERVERS_MAX];
	static size_t found;
	static bool known;
	char line[256], word[ADDR_STR_MAX];
	FILE *f = known ? NULL : fopen("/etc/resolv.conf", "re");

	while (f && found < SYSTEM_SERVERS_MAX && fgets(line, sizeof(line), f))
		if (sscanf(line, " nameserver %45s", word) == 1 &&
		    addr_parse(word, &servers[found]))
			found++;
	if (f)
		fclose(f);
	known = true;
	*count = found;
	return servers;
}

static bool set_servers(struct ub_ctx *ctx, const struct addr *servers, size_t count, uint16_t port,
			struct buf *error)
{
	char text[ADDR_STR_MAX], where[ADDR_STR_MAX + 8];
	size_t own_count;
	const struct addr *own = system_servers(&own_count);

	if (!count) {
		servers = own;
		count = own_count;
		port = 0;
	}
	for (size_t i = 0; i < count; i++) {
		snprintf(where, sizeof(where), "%s@%u", addr_format(&servers[i], text),
			 port ? port : 53u);
		int err = ub_ctx_set_fwd(ctx, where);
		if (err) {
			buf_printf(error, "name server %s: %s", where, ub_strerror(err));
			return false;
		}
	}
	if (!count)
		log_warn("no name server is set, nor any in /etc/resolv.conf: asking the root "
			 "servers");
	return true;
}

static const struct {
	const char *name, *value;
} options[] = {
	{"do-not-query-localhost:", "no"}, /* a resolver on this box, or a test's */
	{"outgoing-range:", "256"},
	{"num-queries-per-thread:", "1024"},
	{"infra-keep-probing:", "yes"}, /* "refused" must not outlast the fault */
	{"cache-max-ttl:", "3600"},
	{"cache-max-negative-ttl:", "300"},
	{"use-syslog:", "no"},
};

static bool set_options(struct ub_ctx *ctx, struct buf *error)
{
	for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++) {
		int err = ub_ctx_set_option(ctx, options[i].name, options[i].value);

		if (err) {
			buf_printf(error, "libunbound, %s %s: %s", options[i].name,
				   options[i].value, ub_strerror(err));
			return false;
		}
	}
	return true;
}

/* libunbound takes one record at a time. */
static bool set_anchor(struct ub_ctx *ctx, const char *anchor, struct buf *error)
{
	char *copy = strdup(anchor), *rest = copy;
	int err;

	if (!copy)
		abort();
	err = ub_ctx_set_option(ctx, "module-config:", *anchor ? "validator iterator" : "iterator");
	for (char *line; !err && (line = strsep(&rest, "\n"));)
		if (*line && *line != ';')
			err = ub_ctx_add_ta(ctx, line);
	if (err)
		buf_printf(error, "the trust anchor of the DNS is refused: %s", ub_strerror(err));
	free(copy);
	return !err;
}

static void on_first(const struct dns_answer *a, void *arg)
{
	(void)a;
	(void)arg;
}

struct dns *dns_open(struct ev_loop *loop, const struct addr *servers, size_t count, uint16_t port,
		     const char *anchor, struct buf *error)
{
	struct dns *d = calloc(1, sizeof(*d));

	if (!d)
		abort();
	d->base.super.magic = UB_EVENT_MAGIC;
	d->base.super.vmt = &base_methods;
	d->base.loop = loop;
	d->ctx = ub_ctx_create_ub_event(&d->base.super);
	if (!d->ctx) {
		buf_appends(error, "libunbound could not be set up");
		free(d);
		return NULL;
	}
	if (!set_options(d->ctx, error) || !set_anchor(d->ctx, anchor, error) ||
	    !set_servers(d->ctx, servers, count, port, error)) {
		dns_close(d);
		return NULL;
	}
	/* libunbound denies these out of itself; whoever runs the name server decides. */
	if (count) {
		ub_ctx_zone_remove(d->ctx, "test.");
		ub_ctx_zone_remove(d->ctx, "home.arpa.");
	}
	/* The first question, answered from within, makes libunbound set up all that it needs. */
	dns_ask(d, "localhost", DNS_A, on_first, NULL);
	return d;
}

struct ev_loop *dns_loop(const struct dns *d)
{
	return d->base.loop;
}

void dns_close(struct dns *d)
{
	for (struct dns_query *q = d->queries; q; q = q->next)
		q->fn = NULL;
	/* libunbound answers here what is still open, so the questions must outlive it. */
	ub_ctx_delete(d->ctx);
	while (d->queries)
		query_free(d->queries);
	free(d);
}
