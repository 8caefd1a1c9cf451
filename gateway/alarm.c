/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gateway/alarm.h"

#include "gateway/notify.h"
#include "gateway/oper.h"
#include "gateway/relay_call.h"
#include "lib/certificate.h"
#include "lib/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

#define LOOK_EVERY_S 60.0
#define TELL_AFTER_S 3.0
#define CHANGED_STANDS_S \
	3600 /* that somebody changed something is over; that it happened is told */
#define CERTIFICATE_DUE_S ((int64_t)14 * 86400)
#define YOUNG_S           30 /* a service that has run for less, twice in a row, keeps failing */
#define SUBJECT_MAX       128
#define PEM_MAX           ((size_t)1 << 20)

static const struct kind {
	const char *name, *mend;
} kinds[ALARM_KINDS] = {
	[ALARM_CLOSED] = {"forwarding closed", "mend the config and commit, or 'rollback N' to an "
					       "older one and commit"},
	[ALARM_UNCONFIRMED] = {"commit not confirmed", "'confirm' keeps it"},
	[ALARM_DRIFT] = {"not as configured",
			 "end whatever changes it, then commit again; a device "
			 "that is missing must be plugged in"},
	[ALARM_CHANGED] = {"changed from outside", "it was put back; find out who did it: only "
						   "commits may change this box"},
	[ALARM_SERVICE] = {"service fails", "'show services', then its log; 'request support' "
					    "gathers what a developer needs"},
	[ALARM_DISK] = {"disk nearly full",
			"'show relay queue' and 'show relay statistics' say what "
			"grows; shorten what is kept, or let the queue empty"},
	[ALARM_CERTIFICATE] = {"certificate due", "paste a new one: 'system certificate NAME'"},
	[ALARM_CLOCK] = {"clock not set", "see that the servers of 'system ntp' can be reached; "
					  "certificates and DNSSEC need the time"},
	[ALARM_GATEWAY] = {"gateway does not answer",
			   "look at the cable, the uplink's provider, and "
			   "'interfaces wan gateway'"},
	[ALARM_SLOT] = {"started from the other slot", "the last update did not start; install it "
						       "again or another one"},
	[ALARM_RELAY] = {"relay", "'show relay alarms'"},
};

struct alarm {
	struct alarm *next;
	enum alarm_kind kind;
	char subject[SUBJECT_MAX];
	char *says;
	char *name, *mend; /* the relay's own words, or NULL */
	int64_t since_s;
	bool told;
	bool found; /* in this round of looking */
};

struct alarms {
	struct ev_loop *loop;
	struct commit *commit;
	struct alarm_places places;
	struct alarm *list;
	struct buf over; /* what ended, to be told */
	ev_timer look, tell;
	struct relay_call *call;
	struct young {
		char name[64];
		bool was;
	} young[32];
};

/* ---- the list ---- */

static const char *name_of(const struct alarm *x)
{
	return x->name ? x->name : kinds[x->kind].name;
}

static const char *mend_of(const struct alarm *x)
{
	return x->mend ? x->mend : kinds[x->kind].mend;
}

static char *copied(const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		abort();
	return copy;
}

static struct alarm **find(struct alarms *a, enum alarm_kind kind, const char *subject)
{
	struct alarm **link = &a->list;

	while (*link && ((*link)->kind != kind || strcmp((*link)->subject, subject) != 0))
		link = &(*link)->next;
	return link;
}

static void tell_soon(struct alarms *a)
{
	if (ev_is_active(&a->tell))
		return;
	ev_now_update(a->loop);
	ev_timer_set(&a->tell, TELL_AFTER_S, 0.0);
	ev_timer_start(a->loop, &a->tell);
}

static void end_alarm(struct alarms *a, struct alarm **link)
{
	struct alarm *gone = *link;

	*link = gone->next;
	log_info("alarm over: %s%s%s", name_of(gone), *gone->subject ? " " : "", gone->subject);
	if (gone->told) {
		buf_printf(&a->over, "- over: %s%s%s\n", name_of(gone), *gone->subject ? " " : "",
			   gone->subject);
		tell_soon(a);
	}
	free(gone->says);
	free(gone->name);
	free(gone->mend);
	free(gone);
}

/* The one of this kind and subject, made when it is not there yet. */
static struct alarm *raise_alarm(struct alarms *a, enum alarm_kind kind, const char *subject,
				 const char *says)
{
	struct alarm **link = find(a, kind, subject), *x = *link;

	if (x) {
		free(x->says);
		x->says = copied(says);
		x->found = true;
		return x;
	}
	x = calloc(1, sizeof(*x));
	if (!x)
		abort();
	*x = (struct alarm){
		.kind = kind, .says = copied(says), .since_s = time(NULL), .found = true};
	snprintf(x->subject, sizeof(x->subject), "%s", subject);
	*link = x;
	tell_soon(a);
	return x;
}

static void log_alarm(const struct alarm *x)
{
	log_warn("alarm: %s%s%s: %.*s", name_of(x), *x->subject ? " " : "", x->subject,
		 (int)strcspn(x->says, "\n"), x->says);
}

void alarms_set(struct alarms *a, enum alarm_kind kind, const char *subject, bool on,
		const char *says)
{
	struct alarm **link = a ? find(a, kind, subject) : NULL;

	if (!a || (!on && !*link))
		return;
	if (!on) {
		end_alarm(a, link);
		return;
	}
	bool is_new = !*link;
	const struct alarm *x = raise_alarm(a, kind, subject, says);
	if (is_new)
		log_alarm(x);
}

/* Ends what a round did not find again. */
static void end_unfound(struct alarms *a, enum alarm_kind kind)
{
	struct alarm **link = &a->list;

	while (*link) {
		if ((*link)->kind == kind && !(*link)->found)
			end_alarm(a, link);
		else
			link = &(*link)->next;
	}
}

static void begin_round(struct alarms *a, enum alarm_kind kind)
{
	for (struct alarm *x = a->list; x; x = x->next)
		if (x->kind == kind)
			x->found = false;
}

/* ---- looking: each raises what it finds ---- */

static void look_closed(struct alarms *a)
{
	const char *closed = commit_closed(a->commit);

	if (closed)
		alarms_set(a, ALARM_CLOSED, "", true, closed);
}

static void look_unconfirmed(struct alarms *a)
{
	struct unconfirmed u;
	char says[96];

	if (!commit_waiting(a->commit, &u))
		return;
	snprintf(says, sizeof(says), "revision %u is undone in %lld seconds", u.number,
		 (long long)(u.deadline_s - time(NULL)));
	alarms_set(a, ALARM_UNCONFIRMED, "", true, says);
}

static void look_changed(struct alarms *a)
{
	for (struct alarm *x = a->list; x; x = x->next)
		if (x->kind == ALARM_CHANGED)
			x->found = time(NULL) - x->since_s < CHANGED_STANDS_S;
}

static bool was_young(struct alarms *a, const char *name, bool is)
{
	for (size_t i = 0; i < sizeof(a->young) / sizeof(*a->young); i++) {
		struct young *y = &a->young[i];
		if (!*y->name)
			snprintf(y->name, sizeof(y->name), "%s", name);
		if (strcmp(y->name, name) != 0)
			continue;
		bool was = y->was;
		y->was = is;
		return was;
	}
	return false;
}

static void look_services(struct alarms *a)
{
	struct buf unsaid = BUF_INIT;
	json_t *rows = a->places.services ? oper_services(a->places.services, &unsaid) : NULL, *row;
	char says[96];
	size_t i;

	json_array_foreach(rows, i, row)
	{
		const char *name = json_string_value(json_object_get(row, "name"));
		const char *state = json_string_value(json_object_get(row, "state"));
		json_int_t seconds = json_integer_value(json_object_get(row, "seconds"));
		bool young = state && !strcmp(state, "running") && seconds < YOUNG_S;
		if (!name || !was_young(a, name, young) || !young)
			continue;
		snprintf(says, sizeof(says), "it starts again and again; this time %lld s ago",
			 (long long)seconds);
		alarms_set(a, ALARM_SERVICE, name, true, says);
	}
	json_decref(rows);
	buf_free(&unsaid);
}

static void look_disks(struct alarms *a)
{
	struct statvfs fs;
	char says[128];

	for (size_t i = 0; i < 4 && a->places.disks[i]; i++) {
		if (statvfs(a->places.disks[i], &fs) != 0 || !fs.f_blocks)
			continue;
		unsigned free_percent = (unsigned)(fs.f_bavail * 100 / fs.f_blocks);
		if (free_percent >= 10 && (!fs.f_files || fs.f_favail * 100 / fs.f_files >= 5))
			continue;
		snprintf(says, sizeof(says), "%u %% of its space and %llu files are left",
			 free_percent, (unsigned long long)fs.f_favail);
		alarms_set(a, ALARM_DISK, a->places.disks[i], true, says);
	}
}

static void look_certificate(struct alarms *a)
{
	const struct lyd_node *relay = conf_top(commit_running(a->commit), "relay");
	const struct lyd_node *tls = conf_child(relay, "tls");
	const char *file = conf_value(tls, "chain-file"), *key = conf_value(tls, "key-file");
	struct buf chain_pem = BUF_INIT, key_pem = BUF_INIT, says = BUF_INIT;
	struct certificate *c = NULL;

	if (file && key && buf_read_file(&chain_pem, file, PEM_MAX) &&
	    buf_read_file(&key_pem, key, PEM_MAX))
		c = certificate_new(buf_str(&chain_pem), buf_str(&key_pem), &says);
	if (c && certificate_until_s(c) - time(NULL) < CERTIFICATE_DUE_S) {
		buf_clear(&says);
		certificate_names(c, &says);
		buf_appends(&says, ": valid until ");
		certificate_put_time(certificate_until_s(c), &says);
		alarms_set(a, ALARM_CERTIFICATE, file, true, buf_str(&says));
	}
	certificate_free(c);
	explicit_bzero(key_pem.data, key_pem.cap);
	buf_free(&chain_pem);
	buf_free(&key_pem);
	buf_free(&says);
}

static void look_clock(struct alarms *a)
{
	struct timex t = {0};

	if (a->places.clock && conf_has(conf_top(commit_running(a->commit), "system"), "ntp") &&
	    adjtimex(&t) == TIME_ERROR && (t.status & STA_UNSYNC))
		alarms_set(a, ALARM_CLOCK, "", true, "no time server has set it");
}

static void look_gateway(struct alarms *a)
{
	const struct lyd_node *wan =
		conf_child(conf_top(commit_running(a->commit), "interfaces"), "wan");
	struct buf unsaid = BUF_INIT;
	json_t *rows = conf_has(wan, "gateway") ? oper_neighbours(&unsaid) : NULL, *row;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		const char *address = json_string_value(json_object_get(row, "address"));
		const char *state = json_string_value(json_object_get(row, "state"));
		if (address && state && !strcmp(state, "no answer") &&
		    conf_find(wan, "gateway", address))
			alarms_set(a, ALARM_GATEWAY, address, true,
				   "nobody on the uplink's wire answers for it");
	}
	json_decref(rows);
	buf_free(&unsaid);
}

static void look_slot(struct alarms *a)
{
	if (a->places.slot_fallback && access(a->places.slot_fallback, F_OK) == 0)
		alarms_set(a, ALARM_SLOT, "", true, "the box runs the software before the update");
}

/* What may be known at any moment comes first, the rest once a minute. */
static const struct {
	enum alarm_kind kind;
	void (*look)(struct alarms *a);
	bool at_once;
} looks[] = {
	{ALARM_CLOSED, look_closed, true},    {ALARM_UNCONFIRMED, look_unconfirmed, true},
	{ALARM_CHANGED, look_changed, false}, {ALARM_SERVICE, look_services, false},
	{ALARM_DISK, look_disks, false},      {ALARM_CERTIFICATE, look_certificate, false},
	{ALARM_CLOCK, look_clock, false},     {ALARM_GATEWAY, look_gateway, false},
	{ALARM_SLOT, look_slot, false},
};

static void look_at(struct alarms *a, bool all)
{
	for (size_t i = 0; i < sizeof(looks) / sizeof(*looks); i++) {
		if (!all && !looks[i].at_once)
			continue;
		begin_round(a, looks[i].kind);
		looks[i].look(a);
		end_unfound(a, looks[i].kind);
	}
}

void alarms_refresh(struct alarms *a)
{
	if (a)
		look_at(a, false);
}

/* ---- the relay's ---- */

static const char *text_of(const json_t *row, const char *name)
{
	const char *text = json_string_value(json_object_get(row, name));

	return text ? text : "";
}

static void take_relays(struct alarms *a, const json_t *rows)
{
	char subject[SUBJECT_MAX];
	json_t *row;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		snprintf(subject, sizeof(subject), "%s: %s", text_of(row, "alarm"),
			 text_of(row, "subject"));
		bool is_new = !*find(a, ALARM_RELAY, subject);
		struct alarm *x = raise_alarm(a, ALARM_RELAY, subject, text_of(row, "says"));
		if (!is_new)
			continue;
		x->mend = copied(text_of(row, "mend"));
		log_alarm(x);
	}
}

/* A relay that does not answer says nothing new. */
static void on_relay(void *arg, json_t *answer)
{
	struct alarms *a = arg;

	a->call = NULL;
	if (json_is_true(json_object_get(answer, "ok"))) {
		begin_round(a, ALARM_RELAY);
		take_relays(a, json_object_get(answer, "alarms"));
		end_unfound(a, ALARM_RELAY);
	}
	json_decref(answer);
}

static void ask_relay(struct alarms *a)
{
	const struct lyd_node *relay = conf_top(commit_running(a->commit), "relay");
	const char *path = conf_value(conf_child(relay, "directory"), "control");
	json_t *question;

	if (!path) {
		begin_round(a, ALARM_RELAY);
		end_unfound(a, ALARM_RELAY);
	}
	if (!path || a->call)
		return;
	question = json_pack("{s:s}", "verb", "alarms");
	a->call = relay_call_start(a->loop, path, question, on_relay, a);
	json_decref(question);
}

/* ---- telling ---- */

static void on_tell(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct alarms *a = w->data;
	struct buf text = BUF_INIT;
	char first[160] = "";

	(void)revents;
	for (struct alarm *x = a->list; x; x = x->next) {
		if (x->told)
			continue;
		x->told = true;
		if (!*first)
			snprintf(first, sizeof(first), "%s %s", name_of(x), x->subject);
		buf_printf(&text, "! %s%s%s\n  %s\n  What to do: %s\n", name_of(x),
			   *x->subject ? ": " : "", x->subject, x->says, mend_of(x));
	}
	buf_append(&text, a->over.data, a->over.len);
	if (!*first && a->over.len)
		snprintf(first, sizeof(first), "over");
	buf_clear(&a->over);
	if (text.len)
		notify(loop, commit_running(a->commit), first, buf_str(&text));
	buf_free(&text);
}

static void on_look(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	look_at(w->data, true);
	ask_relay(w->data);
}

json_t *alarms_rows(struct alarms *a)
{
	json_t *rows = json_array();

	alarms_refresh(a);
	for (const struct alarm *x = a ? a->list : NULL; x; x = x->next)
		json_array_append_new(rows,
				      json_pack("{s:s s:s s:s s:s s:I}", "alarm", name_of(x),
						"subject", x->subject, "says", x->says, "mend",
						mend_of(x), "since", (json_int_t)x->since_s));
	return rows;
}

struct alarms *alarms_open(struct ev_loop *loop, struct commit *commit,
			   const struct alarm_places *places)
{
	struct alarms *a = calloc(1, sizeof(*a));

	if (!a)
		abort();
	*a = (struct alarms){.loop = loop, .commit = commit, .places = *places};
	ev_timer_init(&a->look, on_look, 1.0, LOOK_EVERY_S);
	ev_timer_init(&a->tell, on_tell, 0.0, 0.0);
	a->look.data = a;
	a->tell.data = a;
	ev_timer_start(loop, &a->look);
	alarms_refresh(a);
	return a;
}

void alarms_close(struct alarms *a)
{
	if (!a)
		return;
	ev_timer_stop(a->loop, &a->look);
	ev_timer_stop(a->loop, &a->tell);
	if (a->call)
		relay_call_cancel(a->call);
	while (a->list) {
		struct alarm *x = a->list;
		a->list = x->next;
		free(x->says);
		free(x->name);
		free(x->mend);
		free(x);
	}
	buf_free(&a->over);
	free(a);
}
