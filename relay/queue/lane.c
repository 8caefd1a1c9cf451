/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/queue/lane.h"

#include "lib/log.h"
#include "relay/deliver/provider.h"
#include "relay/deliver/route.h"
#include "relay/queue/destination.h"
#include "relay/queue/ledger.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum {
	CONNECTIONS = 20, /* where the config says nothing */
	MESSAGES = 100,
	YIELD_MAILS = 5, /* a session carries at least so many before it makes room */
	BACK_OFF_LONGEST_MS = 30 * 60 * 1000,
	DAY_S = 86400,
};

static struct table lanes;

uint32_t today(void)
{
	return (uint32_t)(clock_wall_ms() / 1000 / DAY_S);
}

/* --- finding --- */

static const struct config_pool *pool_of(const struct lane *l)
{
	return *l->pool ? config_pool(scheduler.process->config, l->pool) : NULL;
}

static void set_rules(struct lane *l)
{
	const struct relay_config *c = scheduler.process->config;
	const struct config_provider *p = provider_rules(c, l->provider);
	uint64_t first_ms = (uint64_t)c->retry_first_s * 1000 / 5;
	uint64_t longest_ms = (uint64_t)c->retry_longest_s * 1000;

	l->rules = (struct limits_rules){
		.connections = p ? p->connections : CONNECTIONS,
		.rate_count = p ? p->rate.count : 0,
		.rate_per_s = p ? p->rate.unit_s : 0,
		/* A minute, as configured usually. */
		.back_off_first_ms = first_ms,
		.back_off_longest_ms =
			longest_ms < BACK_OFF_LONGEST_MS ? longest_ms : BACK_OFF_LONGEST_MS,
	};
	l->messages_max = p ? p->messages_per_connection : MESSAGES;
	l->used_up_day = 0;
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents);

static struct lane *lane_get(const char *provider, const char *pool)
{
	uint32_t hash = route_hash(provider) ^ route_hash(pool) * 31;
	size_t provider_size = strlen(provider) + 1, pool_size = strlen(pool) + 1;

	for (struct table_node *n = table_first(&lanes, hash); n; n = table_next(n)) {
		struct lane *l = (struct lane *)n;
		if (strcmp(l->provider, provider) == 0 && strcmp(l->pool, pool) == 0)
			return l;
	}
	struct lane *l = calloc(1, sizeof(*l) + provider_size + pool_size);
	if (!l)
		abort();
	memcpy(l->provider, provider, provider_size);
	l->pool = memcpy(l->provider + provider_size, pool, pool_size);
	ev_init(&l->timer, on_timer);
	l->timer.data = l;
	set_rules(l);
	limits_init(&l->limits, &l->rules);
	table_add(&lanes, &l->node, hash);
	return l;
}

void lane_each(void (*fn)(struct lane *l, void *arg), void *arg)
{
	TABLE_EACH (&lanes, n)
		fn((struct lane *)n, arg);
}

static void tidy(struct lane *l, void *arg)
{
	(void)arg;
	if (l->refs || l->session_count || !limits_blank(&l->limits, clock_steady_ms()))
		return;
	table_remove(&lanes, &l->node);
	ev_timer_stop(scheduler.loop, &l->timer);
	free(l->why);
	free(l);
}

void lanes_tidy(void)
{
	lane_each(tidy, NULL);
}

/* --- turns --- */

static struct destination *opens_of(struct fair_item *item)
{
	return ((struct busy *)((char *)item - offsetof(struct busy, opens)))->destination;
}

static struct destination *sends_of(struct fair_item *item)
{
	return ((struct busy *)((char *)item - offsetof(struct busy, sends)))->destination;
}

static void wake_in_ms(struct lane *l, uint64_t ms)
{
	ev_timer_stop(scheduler.loop, &l->timer);
	ev_now_update(scheduler.loop);
	ev_timer_set(&l->timer, (double)ms / 1000 + 0.001, 0.);
	ev_timer_start(scheduler.loop, &l->timer);
}

bool lane_used_up(const struct lane *l)
{
	return l->used_up_day && l->used_up_day == today();
}

static void give_openings(struct lane *l, uint64_t now_ms)
{
	while (l->opening.count && !lane_used_up(l) &&
	       limits_may_open(&l->limits, l->session_count + l->promised, now_ms)) {
		struct destination *d = opens_of(fair_pop(&l->opening));

		d->may_open = true;
		l->promised++;
		destination_touch(d);
	}
}

/* In how long the next message may go, 0 when none waits. */
static uint64_t give_messages(struct lane *l, uint64_t now_ms)
{
	uint64_t wait_ms = 0;

	while (l->sending.count && limits_take(&l->limits, &l->rules, now_ms, &wait_ms)) {
		struct destination *d = sends_of(fair_pop(&l->sending));

		d->may_send = true;
		destination_touch(d);
	}
	return l->sending.count ? wait_ms : 0;
}

static void run(struct lane *l)
{
	uint64_t now_ms = clock_steady_ms(), wait_ms;

	give_openings(l, now_ms);
	wait_ms = give_messages(l, now_ms);
	if (l->opening.count && limits_backs_off(&l->limits, now_ms)) {
		uint64_t end_ms = l->limits.back_off_end_ms - now_ms;

		wait_ms = wait_ms && wait_ms < end_ms ? wait_ms : end_ms;
	} else if (l->opening.count && lane_used_up(l) && !wait_ms) {
		wait_ms = (DAY_S - clock_wall_ms() / 1000 % DAY_S) * 1000;
		/* A clock that is set is noticed within a minute. */
		wait_ms = wait_ms < 60000 ? wait_ms : 60000;
	}
	if (wait_ms)
		wake_in_ms(l, wait_ms);
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	run(w->data);
}

void lane_want_session(struct destination *d, const struct account *a)
{
	if (d->may_open || fair_has(&d->busy->opens))
		return;
	fair_push(&d->lane->opening, &d->busy->opens, a->number, a->weight, fair_cost(0));
	run(d->lane);
}

void lane_give_back(struct destination *d)
{
	if (!d->may_open)
		return;
	d->may_open = false;
	d->lane->promised--;
	run(d->lane);
}

bool lane_take_message(struct destination *d, const struct account *a)
{
	if (!d->lane || !d->lane->rules.rate_count || d->may_send) {
		d->may_send = false;
		return true;
	}
	if (!fair_has(&d->busy->sends)) {
		fair_push(&d->lane->sending, &d->busy->sends, a->number, a->weight, fair_cost(0));
		run(d->lane);
	}
	/* The turn may have come at once. */
	if (!d->may_send)
		return false;
	d->may_send = false;
	return true;
}

/* --- destinations and sessions --- */

void lane_join(struct destination *d, const char *provider)
{
	struct lane *l = lane_get(provider, d->pool);

	if (d->lane == l)
		return;
	lane_leave(d);
	d->lane = l;
	l->refs++;
}

void lane_leave(struct destination *d)
{
	struct lane *l = d->lane;

	if (!l)
		return;
	lane_give_back(d);
	fair_remove(&l->opening, &d->busy->opens);
	fair_remove(&l->sending, &d->busy->sends);
	d->may_send = false;
	d->lane = NULL;
	l->refs--;
}

bool lane_enter(struct session *s)
{
	struct destination *d = s->destination;
	struct lane *l = d->lane;

	if (s->lane == l)
		return true;
	lane_exit(s); /* the domain has gone over to another provider */
	uint64_t now_ms = clock_steady_ms();

	if (d->may_open) {
		d->may_open = false;
		l->promised--;
		/* Trouble may have come between the promise and now. */
		if (limits_backs_off(&l->limits, now_ms))
			return false;
	} else if (lane_used_up(l) ||
		   !limits_may_open(&l->limits, l->session_count + l->promised, now_ms)) {
		return false;
	}
	s->lane = l;
	s->lane_next = l->sessions;
	s->lane_link = &l->sessions;
	if (s->lane_next)
		s->lane_next->lane_link = &s->lane_next;
	l->sessions = s;
	l->session_count++;
	return true;
}

void lane_exit(struct session *s)
{
	struct lane *l = s->lane;

	if (!l)
		return;
	*s->lane_link = s->lane_next;
	if (s->lane_next)
		s->lane_next->lane_link = s->lane_link;
	s->lane = NULL;
	l->session_count--;
	run(l);
}

/* Another account waits that has less of the lane than this session's has. */
static bool is_needed(const struct session *s)
{
	struct lane *l = s->lane;
	const struct fair_item *next = fair_peek(&l->opening);
	unsigned mine = 0, theirs = 0;

	/* Who waits for the same destination gets its turn in this very session. */
	if (!next || opens_of((struct fair_item *)next) == s->destination)
		return false;
	uint32_t account = fair_account(next);
	if (account == s->account)
		return false;
	for (const struct session *o = l->sessions; o; o = o->lane_next) {
		mine += o->account == s->account;
		theirs += o->account == account;
	}
	return theirs + 1 < mine;
}

bool lane_wants_back(const struct session *s)
{
	const struct lane *l = s->lane;

	if (!l)
		return false;
	if (s->mails >= l->messages_max)
		return true;
	return s->mails >= YIELD_MAILS && l->opening.count &&
	       l->session_count + l->promised >= l->limits.window && is_needed(s);
}

/* --- how it goes --- */

void lane_delivered(struct lane *l)
{
	bool backed_off = l->limits.back_offs;

	limits_delivered(&l->limits, &l->rules);
	if (backed_off || l->opening.count)
		run(l);
}

/* Whoever waits has to look again at how it stands. */
static void touch_waiting(struct lane *l)
{
	while (l->opening.count)
		destination_touch(opens_of(fair_pop(&l->opening)));
}

void lane_troubled(struct lane *l, enum limits_trouble t, const char *why)
{
	uint64_t now_ms = clock_steady_ms();

	if (!limits_troubled(&l->limits, &l->rules, t, l->session_count, now_ms, random_number()))
		return;
	free(l->why);
	l->why = strdup(why);
	if (!l->why)
		abort();
	log_info("provider %s%s%s: nothing new for %.1f s: %s", l->provider,
		 *l->pool ? " by pool " : "", l->pool,
		 (double)(l->limits.back_off_end_ms - now_ms) / 1000, why);
	if (limits_shut(&l->limits, now_ms))
		touch_waiting(l);
	run(l);
}

void lane_forgive(struct lane *l)
{
	limits_forgive(&l->limits);
	l->used_up_day = 0;
	run(l);
}

const char *lane_shut(const struct lane *l)
{
	if (!l || !limits_shut(&l->limits, clock_steady_ms()))
		return NULL;
	return l->why ? l->why : "4.7.1 the provider asked for less";
}

static void reload(struct lane *l, void *arg)
{
	(void)arg;
	set_rules(l);
	limits_changed(&l->limits, &l->rules);
	run(l);
}

void lanes_reload(void)
{
	lane_each(reload, NULL);
}

/* --- ramp-up --- */

static uint32_t allowance(const struct config_pool *pool, uint32_t day)
{
	return pool && pool->ramp_count
		       ? ramp_allowance(pool->ramp, pool->ramp_count, pool->ramp_day, day)
		       : RAMP_NO_BOUND;
}

static bool may_send_from(const struct lane *l, uint32_t most, const struct addr *source,
			  uint32_t day)
{
	return most == RAMP_NO_BOUND || ramp_sent(&scheduler.ramp, source, l->provider, day) < most;
}

bool lane_source(struct lane *l, const struct config_pool *pool, int family, uint32_t turn,
		 struct addr *out)
{
	uint32_t day = today(), most = allowance(pool, day);
	size_t tries = pool && pool->source_count ? pool->source_count : 1;

	for (size_t i = 0; i < tries; i++) {
		if (!route_source(pool, family, turn + (uint32_t)i, out))
			return false;
		if (may_send_from(l, most, out, day))
			return true;
	}
	if (!lane_used_up(l))
		log_info("provider %s by pool %s: today's %u messages of each address are used up",
			 l->provider, l->pool, most);
	l->used_up_day = day;
	return false;
}

bool lane_ramp_take(const struct session *s)
{
	uint32_t day = today(), most = s->lane ? allowance(pool_of(s->lane), day) : RAMP_NO_BOUND;

	if (most == RAMP_NO_BOUND)
		return true;
	struct addr source = client_source(s->client);
	if (!may_send_from(s->lane, most, &source, day))
		return false;
	ramp_add(&scheduler.ramp, &source, s->lane->provider, day, 1);
	return true;
}
