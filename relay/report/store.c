/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/report/store.h"

#include "lib/log.h"
#include "lib/utf8.h"
#include "relay/report/sql.h"
#include "relay/report/vfs.h"
#include "relay/spool/envelope.h"
#include "relay/track/bot.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HOUR_MS 3600000u

/* One process uses it, so the WAL's index needs no shared memory and no lock is taken twice. */
static const char settings[] = "PRAGMA locking_mode = EXCLUSIVE;"
			       "PRAGMA journal_mode = WAL;"
			       "PRAGMA synchronous = NORMAL;"
			       "PRAGMA temp_store = MEMORY;"
			       "PRAGMA mmap_size = 0;"
			       "PRAGMA cache_size = -16384;"
			       "PRAGMA wal_autocheckpoint = 4000;"
			       "PRAGMA journal_size_limit = 16777216;"
			       "PRAGMA trusted_schema = OFF;"
			       "PRAGMA cell_size_check = ON;";

struct event_store {
	sqlite3 *db;
	sqlite3_stmt *statements[SQL_COUNT_OF];
	struct place_in_events place;
	bool in_transaction;
	char error[256];
};

static enum store_status fail(struct event_store *s, int code)
{
	snprintf(s->error, sizeof(s->error), "%s", s->db ? sqlite3_errmsg(s->db) : "out of memory");
	code &= 0xff;
	return code == SQLITE_CORRUPT || code == SQLITE_NOTADB ? STORE_CORRUPT : STORE_FAILED;
}

const char *event_store_error(const struct event_store *s)
{
	return s->error;
}

/* Runs a statement that gives no row. */
static enum store_status run(struct event_store *s, enum sql which)
{
	int code = sqlite3_step(s->statements[which]);
	enum store_status status =
		code == SQLITE_DONE || code == SQLITE_ROW ? STORE_OK : fail(s, code);

	sqlite3_reset(s->statements[which]);
	return status;
}

/* ---- opening ---- */

static enum store_status make_schema(struct event_store *s)
{
	sqlite3_stmt *st;
	int version = -1, code = sqlite3_prepare_v2(s->db, "PRAGMA user_version", -1, &st, NULL);

	if (code == SQLITE_OK && sqlite3_step(st) == SQLITE_ROW)
		version = sqlite3_column_int(st, 0);
	if (sqlite3_finalize(st) != SQLITE_OK || version < 0)
		return fail(s, sqlite3_errcode(s->db));
	if (version == SQL_SCHEMA_VERSION)
		return STORE_OK;
	if (version != 0 && version != 1) {
		snprintf(s->error, sizeof(s->error), "it has version %d, this program knows %d",
			 version, SQL_SCHEMA_VERSION);
		return STORE_CORRUPT;
	}
	code = sqlite3_exec(s->db, "BEGIN", NULL, NULL, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_exec(s->db, version ? sql_from_1 : sql_schema, NULL, NULL, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_exec(s->db, "COMMIT", NULL, NULL, NULL);
	return code == SQLITE_OK ? STORE_OK : fail(s, code);
}

static enum store_status prepare(struct event_store *s)
{
	for (size_t i = 0; i < SQL_COUNT_OF; i++) {
		int code = sqlite3_prepare_v3(s->db, sql_texts[i], -1, SQLITE_PREPARE_PERSISTENT,
					      &s->statements[i], NULL);
		if (code != SQLITE_OK) {
			enum store_status status = fail(s, code);
			/* The tables are not those that the version promises. */
			return code == SQLITE_ERROR ? STORE_CORRUPT : status;
		}
	}
	return STORE_OK;
}

static enum store_status read_place(struct event_store *s)
{
	sqlite3_stmt *st = s->statements[SQL_GET_PLACE];
	int code = sqlite3_step(st);

	if (code == SQLITE_ROW) {
		s->place.file = (uint64_t)sqlite3_column_int64(st, 0);
		s->place.offset = (uint64_t)sqlite3_column_int64(st, 1);
	}
	sqlite3_reset(st);
	if (code == SQLITE_DONE) {
		snprintf(s->error, sizeof(s->error), "it does not say how far it is");
		return STORE_CORRUPT;
	}
	return code == SQLITE_ROW ? STORE_OK : fail(s, code);
}

struct event_store *event_store_open(const char *path, enum store_status *status, struct buf *error)
{
	struct event_store *s = calloc(1, sizeof(*s));
	if (!s)
		abort();
	int code = sqlite3_open_v2(path, &s->db,
				   SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
					   SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW,
				   report_vfs());
	if (code == SQLITE_OK)
		code = sqlite3_exec(s->db, settings, NULL, NULL, NULL);
	*status = code == SQLITE_OK ? make_schema(s) : fail(s, code);
	if (*status == STORE_OK)
		*status = prepare(s);
	if (*status == STORE_OK)
		*status = read_place(s);
	if (*status == STORE_OK)
		return s;
	buf_appends(error, s->error);
	event_store_close(s);
	return NULL;
}

void event_store_close(struct event_store *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < SQL_COUNT_OF; i++)
		sqlite3_finalize(s->statements[i]);
	sqlite3_close(s->db);
	free(s);
}

struct place_in_events event_store_place(const struct event_store *s)
{
	return s->place;
}

/* ---- following ---- */

enum store_status event_store_begin(struct event_store *s)
{
	enum store_status status = run(s, SQL_BEGIN);

	s->in_transaction = status == STORE_OK;
	return status;
}

/* Peers' bytes: what is no UTF-8 lies in the store escaped. */
static void bind_text(sqlite3_stmt *st, int at, const char *text)
{
	size_t n = strlen(text);

	if (utf8_valid(text, n)) {
		sqlite3_bind_text(st, at, text, (int)n, SQLITE_STATIC);
		return;
	}
	char *safe = malloc(n * 4 + 1);
	if (!safe)
		abort();
	n = log_escape(safe, n * 4 + 1, text, n);
	sqlite3_bind_text(st, at, safe, (int)n, free);
}

static void bind_event(sqlite3_stmt *st, int64_t id, const struct event *e, const char *client)
{
	const struct {
		int at;
		int64_t value;
	} numbers[] = {
		{COLUMN_ID, id},
		{COLUMN_TIME, (int64_t)e->time_ms},
		{COLUMN_KIND, e->kind},
		{COLUMN_CLASS, e->hit_class},
		{COLUMN_MESSAGE, (int64_t)e->message},
		{COLUMN_RECIPIENT, e->recipient},
		{COLUMN_SIZE, (int64_t)e->size},
		{COLUMN_TOOK, (int64_t)e->took_ms},
	};
	const struct {
		int at;
		const char *text;
	} texts[] = {
		{COLUMN_ACCOUNT, e->account},   {COLUMN_SENDER, e->sender},
		{COLUMN_RCPT, e->rcpt},         {COLUMN_SUBJECT, e->subject},
		{COLUMN_DETAIL, e->detail},     {COLUMN_PEER, e->peer},
		{COLUMN_URL, e->url},           {COLUMN_REASON, e->reason},
		{COLUMN_CAMPAIGN, e->campaign}, {COLUMN_CLIENT, client},
		{COLUMN_TAGS, e->tags},
	};

	/* A statement that lacks one of them answers SQLITE_RANGE, which is as it should be. */
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		sqlite3_bind_int64(st, numbers[i].at, numbers[i].value);
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		bind_text(st, texts[i].at, texts[i].text);
}

static enum store_status count(struct event_store *s, const struct event *e)
{
	sqlite3_stmt *st = s->statements[SQL_COUNT];

	bind_text(st, 1, e->account);
	sqlite3_bind_int64(st, 2, (int64_t)(e->time_ms / HOUR_MS));
	sqlite3_bind_int(st, 3, e->kind);
	sqlite3_bind_int(st, 4, e->hit_class);
	return run(s, SQL_COUNT);
}

static enum store_status add_with(struct event_store *s, enum sql which, int64_t id,
				  const struct event *e)
{
	char client[ADDR_STR_MAX] = "";

	if (e->client.family != AF_UNSPEC)
		addr_format(&e->client, client);
	bind_event(s->statements[which], id, e, client);
	return run(s, which);
}

static bool is_hit(uint8_t kind)
{
	return kind == EVENT_OPENED || kind == EVENT_CLICKED || kind == EVENT_UNSUBSCRIBED;
}

/* *fresh: it was not there before. */
static enum store_status add_row(struct event_store *s, int64_t id, const struct event *e,
				 bool *fresh)
{
	static const enum sql for_event[] = {SQL_ADD_EVENT},
			      for_hit[] = {SQL_MERGE_HIT, SQL_ADD_HIT};
	const enum sql *which = is_hit(e->kind) ? for_hit : for_event;
	size_t n = is_hit(e->kind) ? 2 : 1;

	*fresh = false;
	for (size_t i = 0; i < n && !*fresh; i++) {
		enum store_status status = add_with(s, which[i], id, e);
		if (status != STORE_OK)
			return status;
		*fresh = sqlite3_changes(s->db) > 0;
	}
	return STORE_OK;
}

enum store_status event_store_add(struct event_store *s, struct place_in_events at,
				  const struct event *e)
{
	int64_t id = (int64_t)(at.file << 32 | at.offset);
	bool fresh;
	enum store_status status = add_row(s, id, e, &fresh);

	if (status != STORE_OK || !fresh)
		return status;
	status = count(s, e);
	if (status != STORE_OK || !e->message)
		return status;
	switch (e->kind) {
	case EVENT_RECEIVED:
		return add_with(s, SQL_ADD_MESSAGE, id, e);
	case EVENT_QUEUED:
	case EVENT_DEFERRED:
	case EVENT_DELIVERED:
	case EVENT_BOUNCED:
	case EVENT_EXPIRED:
	case EVENT_SUPPRESSED:
		return add_with(s, SQL_ADD_RECIPIENT, id, e);
	default:
		return STORE_OK;
	}
}

enum store_status event_store_commit(struct event_store *s, struct place_in_events behind)
{
	sqlite3_stmt *st = s->statements[SQL_SET_PLACE];

	sqlite3_bind_int64(st, 1, (int64_t)behind.file);
	sqlite3_bind_int64(st, 2, (int64_t)behind.offset);
	enum store_status status = run(s, SQL_SET_PLACE);
	if (status == STORE_OK)
		status = run(s, SQL_COMMIT);
	if (status == STORE_OK) {
		s->place = behind;
		s->in_transaction = false;
	}
	return status;
}

void event_store_rollback(struct event_store *s)
{
	if (s->in_transaction && !sqlite3_get_autocommit(s->db))
		run(s, SQL_ROLLBACK);
	s->in_transaction = false;
}

enum store_status event_store_checkpoint(struct event_store *s)
{
	/* Not truncated: on a disk that is full by then, the log's room is still ours. */
	int code = sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_RESTART, NULL, NULL);

	return code == SQLITE_OK ? STORE_OK : fail(s, code);
}

static enum store_status drop(struct event_store *s)
{
	static const enum sql steps[] = {SQL_DROP_EVENTS, SQL_DROP_RECIPIENTS, SQL_DROP_MESSAGES};
	enum store_status status = event_store_begin(s);

	for (size_t i = 0; status == STORE_OK && i < sizeof(steps) / sizeof(*steps); i++) {
		sqlite3_bind_int(s->statements[steps[i]], 1, STORE_TRIM_AT_ONCE);
		status = run(s, steps[i]);
	}
	return status == STORE_OK ? event_store_commit(s, s->place) : status;
}

enum store_status event_store_trim(struct event_store *s, uint64_t max_bytes, size_t *dropped)
{
	sqlite3_stmt *st = s->statements[SQL_SIZE];
	int code = sqlite3_step(st);
	uint64_t bytes = code == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(st, 0) : 0;

	sqlite3_reset(st);
	*dropped = 0;
	if (code != SQLITE_ROW)
		return fail(s, code);
	if (bytes <= max_bytes)
		return STORE_OK;
	int64_t before = sqlite3_total_changes64(s->db);
	enum store_status status = drop(s);
	if (status == STORE_OK) /* the place is one row more */
		*dropped = (size_t)(sqlite3_total_changes64(s->db) - before - 1);
	return status;
}

/* ---- asking ---- */

static const char *text_of(sqlite3_stmt *st, int column)
{
	const char *text = (const char *)sqlite3_column_text(st, column - 1);

	return text ? text : "";
}

static uint64_t number_of(sqlite3_stmt *st, int column)
{
	return (uint64_t)sqlite3_column_int64(st, column - 1);
}

static void put(json_t *row, const char *name, const char *text)
{
	json_t *value = json_string(text);

	json_object_set_new(row, name, value ? value : json_string(""));
}

static const char *format_time(uint64_t ms, char out[32])
{
	time_t t = (time_t)(ms / 1000);
	struct tm tm;
	char day[24];

	if (!gmtime_r(&t, &tm) || !strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm))
		return "";
	snprintf(out, 32, "%s.%03uZ", day, (unsigned)(ms % 1000));
	return out;
}

static json_t *row_of(sqlite3_stmt *st)
{
	static const struct {
		int column;
		const char *name;
		bool always;
	} texts[] = {
		{COLUMN_ACCOUNT, "account", true},  {COLUMN_SENDER, "from", true},
		{COLUMN_RCPT, "to", true},          {COLUMN_DETAIL, "detail", true},
		{COLUMN_PEER, "peer", true},        {COLUMN_URL, "url", true},
		{COLUMN_SUBJECT, "subject", false}, {COLUMN_REASON, "reason", false},
		{COLUMN_CLIENT, "client", false},   {COLUMN_CAMPAIGN, "campaign", false},
		{COLUMN_TAGS, "tags", false},
	};
	static const struct {
		int column;
		const char *name;
		uint64_t from; /* smaller ones say nothing */
	} numbers[] = {
		{COLUMN_SIZE, "size", 1}, {COLUMN_TOOK, "took_ms", 1}, {COLUMN_HITS, "hits", 2}};
	uint8_t kind = (uint8_t)number_of(st, COLUMN_KIND);
	char id[MESSAGE_ID_STR_MAX] = "", when[32] = "";
	json_t *row = json_object();

	if (number_of(st, COLUMN_MESSAGE))
		message_id_format(number_of(st, COLUMN_MESSAGE), id);
	put(row, "time", format_time(number_of(st, COLUMN_TIME), when));
	put(row, "message", id);
	put(row, "event", event_kind_name(kind));
	put(row, "class", is_hit(kind) ? hit_class_name((uint8_t)number_of(st, COLUMN_CLASS)) : "");
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		if (texts[i].always || *text_of(st, texts[i].column))
			put(row, texts[i].name, text_of(st, texts[i].column));
	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		if (number_of(st, numbers[i].column) >= numbers[i].from)
			json_object_set_new(
				row, numbers[i].name,
				json_integer((json_int_t)number_of(st, numbers[i].column)));
	return row;
}

static enum sql log_statement(const struct event_query *q)
{
	return q->by_message ? SQL_LOG_BY_MESSAGE
	       : q->rcpt     ? SQL_LOG_BY_RCPT
	       : q->account  ? SQL_LOG_BY_ACCOUNT
			     : SQL_LOG_BY_TIME;
}

enum store_status event_store_log(struct event_store *s, const struct event_query *q, json_t **rows,
				  bool *more)
{
	sqlite3_stmt *st = s->statements[log_statement(q)];
	size_t limit = q->limit < STORE_ROWS_MAX ? q->limit : STORE_ROWS_MAX, bytes = 0;
	int code;

	sqlite3_clear_bindings(st);
	if (q->by_message)
		sqlite3_bind_int64(st, LOG_MESSAGE, (int64_t)q->message);
	if (q->account)
		bind_text(st, LOG_ACCOUNT, q->account);
	if (q->rcpt)
		bind_text(st, LOG_RCPT, q->rcpt);
	sqlite3_bind_int64(st, LOG_SINCE, (int64_t)q->since_ms);
	sqlite3_bind_int64(st, LOG_LIMIT, (int64_t)limit + 1);
	*rows = json_array();
	*more = false;
	while ((code = sqlite3_step(st)) == SQLITE_ROW) {
		json_t *row = row_of(st);
		bytes += json_dumpb(row, NULL, 0, JSON_COMPACT) + 1;
		*more = json_array_size(*rows) == limit || bytes > STORE_ANSWER_MAX;
		if (*more) {
			json_decref(row);
			code = SQLITE_DONE;
			break;
		}
		json_array_insert_new(*rows, 0, row);
	}
	enum store_status status = code == SQLITE_DONE ? STORE_OK : fail(s, code);
	sqlite3_reset(st);
	if (status != STORE_OK)
		json_decref(*rows);
	return status;
}

static json_t *member(json_t *object, const char *name)
{
	json_t *value = json_object_get(object, name);

	if (!value) {
		value = json_object();
		json_object_set_new(object, name, value);
	}
	return value;
}

static void add(json_t *object, const char *name, uint64_t n)
{
	json_int_t sum = json_integer_value(json_object_get(object, name)) + (json_int_t)n;

	json_object_set_new(object, name, json_integer(sum));
}

enum store_status event_store_statistics(struct event_store *s, const char *account,
					 uint64_t since_ms, json_t **accounts)
{
	sqlite3_stmt *st = s->statements[SQL_STATISTICS];
	json_t *now = NULL;
	int code;

	sqlite3_clear_bindings(st);
	if (account)
		bind_text(st, 1, account);
	sqlite3_bind_int64(st, 2, (int64_t)(since_ms / HOUR_MS));
	*accounts = json_array();
	while ((code = sqlite3_step(st)) == SQLITE_ROW) {
		const char *name = text_of(st, 1);
		uint8_t kind = (uint8_t)number_of(st, 2), class = (uint8_t)number_of(st, 3);
		uint64_t n = number_of(st, 4);
		if (!now || strcmp(json_string_value(json_object_get(now, "account")), name) != 0) {
			now = json_object();
			put(now, "account", name);
			json_array_append_new(*accounts, now);
		}
		add(member(now, "events"), event_kind_name(kind), n);
		if (is_hit(kind))
			add(member(now, event_kind_name(kind)), hit_class_name(class), n);
	}
	enum store_status status = code == SQLITE_DONE ? STORE_OK : fail(s, code);
	sqlite3_reset(st);
	if (status != STORE_OK)
		json_decref(*accounts);
	return status;
}

enum store_status event_store_unsubscribed(struct event_store *s,
					   void (*fn)(const char *account, const char *address,
						      uint64_t message, uint64_t time_ms,
						      void *arg),
					   void *arg)
{
	sqlite3_stmt *st = s->statements[SQL_UNSUBSCRIBED];
	int code;

	sqlite3_bind_int(st, 1, EVENT_UNSUBSCRIBED);
	while ((code = sqlite3_step(st)) == SQLITE_ROW)
		fn(text_of(st, 1), text_of(st, 2), number_of(st, 3), number_of(st, 4), arg);
	enum store_status status = code == SQLITE_DONE ? STORE_OK : fail(s, code);
	sqlite3_reset(st);
	return status;
}
