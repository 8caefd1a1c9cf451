/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The role deliver: what its peers say is taken in here, and the turn is run.
 *
 * The turn is everything that could be done now: put parcels whose time has come into their
 * queues, send what is prepared, ask workers for what is next, open sessions. It runs after the
 * loop has taken all that came, so a hundred answers make one turn, and no function has to fear
 * that what it calls changes what it stands on.
 */
#include "lib/log.h"
#include "relay/deliver/route.h"
#include "relay/queue/bounce.h"
#include "relay/queue/crew.h"
#include "relay/queue/destination.h"
#include "relay/queue/lane.h"
#include "relay/queue/ledger.h"
#include "relay/queue/mails.h"
#include "relay/queue/notice.h"
#include "relay/queue/parcel.h"
#include "relay/queue/pause.h"
#include "relay/queue/prepare.h"
#include "relay/queue/session.h"
#include "relay/queue/suppressed.h"
#include "relay/queue/verbs.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>

/* A clock that was set is noticed after this long at the latest. */
#define DUE_LONGEST_S 60.0
#define STOP_SLICE_S  0.05
/* Counts are saved that often; lanes that nobody uses go once a minute. */
#define CARE_S 5.0

struct scheduler scheduler;

static ev_timer care_timer;

struct retry_rules scheduler_rules(void)
{
	const struct relay_config *c = scheduler.process->config;

	return (struct retry_rules){c->retry_first_s, c->retry_longest_s, c->expire_s};
}

uint32_t random_number(void)
{
	return arc4random();
}

/* --- the turn --- */

void scheduler_turn(void)
{
	if (scheduler.loop)
		ev_feed_event(scheduler.loop, &scheduler.turn, EV_CUSTOM);
}

static void set_due_timer(void)
{
	const struct timeline_item *first = timeline_first(&scheduler.due);
	uint64_t now_ms = clock_wall_ms();
	double after = DUE_LONGEST_S;

	if (first && first->at_ms <= now_ms)
		after = 0;
	else if (first && (double)(first->at_ms - now_ms) / 1000 < after)
		after = (double)(first->at_ms - now_ms) / 1000;
	ev_timer_stop(scheduler.loop, &scheduler.due_timer);
	ev_now_update(scheduler.loop);
	ev_timer_set(&scheduler.due_timer, after, 0.);
	ev_timer_start(scheduler.loop, &scheduler.due_timer);
}

static void on_turn(struct ev_loop *loop, ev_idle *w, int revents)
{
	(void)loop;
	(void)w;
	(void)revents;
	pause_run();
	destinations_work();
	destinations_connect();
	prepare_run();
	if (scheduler.draining && !ev_is_active(&scheduler.drain_timer))
		ev_timer_start(scheduler.loop, &scheduler.drain_timer);
	set_due_timer();
}

static void on_due(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)w;
	(void)revents;
	parcels_due();
	scheduler_turn();
}

static void on_drain(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)revents;
	/* While spool is behind, a little later; else right after what came in meanwhile. */
	double after = destinations_drain() && ledger_unconfirmed() > UNCONFIRMED_MAX ? 0.05 : 0.;

	ev_timer_stop(loop, w);
	if (!scheduler.draining)
		return;
	ev_timer_set(w, after, 0.);
	ev_timer_start(loop, w);
}

static void on_care(struct ev_loop *loop, ev_timer *w, int revents)
{
	static unsigned turns;

	(void)loop;
	(void)w;
	(void)revents;
	orders_save_counts();
	if (++turns % 12 == 0)
		lanes_tidy();
}

/* --- the config --- */

static bool is_our_name(const struct relay_config *c, const char *host)
{
	if (strcasecmp(host, c->host_name) == 0)
		return true;
	for (size_t i = 0; i < c->pool_count; i++)
		if (*c->pools[i].host_name && strcasecmp(host, c->pools[i].host_name) == 0)
			return true;
	return false;
}

static bool is_pool_source(const struct relay_config *c, const struct addr *addr)
{
	for (size_t i = 0; i < c->pool_count; i++)
		for (size_t k = 0; k < c->pools[i].source_count; k++)
			if (addr_cmp(&c->pools[i].sources[k], addr) == 0)
				return true;
	return false;
}

static bool is_wildcard(const struct addr *addr)
{
	static const struct addr none;

	return memcmp(addr->bytes, none.bytes, sizeof(none.bytes)) == 0;
}

/* An address of ours at which we listen, at the port where we would go. */
static bool is_our_address(const struct relay_config *c, const struct addr *addr)
{
	for (size_t i = 0; i < c->listener_count; i++) {
		const struct config_listener *l = &c->listeners[i];

		if (l->kind != LISTENER_RELAY || l->port != session_peer_port())
			continue;
		if (addr_cmp(&l->address, addr) == 0 ||
		    (is_wildcard(&l->address) && is_pool_source(c, addr)))
			return true;
	}
	return false;
}

static bool is_ours(const char *host, const struct addr *addr, void *arg)
{
	const struct relay_config *c = scheduler.process->config;

	(void)arg;
	return host ? is_our_name(c, host) : is_our_address(c, addr);
}

/* Who is believed about mail hosts, and where that is asked. */
static void open_trust(struct dns *dns)
{
	const struct relay_config *c = scheduler.process->config;
	struct buf error = BUF_INIT;
	struct tls_client *old = scheduler.trusted;

	scheduler.trusted =
		*c->authorities ? tls_client_new_verifying(c->authorities, &error) : NULL;
	if (*c->authorities && !scheduler.trusted)
		log_error("no mail host's certificate can be verified: %s", buf_str(&error));
	const struct sts_sources from = {dns, scheduler.trusted, c->lab_sts_port};
	if (scheduler.sts)
		sts_cache_use(scheduler.sts, &from);
	else
		scheduler.sts = scheduler.resolver.sts = sts_cache_new(scheduler.loop, &from);
	tls_client_free(old); /* sessions that use it keep it */
	buf_free(&error);
}

static void open_dns(void)
{
	const struct relay_config *c = scheduler.process->config;
	struct buf error = BUF_INIT;
	struct dns *fresh = dns_open(scheduler.loop, c->name_servers, c->name_server_count,
				     c->lab_dns_port, c->root_anchor, &error);

	if (!fresh && !scheduler.dns)
		fatal("%s", buf_str(&error));
	if (!fresh) {
		log_error("the name servers stay as they were: %s", buf_str(&error));
		fresh = scheduler.dns;
	}
	open_trust(fresh);
	if (scheduler.dns && scheduler.dns != fresh)
		dns_close(scheduler.dns);
	scheduler.dns = scheduler.resolver.dns = fresh;
	buf_free(&error);
}

/* Sessions, bodies and questions each take a descriptor. */
static void raise_descriptors(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
}

/* What came before the list did is looked at again. */
static void look_again(struct mail *m, void *arg)
{
	(void)arg;
	for (struct parcel *p = m->parcels, *next; p && suppressed_any(); p = next) {
		next = p->next;
		if (p->state < PARCEL_READY || p->state > PARCEL_PREPARED)
			continue;
		parcel_detach(p);
		parcel_ready(p);
	}
}

static void touch(struct destination *d, void *arg)
{
	(void)arg;
	destination_touch(d);
}

static void on_suppressed_known(void)
{
	mail_each(look_again, NULL);
	destination_each(touch, NULL);
	scheduler_turn();
}

static void deliver_open(struct process *p)
{
	struct buf error = BUF_INIT;

	scheduler.process = p;
	scheduler.loop = p->loop;
	raise_descriptors();
	ev_init(&scheduler.turn, on_turn);
	ev_set_priority(&scheduler.turn, EV_MINPRI);
	ev_init(&scheduler.due_timer, on_due);
	ev_timer_init(&scheduler.drain_timer, on_drain, 0., 0.);
	share_init(&scheduler.slots, SESSIONS_MAX, true);
	ev_timer_init(&care_timer, on_care, CARE_S, CARE_S);
	ev_timer_start(p->loop, &care_timer);
	crews_reload(p->config);
	scheduler.resolver.ours = is_ours;
	open_dns();
	scheduler.tls = tls_client_new(&error);
	if (!scheduler.tls)
		fatal("%s", buf_str(&error));
	clock_watch();
	suppressed_open(p->loop, on_suppressed_known);
}

/* --- a new config --- */

static void stop_resolving(struct destination *d, void *arg)
{
	(void)arg;
	if (!d->query)
		return;
	resolve_cancel(d->query);
	d->query = NULL;
	for (struct session *s = d->sessions, *next; s; s = next) {
		next = s->next;
		if (s->state == SESSION_RESOLVING)
			session_abort(s);
	}
}

/* Mail whose pool is another one now takes the new way. */
static void route_again(struct mail *m, void *arg)
{
	(void)arg;
	for (const struct parcel *p = m->parcels; p; p = p->next)
		if (p->state == PARCEL_SENDING)
			return; /* the next reload, or the next attempt's restart, finds it */
	while (m->parcels)
		parcel_free(m->parcels);
	parcels_make(m);
}

static void deliver_reload(struct process *p)
{
	accounts_reload(p->config);
	crews_reload(p->config);
	lanes_reload();
	clock_watch();
	destination_each(stop_resolving, NULL);
	open_dns();
	mail_each(route_again, NULL);
	scheduler_turn();
}

/* --- spool --- */

static void take_queued(struct message *m)
{
	struct queued q;

	if (!queued_decode(m, &q)) {
		log_error("spool sent a message whose record is damaged: left out");
		return;
	}
	struct mail *known = mail_find(q.envelope->id);
	if (known) {
		known->place = q.place;
	} else {
		parcels_make(mail_add(q.envelope, &q.place));
	}
	envelope_free(q.envelope);
}

static void take_progressed(struct message *m)
{
	struct mail *mail = ledger_confirmed(m->id);

	if (mail)
		mail_check(mail);
	scheduler_turn();
}

/* Kept over a restart of spool: what is just being sent, and what it has not confirmed. */
static void forget_mail(struct mail *m, void *arg)
{
	(void)arg;
	if (m->unconfirmed || m->bounce)
		return;
	for (const struct parcel *p = m->parcels; p; p = p->next)
		if (p->state == PARCEL_SENDING)
			return;
	while (m->parcels)
		parcel_free(m->parcels);
	mail_free(m);
}

/* --- peers --- */

static void deliver_peer_up(struct process *p, enum role_id peer, unsigned index, struct channel *c)
{
	(void)p;
	switch (peer) {
	case ROLE_SPOOL:
		scheduler.spool = c;
		orders_spool_up();
		ledger_spool_up();
		break;
	case ROLE_REPORT:
		scheduler.report = c;
		ledger_report_up();
		break;
	case ROLE_WORK:
		prepare_worker_up(index, c);
		break;
	default:
		break;
	}
	scheduler_turn();
}

static void deliver_peer_down(struct process *p, enum role_id peer, unsigned index,
			      struct channel *c)
{
	(void)p;
	(void)index;
	if (c == scheduler.spool) {
		scheduler.spool = NULL;
		bounce_spool_down();
		mail_each(forget_mail, NULL);
	} else if (c == scheduler.report) {
		scheduler.report = NULL;
	} else if (peer == ROLE_WORK) {
		prepare_worker_down(c);
	}
}

static void send_answer(uint64_t id, struct buf *answer)
{
	channel_send(scheduler.process->main, MSG_CONTROL_ANSWER, id, answer, -1);
}

/* What was ordered is on the disk before anybody is told that it is done. */
static void answer_control(const struct message *m)
{
	struct buf answer = BUF_INIT;

	verbs_answer(m->payload, m->len, &answer);
	orders_when_kept(m->id, &answer, send_answer);
	buf_free(&answer);
}

static void deliver_message(struct process *p, enum role_id from, struct channel *c,
			    struct message *m)
{
	(void)p;
	switch ((enum message_type)m->type) {
	case MSG_QUEUED:
		take_queued(m);
		break;
	case MSG_PROGRESSED:
		take_progressed(m);
		break;
	case MSG_ORDERS:
		orders_taken(m);
		break;
	case MSG_ORDERS_KEPT:
		orders_kept(m->id);
		break;
	case MSG_SUBMITTED:
		bounce_submitted(m);
		break;
	case MSG_SEGMENT:
		notice_segment(m);
		break;
	case MSG_SEGMENT_GONE:
		notice_segment_gone(m);
		break;
	case MSG_PREPARED:
		prepare_answer(c, m);
		break;
	case MSG_EVENT_KEPT:
		ledger_events_kept(m->id);
		break;
	case MSG_SUPPRESSED:
		suppressed_take(m);
		break;
	case MSG_CONTROL:
		answer_control(m);
		break;
	default:
		log_error("role %d sent a message of type %u, which is not for us", from, m->type);
	}
}

/* --- the end --- */

static void count_sending(struct destination *d, void *arg)
{
	unsigned *count = arg;

	for (const struct session *s = d->sessions; s; s = s->next)
		*count += s->state == SESSION_SENDING;
}

static void close_idle(struct destination *d, void *arg)
{
	(void)arg;
	for (struct session *s = d->sessions, *next; s; s = next) {
		next = s->next;
		if (s->state != SESSION_IDLE)
			continue;
		s->state = SESSION_CLOSING;
		client_quit(s->client);
	}
}

static void on_stopping(struct ev_loop *loop, ev_timer *w, int revents)
{
	unsigned sending = 0;

	(void)revents;
	destination_each(count_sending, &sending);
	if (!sending && !ledger_unconfirmed())
		process_exit(scheduler.process);
	ev_timer_set(w, STOP_SLICE_S, 0.);
	ev_timer_start(loop, w);
}

static void deliver_stop(struct process *p)
{
	static ev_timer stopping;

	scheduler.stopping = true;
	orders_save_counts();
	destination_each(close_idle, NULL);
	ev_timer_init(&stopping, on_stopping, STOP_SLICE_S, 0.);
	ev_timer_start(p->loop, &stopping);
}

const struct role deliver_role = {
	.name = "deliver",
	.prompt = true,
	.open = deliver_open,
	.reload = deliver_reload,
	.peer_up = deliver_peer_up,
	.peer_down = deliver_peer_down,
	.message = deliver_message,
	.stop = deliver_stop,
};
