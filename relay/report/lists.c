/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/report/lists.h"

#include "lib/log.h"
#include "relay/report/vfs.h"
#include "relay/spool/envelope.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char settings[] = "PRAGMA locking_mode = EXCLUSIVE;"
			       "PRAGMA journal_mode = WAL;"
			       "PRAGMA synchronous = FULL;"
			       "PRAGMA temp_store = MEMORY;"
			       "PRAGMA mmap_size = 0;"
			       "PRAGMA trusted_schema = OFF;"
			       "PRAGMA cell_size_check = ON;";

static const char schema[] =
	"BEGIN;"
	"CREATE TABLE IF NOT EXISTS suppressed("
	"  account TEXT NOT NULL, address TEXT NOT NULL COLLATE NOCASE, reason TEXT NOT NULL,"
	"  message INTEGER NOT NULL, time_ms INTEGER NOT NULL,"
	"  PRIMARY KEY (account, address)) WITHOUT ROWID;"
	"CREATE INDEX IF NOT EXISTS suppressed_time ON suppressed(time_ms);"
	"CREATE TABLE IF NOT EXISTS shut("
	"  kind INTEGER NOT NULL, name TEXT NOT NULL, reason TEXT NOT NULL,"
	"  time_ms INTEGER NOT NULL, PRIMARY KEY (kind, name)) WITHOUT ROWID;"
	"COMMIT;";

/* Somebody whom the disk did not take. */
struct owed {
	struct owed *next;
	char *account, *address, *reason;
	uint64_t message, time_ms;
};

struct lists {
	const char *path;
	sqlite3 *db; /* NULL: it could not be opened yet */
	bool lost;
	struct owed *owed, **owed_end;
	char error[256];
};

const char *lists_error(const struct lists *l)
{
	return l->error;
}

/* ---- opening ---- */

static int open_file(struct lists *l, const char *path)
{
	int code = sqlite3_open_v2(path, &l->db,
				   SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
					   SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW,
				   report_vfs());

	if (code == SQLITE_OK)
		code = sqlite3_exec(l->db, settings, NULL, NULL, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_exec(l->db, schema, NULL, NULL, NULL);
	if (code == SQLITE_OK)
		return code;
	snprintf(l->error, sizeof(l->error), "%s", l->db ? sqlite3_errmsg(l->db) : "out of memory");
	sqlite3_close(l->db);
	l->db = NULL;
	return code & 0xff;
}

/* The log beside it goes with it, for it is of no other file. */
static void put_aside(const char *path, const char *why)
{
	static const char *const parts[] = {"", "-wal"};
	char from[256], to[256];

	for (size_t i = 0; i < 2; i++) {
		snprintf(from, sizeof(from), "%.100s%s", path, parts[i]);
		snprintf(to, sizeof(to), "%.100s.corrupt-%lld%s", path, (long long)time(NULL),
			 parts[i]);
		if (rename(from, to) != 0 && errno != ENOENT)
			log_error("'%s' cannot be put aside: %s", from, strerror(errno));
	}
	log_error("'%s' is corrupt and was put aside: who unsubscribed, and what was shut off, is "
		  "not known any more: %s",
		  path, why);
}

/* Opens the file if it is not open; false with the error noted. */
static bool is_open(struct lists *l)
{
	if (l->db)
		return true;
	int code = open_file(l, l->path);
	if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB) {
		put_aside(l->path, l->error);
		l->lost = true;
		code = open_file(l, l->path);
	}
	return code == SQLITE_OK;
}

struct lists *lists_open(const char *path)
{
	struct lists *l = calloc(1, sizeof(*l));

	if (!l)
		abort();
	l->path = path;
	l->owed_end = &l->owed;
	if (!is_open(l))
		log_error("'%s' cannot be opened: %s", path, l->error);
	return l;
}

bool lists_are_lost(const struct lists *l)
{
	return l->lost;
}

static void owed_free(struct owed *o)
{
	free(o->account);
	free(o->address);
	free(o->reason);
	free(o);
}

void lists_close(struct lists *l)
{
	if (!l)
		return;
	while (l->owed) {
		struct owed *o = l->owed;

		l->owed = o->next;
		owed_free(o);
	}
	sqlite3_close(l->db);
	free(l);
}

/* ---- statements ---- */

/* kinds: 's' a string that may be NULL, 'i' an int64_t. NULL with the error noted. */
static sqlite3_stmt *prepare(struct lists *l, const char *sql, const char *kinds, va_list ap)
{
	sqlite3_stmt *st = NULL;

	if (!is_open(l))
		return NULL;
	if (sqlite3_prepare_v2(l->db, sql, -1, &st, NULL) != SQLITE_OK) {
		snprintf(l->error, sizeof(l->error), "%s", sqlite3_errmsg(l->db));
		return NULL;
	}
	for (int i = 1; *kinds; kinds++, i++) {
		if (*kinds == 's')
			sqlite3_bind_text(st, i, va_arg(ap, const char *), -1, SQLITE_STATIC);
		else
			sqlite3_bind_int64(st, i, va_arg(ap, int64_t));
	}
	return st;
}

static enum lists_change change(struct lists *l, const char *sql, const char *kinds, ...)
{
	va_list ap;

	va_start(ap, kinds);
	sqlite3_stmt *st = prepare(l, sql, kinds, ap);
	va_end(ap);
	if (!st)
		return LISTS_FAILED;
	int code = sqlite3_step(st);
	enum lists_change result = sqlite3_changes(l->db) ? LISTS_CHANGED : LISTS_NOTHING;
	if (code != SQLITE_DONE) {
		snprintf(l->error, sizeof(l->error), "%s", sqlite3_errmsg(l->db));
		result = LISTS_FAILED;
	}
	sqlite3_finalize(st);
	return result;
}

/* Calls fn for each row, until it gives false. */
static void each_row(struct lists *l, bool (*fn)(sqlite3_stmt *st, void *arg), void *arg,
		     const char *sql, const char *kinds, ...)
{
	va_list ap;
	int code;

	va_start(ap, kinds);
	sqlite3_stmt *st = prepare(l, sql, kinds, ap);
	va_end(ap);
	while (st && (code = sqlite3_step(st)) == SQLITE_ROW && fn(st, arg))
		;
	if (!st || (code != SQLITE_DONE && code != SQLITE_ROW))
		log_error("the lists of who unsubscribed and what is shut off cannot be read: %s",
			  st ? sqlite3_errmsg(l->db) : l->error);
	sqlite3_finalize(st);
}

static const char *text_at(sqlite3_stmt *st, int column)
{
	const char *text = (const char *)sqlite3_column_text(st, column);

	return text ? text : "";
}

static json_t *time_at(sqlite3_stmt *st, int column)
{
	time_t t = (time_t)(sqlite3_column_int64(st, column) / 1000);
	char text[32] = "";
	struct tm tm;

	if (gmtime_r(&t, &tm))
		strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	return json_string(text);
}

/* ---- suppressed ---- */

enum lists_change lists_suppress(struct lists *l, const char *account, const char *address,
				 const char *reason, uint64_t message, uint64_t now_ms)
{
	return change(l, "INSERT OR IGNORE INTO suppressed VALUES (?1, ?2, ?3, ?4, ?5)", "sssii",
		      account, address, reason, (int64_t)message, (int64_t)now_ms);
}

static bool owes(const struct lists *l, const char *account, const char *address)
{
	for (const struct owed *o = l->owed; o; o = o->next)
		if (strcmp(o->account, account) == 0 && strcasecmp(o->address, address) == 0)
			return true;
	return false;
}

enum lists_change lists_suppress_owing(struct lists *l, const char *account, const char *address,
				       const char *reason, uint64_t message, uint64_t now_ms)
{
	enum lists_change result = lists_suppress(l, account, address, reason, message, now_ms);

	if (result != LISTS_FAILED)
		return result;
	if (owes(l, account, address))
		return LISTS_NOTHING;
	log_error("who unsubscribed cannot be written down yet: %s", l->error);
	struct owed *o = calloc(1, sizeof(*o));
	if (!o)
		abort();
	*o = (struct owed){.account = strdup(account),
			   .address = strdup(address),
			   .reason = strdup(reason),
			   .message = message,
			   .time_ms = now_ms};
	if (!o->account || !o->address || !o->reason)
		abort();
	*l->owed_end = o;
	l->owed_end = &o->next;
	return LISTS_CHANGED;
}

bool lists_save(struct lists *l)
{
	while (l->owed) {
		struct owed *o = l->owed;

		if (lists_suppress(l, o->account, o->address, o->reason, o->message, o->time_ms) ==
		    LISTS_FAILED)
			return false;
		l->owed = o->next;
		if (!l->owed)
			l->owed_end = &l->owed;
		owed_free(o);
	}
	return true;
}

enum lists_change lists_allow(struct lists *l, const char *account, const char *address)
{
	if (!lists_save(l))
		return LISTS_FAILED;
	return change(l, "DELETE FROM suppressed WHERE account = ?1 AND address = ?2", "ss",
		      account, address);
}

struct visit {
	void (*fn)(const char *account, const char *address, void *arg);
	void *arg;
};

static bool visit_row(sqlite3_stmt *st, void *arg)
{
	const struct visit *v = arg;

	v->fn(text_at(st, 0), text_at(st, 1), v->arg);
	return true;
}

void lists_each(struct lists *l, void (*fn)(const char *account, const char *address, void *arg),
		void *arg)
{
	struct visit v = {fn, arg};

	each_row(l, visit_row, &v, "SELECT account, address FROM suppressed", "");
	for (const struct owed *o = l->owed; o; o = o->next)
		fn(o->account, o->address, arg);
}

struct rows {
	json_t *list;
	size_t limit;
	bool more;
};

static bool suppressed_row(sqlite3_stmt *st, void *arg)
{
	struct rows *r = arg;
	uint64_t message = (uint64_t)sqlite3_column_int64(st, 3);
	char id[MESSAGE_ID_STR_MAX] = "";

	r->more = json_array_size(r->list) == r->limit;
	if (r->more)
		return false;
	if (message)
		message_id_format(message, id);
	json_array_append_new(r->list,
			      json_pack("{s:s, s:s, s:s, s:s, s:o}", "account", text_at(st, 0),
					"address", text_at(st, 1), "reason", text_at(st, 2),
					"message", id, "since", time_at(st, 4)));
	return true;
}

json_t *lists_suppressed(struct lists *l, const char *account, const char *address, size_t limit,
			 bool *more)
{
	struct rows r = {.list = json_array(),
			 .limit = limit < LISTS_ROWS_MAX ? limit : LISTS_ROWS_MAX};

	each_row(l, suppressed_row, &r,
		 "SELECT account, address, reason, message, time_ms FROM suppressed"
		 " WHERE (?1 IS NULL OR account = ?1) AND (?2 IS NULL OR address = ?2)"
		 " ORDER BY time_ms DESC, account, address",
		 "ss", account, address);
	*more = r.more;
	return r.list;
}

/* ---- shut off ---- */

enum lists_change lists_shut(struct lists *l, enum shut_kind kind, const char *name,
			     const char *reason, uint64_t now_ms)
{
	return change(l, "INSERT OR IGNORE INTO shut VALUES (?1, ?2, ?3, ?4)", "issi",
		      (int64_t)kind, name, reason, (int64_t)now_ms);
}

enum lists_change lists_reopen(struct lists *l, enum shut_kind kind, const char *name)
{
	return change(l, "DELETE FROM shut WHERE kind = ?1 AND name = ?2", "is", (int64_t)kind,
		      name);
}

static bool shut_item(sqlite3_stmt *st, void *arg)
{
	if (shut_list_add(arg, (enum shut_kind)sqlite3_column_int(st, 0), text_at(st, 1)))
		return true;
	log_error("more than %d things are shut off: the oldest stay so, the newest do not",
		  SHUT_MAX);
	return false;
}

struct shut_list *lists_shut_list(struct lists *l)
{
	struct shut_list *list = shut_list_new();

	each_row(l, shut_item, list, "SELECT kind, name FROM shut ORDER BY time_ms", "");
	return list;
}

static bool shut_row(sqlite3_stmt *st, void *arg)
{
	json_array_append_new(
		arg, json_pack("{s:s, s:s, s:s, s:o}", "kind",
			       shut_kind_name((enum shut_kind)sqlite3_column_int(st, 0)), "name",
			       text_at(st, 1), "reason", text_at(st, 2), "since", time_at(st, 3)));
	return true;
}

json_t *lists_shut_rows(struct lists *l)
{
	json_t *rows = json_array();

	each_row(l, shut_row, rows,
		 "SELECT kind, name, reason, time_ms FROM shut ORDER BY time_ms DESC, kind, name",
		 "");
	return rows;
}

/* ---- many at once ---- */

void lists_begin(struct lists *l)
{
	if (is_open(l))
		sqlite3_exec(l->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);
}

bool lists_commit(struct lists *l)
{
	if (!is_open(l))
		return false;
	if (sqlite3_get_autocommit(l->db) ||
	    sqlite3_exec(l->db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK)
		return true;
	snprintf(l->error, sizeof(l->error), "%s", sqlite3_errmsg(l->db));
	sqlite3_exec(l->db, "ROLLBACK", NULL, NULL, NULL);
	return false;
}
