/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/report/question.h"

#include "lib/log.h"
#include "relay/spool/envelope.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LIMIT_DEFAULT = 100 };

struct question {
	struct event_query query;
	char error[256];
};

static bool refuse(struct question *q, const char *name, const char *text, const char *right)
{
	char safe[100];

	log_escape(safe, sizeof(safe), text, strlen(text));
	snprintf(q->error, sizeof(q->error), "%s '%s' is not %s", name, safe, right);
	return false;
}

/* ---- members: each takes its value or refuses it ---- */

static bool take_verb(struct question *q, const char *name, const json_t *value)
{
	(void)q;
	(void)name;
	(void)value;
	return true;
}

static bool take_account(struct question *q, const char *name, const json_t *value)
{
	q->query.account = json_string_value(value);
	return q->query.account || refuse(q, name, "", "an account's name");
}

static bool take_to(struct question *q, const char *name, const json_t *value)
{
	q->query.rcpt = json_string_value(value);
	return q->query.rcpt || refuse(q, name, "", "an address");
}

static bool take_message(struct question *q, const char *name, const json_t *value)
{
	const char *text = json_string_value(value);

	q->query.message = message_id_parse(text ? text : "");
	q->query.by_message = q->query.message != 0;
	return q->query.by_message ||
	       refuse(q, name, text ? text : "", "the id of a message: 13 letters and digits");
}

/* In ms: "15m" and the like; 0 for anything else. */
static uint64_t parse_span(const char *s)
{
	static const struct {
		char unit;
		uint64_t ms;
	} units[] = {{'s', 1000}, {'m', 60000}, {'h', 3600000}, {'d', 86400000}};
	size_t digits = strspn(s, "0123456789");

	if (digits > 9 || !s[digits] || s[digits + 1])
		return 0;
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
		if (units[i].unit == s[digits])
			return strtoull(s, NULL, 10) * units[i].ms;
	return 0;
}

static bool take_since(struct question *q, const char *name, const json_t *value)
{
	const char *text = json_string_value(value);
	uint64_t now_ms = q->query.since_ms; /* left there by the caller */

	if (json_is_integer(value) && json_integer_value(value) >= 0) {
		q->query.since_ms = (uint64_t)json_integer_value(value);
		return true;
	}
	uint64_t span = parse_span(text ? text : "");
	q->query.since_ms = span < now_ms ? now_ms - span : 0;
	return span || refuse(q, name, text ? text : "",
			      "a time like 90s, 15m, 1h, 7d, or milliseconds since 1970");
}

static bool take_limit(struct question *q, const char *name, const json_t *value)
{
	json_int_t n = json_integer_value(value);

	q->query.limit = (size_t)n;
	return (json_is_integer(value) && n >= 1 && n <= STORE_ROWS_MAX) ||
	       refuse(q, name, json_string_value(value) ? json_string_value(value) : "",
		      "a number from 1 to 1000");
}

static const struct member {
	const char *name;
	bool (*take)(struct question *q, const char *name, const json_t *value);
	bool log_only;
} members[] = {
	{"verb", take_verb, false}, {"account", take_account, false}, {"since", take_since, false},
	{"to", take_to, true},      {"message", take_message, true},  {"limit", take_limit, true},
};

static bool parse(struct question *q, json_t *line, bool log, uint64_t now_ms)
{
	const char *name;
	json_t *value;

	q->query = (struct event_query){.limit = LIMIT_DEFAULT};
	json_object_foreach(line, name, value)
	{
		const struct member *m = members, *end = m + sizeof(members) / sizeof(*members);
		while (m < end && strcmp(m->name, name) != 0)
			m++;
		if (m == end || (m->log_only && !log))
			return refuse(q, "the member", name,
				      log ? "one of account, to, message, since, limit"
					  : "one of account, since");
		if (m->take == take_since)
			q->query.since_ms = now_ms;
		if (!m->take(q, name, value))
			return false;
	}
	return true;
}

/* ---- verbs ---- */

static enum store_status ask_log(struct event_store *s, const struct question *q,
				 const struct question_facts *facts, json_t **answer)
{
	json_t *rows;
	bool more;
	enum store_status status = event_store_log(s, &q->query, &rows, &more);

	(void)facts;
	if (status == STORE_OK)
		*answer = json_pack("{s:b, s:o, s:b}", "ok", 1, "rows", rows, "more", more);
	return status;
}

static enum store_status ask_statistics(struct event_store *s, const struct question *q,
					const struct question_facts *facts, json_t **answer)
{
	json_t *accounts;
	enum store_status status =
		event_store_statistics(s, q->query.account, q->query.since_ms, &accounts);

	if (status == STORE_OK)
		*answer = json_pack("{s:b, s:o, s:I, s:I, s:I, s:I, s:I}", "ok", 1, "accounts",
				    accounts, "lost", (json_int_t)facts->lost, "damaged_bytes",
				    (json_int_t)facts->damaged_bytes, "set_aside",
				    (json_int_t)facts->set_aside, "forgotten",
				    (json_int_t)facts->forgotten, "journal_bytes",
				    (json_int_t)facts->journal_bytes);
	return status;
}

static const struct {
	const char *verb;
	enum store_status (*ask)(struct event_store *s, const struct question *q,
				 const struct question_facts *facts, json_t **answer);
} verbs[] = {{"log", ask_log}, {"statistics", ask_statistics}};

static json_t *fault(const char *text)
{
	return json_pack("{s:b, s:s}", "ok", 0, "error", text);
}

enum store_status question_answer(struct event_store *s, const char *line, size_t n,
				  const struct question_facts *facts, struct buf *out)
{
	json_t *question = json_loadb(line, n, JSON_REJECT_DUPLICATES, NULL), *answer = NULL;
	const char *verb = json_string_value(json_object_get(question, "verb"));
	enum store_status status = STORE_OK;
	struct question q = {0};
	size_t i = 0;

	while (i < sizeof(verbs) / sizeof(*verbs) && strcmp(verbs[i].verb, verb ? verb : "") != 0)
		i++;
	if (i == sizeof(verbs) / sizeof(*verbs))
		answer = fault("the verb is neither log nor statistics");
	else if (!parse(&q, question, verbs[i].ask == ask_log, facts->now_ms))
		answer = fault(q.error);
	else if (!s)
		answer = fault("the event store cannot be opened; events are kept in the journal");
	else if ((status = verbs[i].ask(s, &q, facts, &answer)) != STORE_OK)
		answer = fault("the event store fails; the relay's log says why");
	char *text = json_dumps(answer, JSON_COMPACT);
	buf_appends(out, text ? text : "{\"ok\":false,\"error\":\"out of memory\"}");
	free(text);
	json_decref(answer);
	json_decref(question);
	return status;
}
