/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A question to the event store: a JSON line of the control socket, and its answer.
 *
 *	{"verb": "log", "account": "acme", "to": "x@y.example", "message": "0123456789ABC",
 *	 "since": "1h", "limit": 50}
 *	{"verb": "statistics", "account": "acme", "since": 1700000000000}
 *
 * Every member but the verb may be left out; since is "90s", "15m", "1h", "7d", or milliseconds
 * since 1970. What is not known or does not fit is refused with the offending text.
 */
#ifndef GATEPOST_RELAY_REPORT_QUESTION_H
#define GATEPOST_RELAY_REPORT_QUESTION_H

#include "lib/buf.h"
#include "relay/report/store.h"

#include <stddef.h>
#include <stdint.h>

/* What the answer to "statistics" says beside the store's counts. */
struct question_facts {
	uint64_t now_ms;
	uint64_t lost;          /* events */
	uint64_t damaged_bytes; /* of the journal */
	uint64_t set_aside;     /* corrupt stores */
	uint64_t forgotten;     /* rows, over the store's size */
	uint64_t journal_bytes;
};

/* Appends a JSON object: {"ok": true, …} or {"ok": false, "error": …}. s may be NULL: the store
 * cannot be opened. Gives what the store gave. */
enum store_status question_answer(struct event_store *s, const char *line, size_t n,
				  const struct question_facts *facts, struct buf *out);

#endif
