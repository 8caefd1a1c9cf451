/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/queue/pause.h"

#include "lib/log.h"
#include "lib/wire.h"
#include "relay/queue/destination.h"
#include "relay/queue/lane.h"
#include "relay/queue/ledger.h"
#include "relay/queue/mails.h"
#include "relay/queue/parcel.h"

#include <string.h>
#include <sys/timex.h>

/* The month in which this was written: no clock that is right shows less. */
#define CLOCK_FLOOR_S UINT64_C(1793491200) /* 2026-11-01 */
#define CLOCK_LOOK_S  1.0

/* --- orders in the queue --- */

bool pause_holds(const struct parcel *p)
{
	/* Its reports go on: they tell its users what happened. */
	bool own = p->mail->flags & ENVELOPE_OWN;

	return (p->mail->account->paused && !own) || p->destination->paused;
}

static void stop_or_go(struct mail *m, void *arg)
{
	(void)arg;
	for (struct parcel *p = m->parcels, *next; p; p = next) {
		next = p->next;
		if (p->state == PARCEL_PAUSED && !pause_holds(p)) {
			parcel_ready(p);
		} else if (p->state >= PARCEL_READY && p->state <= PARCEL_PREPARED &&
			   pause_holds(p)) {
			parcel_detach(p);
			p->state = PARCEL_PAUSED;
		}
	}
}

struct named {
	const char *name;
	bool on;
};

static void set_destination(struct destination *d, void *arg)
{
	const struct named *n = arg;

	if (strcmp(d->domain, n->name) == 0) {
		d->paused = n->on;
		destination_touch(d);
	}
}

void pause_apply(enum order_kind kind, const char *name, bool on)
{
	struct named n = {name, on};

	if (kind == ORDER_ACCOUNT) {
		struct account *a = account_named(name);

		a->paused = on;
		/* Whoever resumes it has seen what there was: it is counted anew. */
		memset(&a->outcomes, 0, sizeof(a->outcomes));
	} else {
		destination_each(set_destination, &n);
	}
	mail_each(stop_or_go, NULL);
}

/* --- an account that goes too far --- */

static bool suspects;

void pause_note(struct account *a, enum outcome what)
{
	outcomes_add(&a->outcomes, what);
	if (what != OUTCOME_DELIVERED)
		a->is_suspect = suspects = true;
}

void pause_complaint(const char *account)
{
	struct account *a = account_named(account);

	outcomes_complain(&a->outcomes);
	a->is_suspect = suspects = true;
	scheduler_turn();
}

void pause_tell(enum order_kind kind, const char *name, bool on, const char *reason)
{
	bool account = kind == ORDER_ACCOUNT;
	const struct event event = {
		.kind = on ? EVENT_PAUSED : EVENT_RESUMED,
		.time_ms = clock_wall_ms(),
		.account = account ? (char *)name : NULL,
		.rcpt = account ? NULL : (char *)name,
		.detail = (char *)reason,
	};

	log_warn("%s %s is %s: %s", account ? "account" : "destination", name,
		 on ? "paused" : "resumed", reason);
	ledger_event(&event);
}

static void judge(struct account *a)
{
	const struct config_account *c = config_account(scheduler.process->config, a->name);
	const struct outcomes *o = &a->outcomes;
	char reason[ORDERS_REASON_MAX];

	a->is_suspect = false;
	if (!c || a->paused)
		return;
	const struct outcomes_rules rules = {c->suspend_bounces, c->suspend_complaints,
					     c->suspend_after};
	enum outcome verdict = outcomes_verdict(o, &rules);
	if (verdict == OUTCOME_NONE)
		return;
	if (verdict == OUTCOME_BOUNCED)
		snprintf(reason, sizeof(reason),
			 "%u of its last %u recipients were refused for good; %u %% are allowed",
			 o->bounced, o->seen, c->suspend_bounces);
	else
		snprintf(reason, sizeof(reason),
			 "%u of its last %u recipients have complained; fewer than %u are allowed",
			 o->complained, o->seen, c->suspend_complaints);
	if (!order_pause(ORDER_ACCOUNT, a->name, true, reason))
		return;
	pause_tell(ORDER_ACCOUNT, a->name, true, reason);
	pause_apply(ORDER_ACCOUNT, a->name, true);
}

void pause_run(void)
{
	if (!suspects)
		return;
	suspects = false;
	for (struct account *a = NULL; (a = account_next(a));)
		if (a->is_suspect)
			judge(a);
}

/* --- the clock --- */

static bool clock_right;
static const char *clock_why = "";
static ev_timer clock_timer;

/* NULL when it is right. */
static const char *clock_fault(const struct relay_config *c)
{
	struct timex t = {.modes = 0};
	bool lab = c->lab_clock != LAB_CLOCK_NONE;

	if (lab ? c->lab_clock == LAB_CLOCK_PAST : clock_wall_ms() / 1000 < CLOCK_FLOOR_S)
		return "the clock shows a time before this program was made";
	if (!c->wait_for_clock)
		return NULL;
	if (lab ? c->lab_clock == LAB_CLOCK_UNSYNCHRONISED : adjtimex(&t) == TIME_ERROR)
		return "no time server has set the clock yet";
	return NULL;
}

static void touch(struct destination *d, void *arg)
{
	(void)arg;
	destination_touch(d);
}

static void look(void)
{
	const char *why = clock_fault(scheduler.process->config);

	if (why && why != clock_why)
		log_warn("mail is accepted and held: %s", why);
	clock_why = why ? why : "";
	if (why)
		return;
	ev_timer_stop(scheduler.loop, &clock_timer);
	if (clock_right)
		return;
	clock_right = true;
	destination_each(touch, NULL);
	scheduler_turn();
}

static void on_look(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)w;
	(void)revents;
	look();
}

void clock_watch(void)
{
	ev_timer_stop(scheduler.loop, &clock_timer);
	ev_timer_init(&clock_timer, on_look, CLOCK_LOOK_S, CLOCK_LOOK_S);
	if (clock_right)
		return;
	ev_timer_start(scheduler.loop, &clock_timer);
	look();
}

bool clock_is_right(void)
{
	return clock_right;
}

/* --- draining --- */

void pause_tell_main(void)
{
	struct buf payload = BUF_INIT;

	wire_put_u8(&payload, orders_draining());
	channel_send(scheduler.process->main, MSG_DRAIN, 0, &payload, -1);
	buf_free(&payload);
}

/* --- alarms --- */

static void add_alarm(json_t *list, const char *alarm, const char *subject, const char *text,
		      const char *remedy)
{
	json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s}", "alarm", alarm, "subject",
					      subject, "says", text, "mend", remedy));
}

static void add_order(json_t *list, const struct order *o)
{
	bool account = o->kind == ORDER_ACCOUNT;
	char remedy[200];

	if (o->by_itself)
		snprintf(remedy, sizeof(remedy),
			 "find out where its recipients come from; then: request relay resume "
			 "account %.63s",
			 o->name);
	else
		snprintf(remedy, sizeof(remedy),
			 "when it may go on: request relay resume %s %.100s",
			 account ? "account" : "destination", o->name);
	add_alarm(list, account ? "account-paused" : "destination-paused", o->name, o->reason,
		  remedy);
}

static void add_lane(struct lane *l, void *arg)
{
	char text[300];

	if (limits_shut(&l->limits, clock_steady_ms()))
		add_alarm(arg, "provider-refuses", l->provider, l->why ? l->why : "",
			  "read what it says; it is asked again by itself");
	if (!lane_used_up(l))
		return;
	snprintf(text, sizeof(text), "pool %.63s has sent what its ramp-up allows today", l->pool);
	add_alarm(arg, "ramp-up-used-up", l->provider, text,
		  "nothing: the rest goes tomorrow; a larger relay pool ramp-up lets it go now");
}

json_t *alarms_json(void)
{
	json_t *list = json_array();

	if (!clock_right)
		add_alarm(list, "clock", "clock", clock_why,
			  "see that a time server of 'system ntp' answers; mail is accepted and "
			  "waits");
	if (orders_draining())
		add_alarm(list, "draining", "relay",
			  mail_count() ? "new mail is refused; what is there still goes"
				       : "new mail is refused; the queue is empty",
			  "when mail may come in again: request relay drain end");
	for (size_t i = 0; order_at(i); i++)
		add_order(list, order_at(i));
	lane_each(add_lane, list);
	return list;
}
