/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All SQL of the event store: its schema and every statement that is ever prepared.
 *
 *	messages    one row a message, from its `received` event
 *	recipients  one row a recipient: its address, and what last became of it
 *	events      one row an event; the id is its place in the journal, file << 32 | offset, so
 *that following the same stretch of journal twice changes nothing counts      events by account,
 *hour, kind and class place       the one row that says how far the journal was followed; it
 *changes in the transaction that holds the events up to there
 *
 * Message ids are 64 bits without sign and lie in SQLite's signed integers bit for bit.
 */
#ifndef GATEPOST_RELAY_REPORT_SQL_H
#define GATEPOST_RELAY_REPORT_SQL_H

#define SQL_SCHEMA_VERSION 2

enum sql {
	SQL_BEGIN,
	SQL_COMMIT,
	SQL_ROLLBACK,
	SQL_GET_PLACE,
	SQL_SET_PLACE, /* file, offset */
	SQL_ADD_EVENT, /* enum sql_event, as the next four */
	SQL_MERGE_HIT, /* into the row of its like, when there are enough */
	SQL_ADD_HIT,   /* unless it was merged before */
	SQL_ADD_MESSAGE,
	SQL_ADD_RECIPIENT,
	SQL_COUNT,          /* account, hour, kind, class */
	SQL_LOG_BY_MESSAGE, /* enum sql_log, as all of these */
	SQL_LOG_BY_RCPT,
	SQL_LOG_BY_ACCOUNT,
	SQL_LOG_BY_TIME,
	SQL_STATISTICS,      /* account or NULL, hour */
	SQL_UNSUBSCRIBED,    /* kind */
	SQL_SIZE,            /* gives the bytes in use */
	SQL_DROP_EVENTS,     /* how many at most, as the next two; the oldest */
	SQL_DROP_RECIPIENTS, /* of messages older than any event, before these */
	SQL_DROP_MESSAGES,
	SQL_COUNT_OF,
};

/* Parameters of an event's statements, and the order of a log row's columns. */
enum sql_event {
	COLUMN_ID = 1,
	COLUMN_TIME,
	COLUMN_KIND,
	COLUMN_CLASS,
	COLUMN_MESSAGE,
	COLUMN_RECIPIENT,
	COLUMN_ACCOUNT,
	COLUMN_SENDER,
	COLUMN_RCPT,
	COLUMN_SUBJECT,
	COLUMN_DETAIL,
	COLUMN_PEER,
	COLUMN_URL,
	COLUMN_REASON,
	COLUMN_CAMPAIGN,
	COLUMN_CLIENT,
	COLUMN_SIZE,
	COLUMN_TOOK,
	COLUMN_TAGS,
	COLUMN_HITS, /* in a log row only */
};

enum sql_log {
	LOG_MESSAGE = 1, /* NULL for any, as the next two */
	LOG_ACCOUNT,
	LOG_RCPT,
	LOG_SINCE, /* ms */
	LOG_LIMIT,
};

extern const char sql_schema[];
extern const char sql_from_1[]; /* to version 2 */
extern const char *const sql_texts[SQL_COUNT_OF];

#endif
