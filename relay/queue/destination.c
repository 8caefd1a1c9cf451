/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/queue/destination.h"

#include "lib/log.h"
#include "relay/deliver/route.h"
#include "relay/queue/lane.h"
#include "relay/queue/ledger.h"
#include "relay/queue/mails.h"
#include "relay/queue/parcel.h"
#include "relay/queue/pause.h"
#include "relay/queue/prepare.h"
#include "relay/queue/session.h"
#include "relay/queue/suppressed.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* Putting off thousands makes a PROGRESS each: no faster than spool takes them. */
#define DRAIN_UNCONFIRMED_MAX 2048

static struct table destinations;

/* --- busy or idle --- */

/* Never written to: whoever puts something in makes the destination busy first. */
static struct busy idle;

void destination_make_busy(struct destination *d)
{
	if (d->busy != &idle)
		return;
	d->busy = calloc(1, sizeof(*d->busy));
	if (!d->busy)
		abort();
	d->busy->destination = d;
}

static void busy_free(struct destination *d)
{
	if (d->busy == &idle)
		return;
	fair_clear(&d->busy->ready);
	fair_clear(&d->busy->prepared);
	free(d->busy);
	d->busy = &idle;
}

static void make_idle(struct destination *d)
{
	struct busy *b = d->busy;

	if (b == &idle || b->ready.count || b->prepared.count || d->session_count || d->ahead ||
	    d->query || share_waits(&b->slot) || fair_has(&b->opens) || fair_has(&b->sends))
		return;
	lane_give_back(d);
	busy_free(d);
}

/* --- finding --- */

struct destination *destination_get(const char *domain, const char *pool)
{
	uint32_t hash = route_hash(domain) ^ route_hash(pool) * 31;
	size_t domain_size = strlen(domain) + 1, pool_size = strlen(pool) + 1;

	for (struct table_node *n = table_first(&destinations, hash); n; n = table_next(n)) {
		struct destination *d = (struct destination *)n;
		if (strcmp(d->domain, domain) == 0 && strcmp(d->pool, pool) == 0)
			return d;
	}
	struct destination *d = calloc(1, sizeof(*d) + domain_size + pool_size);
	if (!d)
		abort();
	d->busy = &idle;
	memcpy(d->domain, domain, domain_size);
	d->paused = order_on(ORDER_DESTINATION, domain);
	d->pool = memcpy(d->domain + domain_size, pool, pool_size);
	table_add(&destinations, &d->node, hash);
	return d;
}

static bool is_used(const struct destination *d)
{
	return d->parcels || d->session_count || d->query || d->is_draining;
}

static void destroy(struct destination *d)
{
	table_remove(&destinations, &d->node);
	if (share_waits(&d->busy->slot))
		share_remove(&scheduler.slots, &d->busy->slot);
	lane_leave(d);
	busy_free(d);
	targets_release(d->targets);
	free(d->why);
	free(d);
}

void targets_release(struct targets *t)
{
	if (!t || --t->refs)
		return;
	for (size_t i = 0; i < t->count; i++)
		tlsa_set_drop(t->items[i].to.tlsa);
	free(t);
}

void destination_each(void (*fn)(struct destination *d, void *arg), void *arg)
{
	TABLE_EACH (&destinations, n)
		fn((struct destination *)n, arg);
}

void destination_touch(struct destination *d)
{
	if (!d->is_touched) {
		d->is_touched = true;
		d->touched_next = scheduler.touched;
		scheduler.touched = d;
	}
	scheduler_turn();
}

/* --- how it is --- */

struct standing {
	unsigned opening, idle, sending, closing;
};

static struct standing standing_of(const struct destination *d)
{
	struct standing n = {0};

	for (const struct session *s = d->sessions; s; s = s->next) {
		n.opening += session_is_opening(s);
		n.idle += s->state == SESSION_IDLE;
		n.sending += s->state == SESSION_SENDING;
		n.closing += s->state == SESSION_CLOSING;
	}
	return n;
}

bool destination_is_down(const struct destination *d)
{
	return d->down_until_ms && d->down_until_ms > clock_wall_ms();
}

const char *destination_shut(const struct destination *d)
{
	if (!destination_is_down(d))
		return lane_shut(d->lane);
	return d->why ? d->why : "4.4.1 no host answered lately";
}

static void drain_start(struct destination *d)
{
	if (d->is_draining)
		return;
	d->is_draining = true;
	d->drain_next = scheduler.draining;
	scheduler.draining = d;
	scheduler_turn();
}

void destination_failed(struct destination *d, const char *why, bool refuse)
{
	const struct retry_rules rules = scheduler_rules();

	free(d->why);
	d->why = strdup(why);
	if (!d->why)
		abort();
	d->refuses = refuse;
	/* The next attempt asks for them anew: until then they only take room. */
	destination_forget_hosts(d);
	if (!refuse) {
		/* Half of what its mail waits at first: that finds it open again. */
		d->fails++;
		d->down_until_ms = clock_wall_ms() + retry_wait_ms(&rules, 1, random_number()) / 2;
		log_info("%s%s%s: %s", d->domain, *d->pool ? " by pool " : "", d->pool, why);
	}
	drain_start(d);
}

void destination_answers(struct destination *d)
{
	d->fails = 0;
	d->down_until_ms = 0;
}

void destination_forget_faults(struct destination *d)
{
	d->fails = 0;
	d->down_until_ms = 0;
	if (d->lane)
		lane_forgive(d->lane);
	destination_forget_hosts(d);
}

void destination_forget_hosts(struct destination *d)
{
	targets_release(d->targets);
	d->targets = NULL;
}

/* --- the turn --- */

static struct parcel *next_ready(struct destination *d)
{
	struct fair_item *item =
		fair_peek(d->busy->ready.count ? &d->busy->ready : &d->busy->prepared);

	return (struct parcel *)item; /* its turn is its first member */
}

static struct session *idle_session(const struct destination *d)
{
	struct session *s = d->sessions;

	while (s && s->state != SESSION_IDLE)
		s = s->next;
	return s;
}

/* Mail may leave at all. */
static bool may_send(void)
{
	return scheduler.spool && !scheduler.stopping && clock_is_right() && suppressed_is_known();
}

static bool may_begin(void)
{
	return may_send() && ledger_unconfirmed() < UNCONFIRMED_MAX;
}

/* False when it has to be looked at again once spool has confirmed something. */
static bool send_prepared(struct destination *d)
{
	while (d->busy->prepared.count) {
		struct session *s = idle_session(d);

		if (!s)
			break;
		if (!may_begin())
			return false;
		const struct parcel *next = (struct parcel *)fair_peek(&d->busy->prepared);
		if (!lane_take_message(d, next->mail->account))
			break;
		if (lane_ramp_take(s))
			session_send(s, (struct parcel *)fair_pop(&d->busy->prepared));
		else
			session_let_go(s);
	}
	return true;
}

/* Has the account less than its part of what is ahead, for so many sessions? */
static bool is_left_out(const struct destination *d, const struct parcel *p, unsigned sessions)
{
	size_t others = d->busy->prepared.flow_count;

	return fair_count(&d->busy->prepared, p->mail->account->number) * (others + 1) < sessions;
}

/*
 * One parcel for each session is made ready in advance. When those are a flood's, what comes from
 * others is made ready beside them, up to their part: sessions become free in bursts, and it
 * would be no use to have the next turn but nothing to take it with.
 */
static void look_ahead(struct destination *d)
{
	struct standing n = standing_of(d);
	unsigned sessions = n.idle + n.sending + (d->fails ? 0 : n.opening);

	while (d->busy->ready.count && d->ahead < 2 * sessions) {
		if (d->ahead >= sessions &&
		    !is_left_out(d, (struct parcel *)fair_peek(&d->busy->ready), sessions))
			break;
		prepare_want((struct parcel *)fair_pop(&d->busy->ready));
	}
}

static bool needs_session(struct destination *d)
{
	struct standing n = standing_of(d);
	size_t pending = d->busy->ready.count + d->ahead;
	/* How many is for its lane to say; one finds out which lane, or whether it is up again. */
	bool one = d->fails || !d->lane;

	return pending > n.opening + n.idle && !(one && n.opening + n.idle + n.sending) &&
	       !d->is_draining && !destination_is_down(d) && may_send();
}

static void want_session(struct destination *d)
{
	const struct parcel *p = next_ready(d);

	if (share_waits(&d->busy->slot))
		return;
	if (!p || !needs_session(d)) {
		lane_give_back(d);
		return;
	}
	const struct account *a = p->mail->account;
	if (d->lane && !d->may_open)
		lane_want_session(d, a);
	if (d->lane && !d->may_open)
		return;
	share_want(&scheduler.slots, &d->busy->slot, a->number, a->weight, 1);
}

/* False when it has to be looked at again. */
static bool work(struct destination *d)
{
	if (d->busy->ready.count + d->busy->prepared.count && !d->is_draining &&
	    destination_shut(d))
		drain_start(d);
	if (d->is_draining)
		return true;
	bool all = send_prepared(d);
	look_ahead(d);
	want_session(d);
	return all;
}

void destinations_work(void)
{
	struct destination *later = NULL;

	for (struct destination *d; (d = scheduler.touched);) {
		scheduler.touched = d->touched_next;
		d->is_touched = false;
		if (!is_used(d)) {
			destroy(d);
		} else if (!work(d) && !d->is_touched) {
			d->is_touched = true;
			d->touched_next = later;
			later = d;
		} else {
			make_idle(d);
		}
	}
	/* Whatever opens the way again (a confirmation, a new spool) asks for a turn. */
	scheduler.touched = later;
}

void destinations_connect(void)
{
	for (struct share_item *item; (item = share_next(&scheduler.slots));) {
		struct destination *d =
			((struct busy *)((char *)item - offsetof(struct busy, slot)))->destination;

		if (needs_session(d)) {
			session_open(d, item->account);
		} else {
			share_return(&scheduler.slots, item->account, 1);
			lane_give_back(d);
		}
		destination_touch(d);
	}
}

static void drain_one(struct destination *d, struct parcel *p)
{
	const char *why = destination_shut(d);

	if (!why)
		why = d->why ? d->why : "4.4.1 no host answered lately";
	if (d->refuses)
		parcel_refuse(p, d->why, "", "");
	else
		parcel_put_off(p, why, "", "");
}

bool destinations_drain(void)
{
	struct destination *d = scheduler.draining;
	unsigned left = DRAIN_SLICE;

	if (!d)
		return false;
	if (ledger_unconfirmed() > DRAIN_UNCONFIRMED_MAX)
		return true;
	while (left-- && d->busy->ready.count + d->busy->prepared.count)
		drain_one(d, (struct parcel *)fair_pop(d->busy->prepared.count ? &d->busy->prepared
									       : &d->busy->ready));
	scheduler.draining = d->drain_next;
	d->is_draining = false;
	if (d->busy->ready.count + d->busy->prepared.count) {
		/* Others first: the list is short. */
		struct destination **end = &scheduler.draining;

		while (*end)
			end = &(*end)->drain_next;
		*end = d;
		d->drain_next = NULL;
		d->is_draining = true;
	} else {
		d->refuses = false;
	}
	destination_touch(d);
	return scheduler.draining;
}
