/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The event store: the journal's events in SQLite, to be asked.
 *
 * It is behind the journal and made of it: what it lacks after a crash, or a power cut, is followed
 * again from the place that it holds itself. So a commit needs no sync of its own, only a
 * checkpoint before the journal's files go.
 */
#ifndef GATEPOST_RELAY_REPORT_STORE_H
#define GATEPOST_RELAY_REPORT_STORE_H

#include "lib/buf.h"
#include "relay/report/event.h"
#include "relay/report/events.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_store;

enum store_status {
	STORE_OK,
	STORE_FAILED,  /* a full disk, an error of it: try again later */
	STORE_CORRUPT, /* this file will not get better */
};

/* NULL unless STORE_OK; the reason in error. path is relative to the working directory. */
struct event_store *event_store_open(const char *path, enum store_status *status,
				     struct buf *error);
void event_store_close(struct event_store *s);
/* Of the last call that did not give STORE_OK. */
const char *event_store_error(const struct event_store *s);

/* How far the journal was followed. */
struct place_in_events event_store_place(const struct event_store *s);

enum store_status event_store_begin(struct event_store *s);
/* at: where the event lies in the journal. One that is there already is left as it is. */
enum store_status event_store_add(struct event_store *s, struct place_in_events at,
				  const struct event *e);
/* behind: where to go on after the last event added. */
enum store_status event_store_commit(struct event_store *s, struct place_in_events behind);
void event_store_rollback(struct event_store *s);

/* Everything committed survives a power cut when this gives STORE_OK. */
enum store_status event_store_checkpoint(struct event_store *s);

/*
 * When the store holds more than max_bytes, forgets some of its oldest events and of the messages
 * before them; *dropped: how many rows. Call it again while it forgets some. The counts stay.
 */
enum store_status event_store_trim(struct event_store *s, uint64_t max_bytes, size_t *dropped);

enum store_limit {
	STORE_ROWS_MAX = 1000,
	STORE_ANSWER_MAX = 900 * 1024, /* bytes of JSON */
	STORE_TRIM_AT_ONCE = 500,
};

struct event_query {
	bool by_message;
	uint64_t message;
	const char *account, *rcpt; /* NULL for any */
	uint64_t since_ms;
	size_t limit; /* at most STORE_ROWS_MAX */
};

/*
 * The newest events that fit, oldest first, as an array of objects; the caller's. *more: older
 * ones were left out, over the limit or because the answer would have grown too large.
 */
enum store_status event_store_log(struct event_store *s, const struct event_query *q, json_t **rows,
				  bool *more);

/* [{"account": …, "events": {"received": n, …}, "opened": {"person": n, …}, "clicked": {…}}]; the
 * hour that since_ms falls in counts whole. account may be NULL. */
enum store_status event_store_statistics(struct event_store *s, const char *account,
					 uint64_t since_ms, json_t **accounts);

/* Calls fn for everybody who unsubscribed, as far as the store remembers: it looks at every event.
 */
enum store_status event_store_unsubscribed(struct event_store *s,
					   void (*fn)(const char *account, const char *address,
						      uint64_t message, uint64_t time_ms,
						      void *arg),
					   void *arg);

#endif
