/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/report/keeper.h"

#include "lib/log.h"
#include "lib/utf8.h"
#include "lib/wire.h"
#include "relay/report/lists.h"
#include "relay/report/suppress.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define SAVE_AGAIN_S 1.0

static struct {
	struct process *p;
	struct lists *lists;
	struct channel *deliver, *http;
	ev_timer save;
} keeper;

/* ---- telling ---- */

struct marks {
	struct buf bytes;
	size_t count;
};

static void send_marks(struct marks *m, enum suppress_step step)
{
	struct buf payload = BUF_INIT;

	wire_put_u8(&payload, (uint8_t)step);
	buf_append(&payload, buf_str(&m->bytes), m->bytes.len);
	channel_send(keeper.deliver, MSG_SUPPRESSED, 0, &payload, -1);
	buf_free(&payload);
	buf_clear(&m->bytes);
	m->count = 0;
}

static void add_mark(const char *account, const char *address, void *arg)
{
	struct marks *m = arg;

	wire_put_u64(&m->bytes, suppress_mark(account, address));
	if (++m->count == SUPPRESS_MARKS_MAX)
		send_marks(m, SUPPRESS_ADD);
}

static void tell_deliver_all(void)
{
	struct marks m = {0};

	send_marks(&m, SUPPRESS_BEGIN);
	lists_each(keeper.lists, add_mark, &m);
	send_marks(&m, SUPPRESS_ADD);
	send_marks(&m, SUPPRESS_END);
	buf_free(&m.bytes);
}

static void tell_deliver(enum suppress_step step, const char *account, const char *address)
{
	struct marks m = {0};

	if (!keeper.deliver)
		return;
	wire_put_u64(&m.bytes, suppress_mark(account, address));
	send_marks(&m, step);
	buf_free(&m.bytes);
}

static void tell_http(void)
{
	struct buf payload = BUF_INIT;
	struct shut_list *list;

	if (!keeper.http)
		return;
	list = lists_shut_list(keeper.lists);
	shut_list_encode(list, &payload);
	channel_send(keeper.http, MSG_SHUT, 0, &payload, -1);
	shut_list_free(list);
	buf_free(&payload);
}

void keeper_peer_up(enum role_id peer, struct channel *c)
{
	if (peer == ROLE_DELIVER) {
		keeper.deliver = c;
		tell_deliver_all();
	} else if (peer == ROLE_HTTP) {
		keeper.http = c;
		tell_http();
	}
}

void keeper_peer_down(struct channel *c)
{
	if (c == keeper.deliver)
		keeper.deliver = NULL;
	if (c == keeper.http)
		keeper.http = NULL;
}

/* ---- who unsubscribes ---- */

static void on_save(struct ev_loop *loop, ev_timer *w, int events)
{
	(void)events;
	if (!lists_save(keeper.lists))
		return;
	log_info("who unsubscribed meanwhile is written down");
	ev_timer_stop(loop, w);
}

void keeper_event(const struct event *e)
{
	if (e->kind != EVENT_UNSUBSCRIBED || !*e->account || !*e->rcpt)
		return;
	if (lists_suppress_owing(keeper.lists, e->account, e->rcpt, "unsubscribed", e->message,
				 e->time_ms) != LISTS_CHANGED)
		return;
	tell_deliver(SUPPRESS_ADD, e->account, e->rcpt);
	if (!lists_save(keeper.lists) && !ev_is_active(&keeper.save))
		ev_timer_again(keeper.p->loop, &keeper.save);
}

/* ---- verbs ---- */

struct ask {
	const json_t *line;
	const char *account, *address, *domain, *message, *reason; /* NULL: not given */
};

static json_t *refuse(const char *what, const char *text, const char *right)
{
	char safe[400];

	log_escape(safe, sizeof(safe), text, strlen(text));
	return json_pack("{s:b, s:o}", "ok", 0, "error",
			 json_sprintf("%s '%s': %s", what, safe, right));
}

static json_t *failed(void)
{
	return json_pack("{s:b, s:o}", "ok", 0, "error",
			 json_sprintf("it cannot be written down, nothing has changed: %s",
				      lists_error(keeper.lists)));
}

static json_t *done(enum lists_change change)
{
	return change == LISTS_FAILED
		       ? failed()
		       : json_pack("{s:b, s:b}", "ok", 1, "new", change == LISTS_CHANGED);
}

static json_t *check_account(const char *account)
{
	if (account && config_account(keeper.p->config, account))
		return NULL;
	return refuse("account", account ? account : "", "there is no account of this name");
}

static json_t *check_address(const char *address)
{
	const char *at = address ? strrchr(address, '@') : NULL;

	if (at && at != address && at[1] && strlen(address) <= LISTS_ADDRESS_MAX)
		return NULL;
	return refuse("address", address ? address : "", "not an address (user@domain)");
}

static json_t *verb_suppressions(const struct ask *a)
{
	json_int_t limit = json_integer_value(json_object_get(a->line, "limit"));
	bool more;
	json_t *rows = lists_suppressed(keeper.lists, a->account, a->address,
					limit > 0 ? (size_t)limit : LISTS_ROWS_MAX, &more);

	return json_pack("{s:b, s:o, s:b}", "ok", 1, "rows", rows, "more", more);
}

static json_t *verb_suppress(const struct ask *a)
{
	json_t *fault = check_account(a->account);

	fault = fault ? fault : check_address(a->address);
	if (fault)
		return fault;
	enum lists_change change =
		lists_suppress(keeper.lists, a->account, a->address,
			       a->reason ? a->reason : "by an administrator", 0, clock_wall_ms());
	if (change == LISTS_CHANGED)
		tell_deliver(SUPPRESS_ADD, a->account, a->address);
	return done(change);
}

/* An account that is gone may still have people on its list. */
static json_t *verb_unsuppress(const struct ask *a)
{
	json_t *fault = check_address(a->address);

	if (fault || !a->account)
		return fault ? fault : check_account(NULL);
	enum lists_change change = lists_allow(keeper.lists, a->account, a->address);
	if (change == LISTS_NOTHING)
		return refuse("address", a->address, "it is not on this account's list");
	if (change == LISTS_CHANGED)
		tell_deliver(SUPPRESS_REMOVE, a->account, a->address);
	return done(change);
}

static json_t *verb_shut_list(const struct ask *a)
{
	(void)a;
	return json_pack("{s:b, s:o}", "ok", 1, "rows", lists_shut_rows(keeper.lists));
}

/* What is to be shut off or reopened; NULL, or the fault. name: SHUT_NAME_MAX + 1 bytes. */
static json_t *read_target(const struct ask *a, bool shut, enum shut_kind *kind, char *name)
{
	const char *text = a->account ? a->account : a->domain ? a->domain : a->message;
	char id[MESSAGE_ID_STR_MAX];

	if (!text || !!a->account + !!a->domain + !!a->message != 1)
		return refuse("the question", "", "name an account, a domain or a message, one");
	if (!*text || strlen(text) > SHUT_NAME_MAX)
		return refuse("the name", text, "it must have 1 to 255 bytes");
	*kind = a->account ? SHUT_ACCOUNT : a->domain ? SHUT_DOMAIN : SHUT_MESSAGE;
	if (a->account && shut && !config_account(keeper.p->config, text))
		return check_account(text);
	if (a->message && !message_id_parse(text))
		return refuse("message", text, "not the number of a message");
	if (a->message)
		text = message_id_format(message_id_parse(text), id);
	strcpy(name, text);
	for (char *c = name; a->domain && *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return NULL;
}

static json_t *verb_shut_off(const struct ask *a)
{
	char name[SHUT_NAME_MAX + 1];
	enum shut_kind kind;
	json_t *fault = read_target(a, true, &kind, name);

	if (fault)
		return fault;
	enum lists_change change =
		lists_shut(keeper.lists, kind, name, a->reason ? a->reason : "", clock_wall_ms());
	if (change == LISTS_CHANGED) {
		log_warn("%s %s is shut off: %s", shut_kind_name(kind), name,
			 a->reason ? a->reason : "");
		tell_http();
	}
	return done(change);
}

static json_t *verb_reopen(const struct ask *a)
{
	char name[SHUT_NAME_MAX + 1];
	enum shut_kind kind;
	json_t *fault = read_target(a, false, &kind, name);

	if (fault)
		return fault;
	enum lists_change change = lists_reopen(keeper.lists, kind, name);
	if (change == LISTS_NOTHING)
		return refuse(shut_kind_name(kind), name, "it is not shut off");
	if (change == LISTS_CHANGED)
		tell_http();
	return done(change);
}

static const struct {
	const char *verb;
	json_t *(*answer)(const struct ask *a);
} verbs[] = {
	{"suppressions", verb_suppressions}, {"suppress", verb_suppress},
	{"unsuppress", verb_unsuppress},     {"shut-list", verb_shut_list},
	{"shut-off", verb_shut_off},         {"reopen", verb_reopen},
};

/* jansson gives UTF-8 without NUL; line ends would reach a table or a log. */
static const char *text_of(const json_t *line, const char *name, json_t **fault)
{
	const json_t *value = json_object_get(line, name);
	const char *text = json_string_value(value);

	for (const char *p = text; p && *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			text = NULL;
	if (value && !text && !*fault)
		*fault = refuse(name, "", "not a text without control characters");
	return text;
}

static json_t *answer(json_t *(*fn)(const struct ask *a), const json_t *line)
{
	json_t *fault = NULL;
	struct ask a = {
		.line = line,
		.account = text_of(line, "account", &fault),
		.address = text_of(line, "address", &fault),
		.domain = text_of(line, "domain", &fault),
		.message = text_of(line, "message", &fault),
		.reason = text_of(line, "reason", &fault),
	};

	if (!fault && a.reason && strlen(a.reason) > LISTS_REASON_MAX)
		fault = refuse("reason", a.reason, "it may have 255 bytes");
	return fault ? fault : fn(&a);
}

bool keeper_answer(const char *line, size_t n, struct buf *out)
{
	json_t *question = json_loadb(line, n, JSON_REJECT_DUPLICATES, NULL);
	const char *verb = json_string_value(json_object_get(question, "verb"));
	size_t i = 0, count = sizeof(verbs) / sizeof(*verbs);

	while (verb && i < count && strcmp(verbs[i].verb, verb) != 0)
		i++;
	bool ours = verb && i < count;
	if (ours) {
		json_t *reply = answer(verbs[i].answer, question);
		char *text = json_dumps(reply, JSON_COMPACT);

		buf_appends(out, text ? text : "{\"ok\":false,\"error\":\"out of memory\"}");
		free(text);
		json_decref(reply);
	}
	json_decref(question);
	return ours;
}

/* ---- its life ---- */

void keeper_open(struct process *p)
{
	keeper.p = p;
	keeper.lists = lists_open("lists.db");
	ev_timer_init(&keeper.save, on_save, SAVE_AGAIN_S, SAVE_AGAIN_S);
}

void keeper_close(void)
{
	lists_save(keeper.lists);
	lists_close(keeper.lists);
}

bool keeper_has_lost(void)
{
	return lists_are_lost(keeper.lists);
}

static void restore_one(const char *account, const char *address, uint64_t message,
			uint64_t time_ms, void *arg)
{
	size_t *count = arg;

	if (lists_suppress_owing(keeper.lists, account, address, "unsubscribed", message,
				 time_ms) == LISTS_CHANGED)
		++*count;
}

void keeper_restore(struct event_store *s)
{
	size_t count = 0;

	lists_begin(keeper.lists);
	bool read = s && event_store_unsubscribed(s, restore_one, &count) == STORE_OK;
	if (!lists_commit(keeper.lists))
		log_error("who unsubscribed cannot be written down: %s", lists_error(keeper.lists));
	if (!read)
		log_error("who unsubscribed cannot be taken from the events either: %s",
			  s ? event_store_error(s) : "there is no store of them");
	else
		log_warn("%zu who unsubscribed were taken from the events; who was suppressed by "
			 "hand, and what was shut off, is to be named anew",
			 count);
}
