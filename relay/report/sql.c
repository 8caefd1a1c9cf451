/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/report/sql.h"

#define COLUMNS                                                                                  \
	"id, time_ms, kind, class, message, recipient, account, sender, rcpt, subject, detail, " \
	"peer, url, reason, campaign, client, size, took_ms, tags"

#define TAGS "tags TEXT NOT NULL DEFAULT ''"

const char sql_from_1[] = "PRAGMA user_version = 2;"
			  "ALTER TABLE events ADD COLUMN " TAGS ";";

const char sql_schema[] =
	"PRAGMA user_version = 2;"
	"CREATE TABLE place("
	"  one INTEGER PRIMARY KEY CHECK (one = 1),"
	"  file INTEGER NOT NULL, offset INTEGER NOT NULL);"
	"INSERT INTO place VALUES (1, 0, 0);"
	"CREATE TABLE messages("
	"  id INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL, account TEXT NOT NULL,"
	"  sender TEXT NOT NULL, subject TEXT NOT NULL, size INTEGER NOT NULL);"
	"CREATE INDEX messages_time ON messages(time_ms);"
	"CREATE TABLE recipients("
	"  message INTEGER NOT NULL, recipient INTEGER NOT NULL, address TEXT NOT NULL,"
	"  state INTEGER NOT NULL, time_ms INTEGER NOT NULL,"
	"  PRIMARY KEY (message, recipient)) WITHOUT ROWID;"
	"CREATE TABLE events("
	"  id INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL, kind INTEGER NOT NULL,"
	"  class INTEGER NOT NULL, message INTEGER NOT NULL, recipient INTEGER NOT NULL,"
	"  account TEXT NOT NULL, sender TEXT NOT NULL COLLATE NOCASE,"
	"  rcpt TEXT NOT NULL COLLATE NOCASE, subject TEXT NOT NULL, detail TEXT NOT NULL,"
	"  peer TEXT NOT NULL, url TEXT NOT NULL, reason TEXT NOT NULL, campaign TEXT NOT NULL,"
	"  client TEXT NOT NULL, size INTEGER NOT NULL, took_ms INTEGER NOT NULL,"
	"  hits INTEGER NOT NULL DEFAULT 1, last_id INTEGER NOT NULL DEFAULT 0, " TAGS ");"
	"CREATE INDEX events_message ON events(message, recipient, kind, time_ms);"
	"CREATE INDEX events_account ON events(account, time_ms);"
	"CREATE INDEX events_rcpt ON events(rcpt, time_ms);"
	"CREATE INDEX events_time ON events(time_ms);"
	"CREATE TABLE counts("
	"  account TEXT NOT NULL, hour INTEGER NOT NULL, kind INTEGER NOT NULL,"
	"  class INTEGER NOT NULL, n INTEGER NOT NULL,"
	"  PRIMARY KEY (account, hour, kind, class)) WITHOUT ROWID;";

#define LOG(driver, order)                                                   \
	"SELECT " COLUMNS ", hits FROM events WHERE " driver                 \
	" AND (?1 IS NULL OR message = ?1) AND (?2 IS NULL OR account = ?2)" \
	" AND (?3 IS NULL OR rcpt = ?3) AND time_ms >= ?4 ORDER BY " order " LIMIT ?5"

#define NEWEST "time_ms DESC, id DESC"
/* Within a millisecond a message is received before it is delivered, whoever told first; opens and
 * clicks (9, 10) come as they were told. */
#define STORY "time_ms DESC, min(kind, 9) DESC, id DESC"

#define VALUES_BEFORE_RCPT                                     \
	"?1, ?2, ?3, ?4, ?5, ?6, ?7, coalesce(nullif(?8, '')," \
	" (SELECT sender FROM messages WHERE id = ?5), '')"
#define VALUES_BEHIND_RCPT "?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19"

/* Opens or clicks that are of a kind with this one. */
#define LIKE_THIS                                                                      \
	"message = ?5 AND recipient = ?6 AND kind = ?3 AND time_ms >= ?2 - ?2 % 60000" \
	" AND time_ms < ?2 - ?2 % 60000 + 60000 AND class = ?4 AND url = ?13"

#define OLD_MESSAGES                               \
	"(SELECT id FROM messages WHERE time_ms <" \
	" (SELECT time_ms FROM events ORDER BY id LIMIT 1) ORDER BY time_ms, id LIMIT ?1)"

const char *const sql_texts[SQL_COUNT_OF] = {
	[SQL_BEGIN] = "BEGIN IMMEDIATE",
	[SQL_COMMIT] = "COMMIT",
	[SQL_ROLLBACK] = "ROLLBACK",
	[SQL_GET_PLACE] = "SELECT file, offset FROM place",
	[SQL_SET_PLACE] = "UPDATE place SET file = ?1, offset = ?2",
	[SQL_ADD_EVENT] = "INSERT OR IGNORE INTO events(" COLUMNS ") VALUES (" VALUES_BEFORE_RCPT
			  ", ?9, " VALUES_BEHIND_RCPT ")",
	[SQL_MERGE_HIT] = "UPDATE events SET hits = hits + 1, last_id = ?1 WHERE last_id < ?1"
			  " AND id = (SELECT max(id) FROM events WHERE " LIKE_THIS
			  " HAVING count(*) >= 10 AND max(id) < ?1)",
	/* Who fetches a pixel knows the message and the recipient's number: the rest is ours. */
	[SQL_ADD_HIT] = "INSERT OR IGNORE INTO events(" COLUMNS ") SELECT " VALUES_BEFORE_RCPT
			", coalesce(nullif(?9, ''), (SELECT address FROM recipients"
			"   WHERE message = ?5 AND recipient = ?6), ''), " VALUES_BEHIND_RCPT
			" WHERE NOT EXISTS (SELECT 1 FROM events WHERE " LIKE_THIS
			" AND id < ?1 AND last_id >= ?1)",
	[SQL_ADD_MESSAGE] =
		"INSERT OR IGNORE INTO messages(id, time_ms, account, sender, subject, size)"
		" VALUES (?5, ?2, ?7, ?8, ?10, ?17)",
	[SQL_ADD_RECIPIENT] = "INSERT INTO recipients(message, recipient, address, state, time_ms)"
			      " VALUES (?5, ?6, ?9, ?3, ?2) ON CONFLICT DO UPDATE"
			      " SET state = excluded.state, time_ms = excluded.time_ms"
			      " WHERE excluded.time_ms >= recipients.time_ms",
	[SQL_COUNT] = "INSERT INTO counts(account, hour, kind, class, n) VALUES (?1, ?2, ?3, ?4, 1)"
		      " ON CONFLICT DO UPDATE SET n = n + 1",
	[SQL_LOG_BY_MESSAGE] = LOG("message = ?1", STORY),
	[SQL_LOG_BY_RCPT] = LOG("rcpt = ?3", NEWEST),
	[SQL_LOG_BY_ACCOUNT] = LOG("account = ?2", NEWEST),
	[SQL_LOG_BY_TIME] = LOG("time_ms >= ?4", NEWEST),
	[SQL_STATISTICS] = "SELECT account, kind, class, sum(n) FROM counts"
			   " WHERE (?1 IS NULL OR account = ?1) AND hour >= ?2"
			   " GROUP BY account, kind, class ORDER BY account, kind, class",
	[SQL_UNSUBSCRIBED] =
		"SELECT account, rcpt, message, time_ms FROM events WHERE kind = ?1 ORDER BY id",
	[SQL_SIZE] = "SELECT (page_count - freelist_count) * page_size FROM pragma_page_count,"
		     " pragma_freelist_count, pragma_page_size",
	[SQL_DROP_EVENTS] =
		"DELETE FROM events WHERE id IN (SELECT id FROM events ORDER BY id LIMIT ?1)",
	[SQL_DROP_RECIPIENTS] = "DELETE FROM recipients WHERE message IN " OLD_MESSAGES,
	[SQL_DROP_MESSAGES] = "DELETE FROM messages WHERE id IN " OLD_MESSAGES,
};
