/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One thing that happened to a message: what accept, deliver and http tell report.
 */
#ifndef GATEPOST_RELAY_REPORT_EVENT_H
#define GATEPOST_RELAY_REPORT_EVENT_H

#include "lib/addr.h"
#include "lib/buf.h"

#include <stdbool.h>
#include <stdint.h>

/* Bytes; what is longer is cut when the event is encoded. */
#define EVENT_TEXT_MAX 2048
#define EVENT_URL_MAX  8192

enum event_kind {
	EVENT_RECEIVED = 1, /* detail: how the client was known; sender, subject, size */
	EVENT_REJECTED,     /* detail: the reply given; message is 0 */
	EVENT_QUEUED,       /* one for each recipient */
	EVENT_NOT_TRACKED,  /* detail: why */
	EVENT_DEFERRED,     /* detail: the peer's reply */
	EVENT_DELIVERED,    /* detail: the peer's reply; peer, took_ms */
	EVENT_BOUNCED,      /* detail: the peer's reply */
	EVENT_EXPIRED,
	EVENT_OPENED,  /* client; detail: User-Agent */
	EVENT_CLICKED, /* client; detail: User-Agent; url */
	EVENT_PAUSED,  /* an account, by itself or by an administrator; detail: why; message is 0 */
	EVENT_RESUMED,
	EVENT_UNSUBSCRIBED, /* rcpt by one click (RFC 8058); client; detail: User-Agent */
	EVENT_SUPPRESSED,   /* not sent: the recipient is on the account's list; detail: why */
	EVENT_LAST = EVENT_SUPPRESSED,
};

struct event {
	uint8_t kind;
	uint8_t hit_class; /* opens and clicks: enum hit_class, track/bot.h */
	uint64_t time_ms;
	uint64_t message;
	uint32_t recipient; /* index in the envelope */
	char *account;
	char *sender;
	char *rcpt;
	char *subject;
	char *detail;
	char *peer; /* host [address]:port that was spoken to, the pool and source address behind it
		     */
	char *url;
	char *reason;   /* opens and clicks: why the class */
	char *campaign; /* of the message, as its sender or account named it */
	char *tags;     /* commas between them */
	struct addr client;
	uint64_t size;
	uint64_t took_ms; /* accepted to delivered */
};

/* NULL strings are sent as "". */
void event_encode(const struct event *e, struct buf *out);
/* False, and *out empty, when the record is damaged. Otherwise no string is NULL, and event_clear()
 * frees them. */
bool event_decode(const void *bytes, size_t n, struct event *out);
void event_clear(struct event *e);
const char *event_kind_name(uint8_t kind); /* "received"; "unknown" otherwise */

#endif
