/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/queue/verbs.h"

#include "lib/log.h"
#include "relay/queue/bounce.h"
#include "relay/queue/destination.h"
#include "relay/queue/lane.h"
#include "relay/queue/ledger.h"
#include "relay/queue/mails.h"
#include "relay/queue/parcel.h"
#include "relay/queue/pause.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { LIST_MAX = 1000 };

/* --- which ones --- */

struct selection {
	bool all;
	uint64_t message;                  /* 0: any */
	const char *account, *destination; /* NULL: any */
};

/* NULL, or what is wrong with it. */
static const char *select_from(const json_t *ask, struct selection *s)
{
	const json_t *message = json_object_get(ask, "message");

	*s = (struct selection){
		.all = json_is_true(json_object_get(ask, "all")),
		.account = json_string_value(json_object_get(ask, "account")),
		.destination = json_string_value(json_object_get(ask, "destination")),
	};
	if (!message)
		return NULL;
	s->message = json_is_string(message) ? message_id_parse(json_string_value(message)) : 0;
	return s->message ? NULL : "\"message\" is not the number of a message";
}

static bool selects_anything(const struct selection *s)
{
	return s->all || s->message || s->account || s->destination;
}

static bool fits_mail(const struct selection *s, const struct mail *m)
{
	return (!s->message || s->message == m->id) &&
	       (!s->account || strcmp(s->account, m->account->name) == 0);
}

static bool fits(const struct selection *s, const struct parcel *p)
{
	return !s->destination || strcasecmp(s->destination, p->destination->domain) == 0;
}

static void each_selected(const struct selection *s, void (*fn)(struct mail *m, void *arg),
			  void *arg)
{
	struct mail *m = s->message ? mail_find(s->message) : NULL;

	if (m)
		fn(m, arg);
	else if (!s->message)
		mail_each(fn, arg);
}

/* --- what is there --- */

static json_t *age_s(uint64_t since_ms)
{
	uint64_t now_ms = clock_wall_ms();

	return json_integer(now_ms > since_ms ? (json_int_t)((now_ms - since_ms) / 1000) : 0);
}

static const struct {
	const char *name;
	uint64_t most_s;
} ages[] = {{"under 5 minutes", 300},
	    {"under 1 hour", 3600},
	    {"under 6 hours", 6 * 3600},
	    {"under 1 day", 24 * 3600},
	    {"older", UINT64_MAX}};
#define AGES (sizeof(ages) / sizeof(*ages))

struct tally {
	uint64_t now_ms;
	uint64_t *oldest_ms; /* by account */
	size_t recipients, held, paused;
	size_t by_age[AGES];
};

static void count_mail(struct mail *m, void *arg)
{
	struct tally *t = arg;
	uint64_t *oldest = &t->oldest_ms[m->account->number];

	if (!*oldest || m->accepted_ms < *oldest)
		*oldest = m->accepted_ms;
	t->recipients += m->left;
	for (const struct parcel *p = m->parcels; p; p = p->next) {
		t->held += p->state == PARCEL_HELD ? p->count : 0;
		t->paused += p->state == PARCEL_PAUSED ? p->count : 0;
	}
	uint64_t age_s = t->now_ms > m->accepted_ms ? (t->now_ms - m->accepted_ms) / 1000 : 0;
	size_t i = 0;
	while (age_s >= ages[i].most_s)
		i++;
	t->by_age[i]++;
}

static json_t *ages_json(const struct tally *t)
{
	json_t *list = json_array();

	for (size_t i = 0; i < AGES; i++)
		json_array_append_new(list, json_pack("{s:s, s:I}", "age", ages[i].name, "messages",
						      (json_int_t)t->by_age[i]));
	return list;
}

static json_t *accounts_json(const struct tally *t)
{
	json_t *list = json_array();

	for (const struct account *a = NULL; (a = account_next(a));)
		if (a->mails)
			json_array_append_new(list,
					      json_pack("{s:s, s:I, s:o, s:b}", "account", a->name,
							"messages", (json_int_t)a->mails,
							"oldest-s", age_s(t->oldest_ms[a->number]),
							"paused", a->paused));
	return list;
}

static void add_destination(struct destination *d, void *arg)
{
	json_t *list = arg;
	uint64_t now_ms = clock_wall_ms();
	json_int_t down_s = 0;

	if (!d->parcels || json_array_size(list) == LIST_MAX)
		return;
	if (d->down_until_ms > now_ms)
		down_s = (json_int_t)((d->down_until_ms - now_ms) / 1000);
	json_array_append_new(list, json_pack("{s:s, s:s, s:I, s:I, s:i, s:I, s:b, s:s}", "domain",
					      d->domain, "pool", d->pool, "waiting",
					      (json_int_t)d->parcels, "ready",
					      (json_int_t)(d->busy->ready.count + d->ahead),
					      "sessions", (int)d->session_count, "down-s", down_s,
					      "paused", d->paused, "reason", d->why ? d->why : ""));
}

static void add_provider(struct lane *l, void *arg)
{
	json_t *list = arg;
	uint64_t now_ms = clock_steady_ms(), end_ms = l->limits.back_off_end_ms;
	bool waits = limits_backs_off(&l->limits, now_ms);

	/* Those of which there is something to say. */
	if (json_array_size(list) == LIST_MAX || (!l->session_count && !l->opening.count &&
						  !l->sending.count && !waits && !lane_used_up(l)))
		return;
	json_array_append_new(
		list, json_pack("{s:s, s:s, s:i, s:i, s:I, s:b, s:I, s:s}", "provider", l->provider,
				"pool", l->pool, "sessions", (int)l->session_count, "may-have",
				(int)l->limits.window, "waiting",
				(json_int_t)(l->opening.count + l->sending.count), "used-up",
				lane_used_up(l), "back-off-s",
				waits ? (json_int_t)((end_ms - now_ms) / 1000 + 1) : 0, "reason",
				l->why && l->limits.back_offs ? l->why : ""));
}

static json_t *mail_json(const struct mail *m)
{
	struct envelope *e = mail_envelope(m);
	char id[MESSAGE_ID_STR_MAX];
	json_t *j = json_pack("{s:s, s:s, s:s, s:s, s:I, s:o, s:i}", "message",
			      message_id_format(m->id, id), "account", m->account->name, "sender",
			      e->sender, "subject", e->subject, "size", (json_int_t)e->size,
			      "age-s", age_s(m->accepted_ms), "recipients-left", (int)m->left);

	envelope_free(e);
	return j;
}

struct listing {
	const struct selection *selection;
	json_t *list;
	size_t max;
};

static void list_mail(struct mail *m, void *arg)
{
	struct listing *l = arg;
	bool any = false;

	for (const struct parcel *p = m->parcels; p; p = p->next)
		any |= fits(l->selection, p);
	if (any && fits_mail(l->selection, m) && json_array_size(l->list) < l->max)
		json_array_append_new(l->list, mail_json(m));
}

static json_t *verb_queue(const json_t *ask, const struct selection *s)
{
	const struct account *last = NULL;
	struct tally t = {.now_ms = clock_wall_ms()};
	json_t *destinations = json_array(), *providers = json_array();
	struct listing l = {.selection = s,
			    .list = json_array(),
			    .max = (size_t)json_integer_value(json_object_get(ask, "list"))};
	size_t accounts = 0;

	while ((last = account_next(last)))
		accounts++;
	t.oldest_ms = calloc(accounts + 1, sizeof(*t.oldest_ms));
	if (!t.oldest_ms)
		abort();
	mail_each(count_mail, &t);
	destination_each(add_destination, destinations);
	lane_each(add_provider, providers);
	if (l.max > LIST_MAX)
		l.max = LIST_MAX;
	if (l.max)
		each_selected(s, list_mail, &l);
	json_t *j = json_pack(
		"{s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:b, s:o, s:o, s:o, s:o, s:o}", "ok", 1,
		"messages", (json_int_t)mail_count(), "recipients", (json_int_t)t.recipients,
		"held", (json_int_t)t.held, "paused", (json_int_t)t.paused, "unconfirmed",
		(json_int_t)ledger_unconfirmed(), "reports", (json_int_t)bounce_count(), "draining",
		orders_draining(), "clock-right", clock_is_right(), "ages", ages_json(&t),
		"accounts", accounts_json(&t), "providers", providers, "destinations", destinations,
		"list", l.list);
	free(t.oldest_ms);
	return j;
}

static const char *const state_names[] = {
	[RECIPIENT_WAITING] = "waiting",
	[RECIPIENT_DELIVERED] = "delivered",
	[RECIPIENT_FAILED] = "failed",
	[RECIPIENT_HELD] = "held",
};

static json_t *verb_show(const json_t *ask, const struct selection *s)
{
	struct mail *m = s->message ? mail_find(s->message) : NULL;
	json_t *list = json_array();

	(void)ask;
	if (!m) {
		json_decref(list);
		return json_pack("{s:b, s:s}", "ok", 0, "error",
				 "there is no such message in the queue");
	}
	struct envelope *e = mail_envelope(m);
	for (uint16_t i = 0; i < m->rcpt_count; i++) {
		const struct rcpt *r = &m->rcpts[i];

		json_array_append_new(
			list,
			json_pack("{s:s, s:s, s:i, s:I, s:s}", "address", e->recipients[i].address,
				  "state", r->bouncing ? "failed" : state_names[r->state],
				  "attempts", (int)r->attempts, "next-ms", (json_int_t)r->next_ms,
				  "reply", r->reply ? r->reply : ""));
	}
	envelope_free(e);
	json_t *j = mail_json(m);
	json_object_set_new(j, "recipients", list);
	json_object_set_new(j, "ok", json_true());
	return j;
}

/* --- an administrator's hand --- */

typedef void parcel_verb_fn(struct parcel *p);

struct action {
	const struct selection *selection;
	parcel_verb_fn *verb;
	bool on_held, on_others;
	size_t changed;
};

static void act_on(struct mail *m, void *arg)
{
	struct action *a = arg;

	if (!fits_mail(a->selection, m))
		return;
	for (struct parcel *p = m->parcels, *next; p; p = next) {
		bool held = p->state == PARCEL_HELD;

		next = p->next;
		if (!fits(a->selection, p) || p->state == PARCEL_SENDING ||
		    !(held ? a->on_held : a->on_others))
			continue;
		a->changed += p->count;
		a->verb(p);
	}
}

static json_t *act(struct action a, const struct selection *s)
{
	a.selection = s;
	if (!selects_anything(s))
		return json_pack("{s:b, s:s}", "ok", 0, "error",
				 "say which: \"message\", \"account\", \"destination\", or "
				 "\"all\": true");
	each_selected(s, act_on, &a);
	return json_pack("{s:b, s:I}", "ok", 1, "changed", (json_int_t)a.changed);
}

static json_t *verb_retry(const json_t *ask, const struct selection *s)
{
	(void)ask;
	return act((struct action){.verb = parcel_retry, .on_others = true}, s);
}

static json_t *verb_remove(const json_t *ask, const struct selection *s)
{
	(void)ask;
	return act((struct action){.verb = parcel_remove, .on_held = true, .on_others = true}, s);
}

static json_t *verb_hold(const json_t *ask, const struct selection *s)
{
	(void)ask;
	return act((struct action){.verb = parcel_hold, .on_others = true}, s);
}

static json_t *verb_release(const json_t *ask, const struct selection *s)
{
	(void)ask;
	return act((struct action){.verb = parcel_release, .on_held = true}, s);
}

/* --- orders --- */

static json_t *fault(const char *error, const char *text)
{
	char safe[128];

	log_escape(safe, sizeof(safe), text, strlen(text));
	return json_pack("{s:b, s:o}", "ok", 0, "error", json_sprintf("%s: '%s'", error, safe));
}

struct subject {
	enum order_kind kind;
	char name[DNS_NAME_MAX];
};

/* NULL, or what is wrong with it. */
static json_t *subject_from(const struct selection *s, struct subject *out)
{
	const char *name = s->account ? s->account : s->destination;

	if (!s->account == !s->destination)
		return json_pack("{s:b, s:s}", "ok", 0, "error",
				 "say which: one \"account\", or one \"destination\"");
	out->kind = s->account ? ORDER_ACCOUNT : ORDER_DESTINATION;
	if (strlen(name) >= sizeof(out->name))
		return fault("a name is at most 253 bytes long", name);
	strcpy(out->name, name);
	if (s->account)
		return NULL;
	for (char *c = out->name; *c; c++)
		*c = *c >= 'A' && *c <= 'Z' ? (char)(*c + 'a' - 'A') : *c;
	if (!resolve_domain_valid(out->name) && out->name[0] != '[')
		return fault("a destination is a recipient domain, this is none", name);
	return NULL;
}

static bool account_exists(const char *name)
{
	if (config_account(scheduler.process->config, name))
		return true;
	for (const struct account *a = NULL; (a = account_next(a));)
		if (a->mails && strcmp(a->name, name) == 0)
			return true;
	return false;
}

static json_t *verb_pause(const json_t *ask, const struct selection *s)
{
	const char *reason = json_string_value(json_object_get(ask, "reason"));
	char safe[ORDERS_REASON_MAX + 1];
	struct subject subject;
	json_t *wrong = subject_from(s, &subject);

	if (wrong)
		return wrong;
	if (subject.kind == ORDER_ACCOUNT && !account_exists(subject.name))
		return fault("there is no such account", subject.name);
	reason = reason && *reason ? reason : "paused by an administrator";
	log_escape(safe, sizeof(safe), reason, strlen(reason));
	if (!order_pause(subject.kind, subject.name, false, safe))
		return fault("1000 pauses are in force: end some first; this one is not",
			     subject.name);
	pause_apply(subject.kind, subject.name, true);
	pause_tell(subject.kind, subject.name, true, safe);
	return json_pack("{s:b}", "ok", 1);
}

static json_t *verb_resume(const json_t *ask, const struct selection *s)
{
	struct subject subject;
	json_t *wrong = subject_from(s, &subject);

	(void)ask;
	if (wrong)
		return wrong;
	if (!order_resume(subject.kind, subject.name))
		return fault(subject.kind == ORDER_ACCOUNT ? "this account is not paused"
							   : "this destination is not paused",
			     subject.name);
	pause_apply(subject.kind, subject.name, false);
	pause_tell(subject.kind, subject.name, false, "by an administrator");
	return json_pack("{s:b}", "ok", 1);
}

static json_t *verb_drain(const json_t *ask, const struct selection *s)
{
	(void)s;
	orders_drain(!json_is_true(json_object_get(ask, "end")));
	pause_tell_main();
	log_info(orders_draining() ? "draining: new mail is refused" : "new mail is taken again");
	return json_pack("{s:b, s:b, s:I}", "ok", 1, "draining", orders_draining(), "messages",
			 (json_int_t)mail_count());
}

static json_t *verb_alarms(const json_t *ask, const struct selection *s)
{
	(void)ask;
	(void)s;
	return json_pack("{s:b, s:o}", "ok", 1, "alarms", alarms_json());
}

static const struct {
	const char *name;
	json_t *(*answer)(const json_t *ask, const struct selection *s);
} verbs[] = {
	{"queue", verb_queue},   {"show", verb_show},     {"retry", verb_retry},
	{"remove", verb_remove}, {"hold", verb_hold},     {"release", verb_release},
	{"pause", verb_pause},   {"resume", verb_resume}, {"drain", verb_drain},
	{"alarms", verb_alarms},
};

static json_t *answer_to(const json_t *ask, const struct selection *s)
{
	const char *verb = json_string_value(json_object_get(ask, "verb"));

	for (size_t i = 0; verb && i < sizeof(verbs) / sizeof(*verbs); i++)
		if (strcmp(verb, verbs[i].name) == 0)
			return verbs[i].answer(ask, s);
	return json_pack("{s:b, s:s}", "ok", 0, "error", "the queue has no such verb");
}

void verbs_answer(const char *line, size_t n, struct buf *out)
{
	json_t *ask = json_loadb(line, n, 0, NULL);
	struct selection s;
	const char *wrong = select_from(ask, &s);
	json_t *answer =
		wrong ? json_pack("{s:b, s:s}", "ok", 0, "error", wrong) : answer_to(ask, &s);
	char *text = answer ? json_dumps(answer, JSON_COMPACT) : NULL;

	buf_appends(out, text ? text : "{\"ok\":false,\"error\":\"no answer could be made\"}");
	free(text);
	json_decref(answer);
	json_decref(ask);
}
