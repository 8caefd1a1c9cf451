/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The header fields that a relay adds: Received (RFC 5321 §4.4), and Date and Message-ID where the
 * message has none (RFC 6409 §8). Pure: the same facts give the same bytes, so a retry does.
 */
#ifndef GATEPOST_RELAY_TRACK_TRACE_H
#define GATEPOST_RELAY_TRACK_TRACE_H

#include "lib/addr.h"
#include "lib/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Strings are never NULL; what a peer gave may hold anything: it is made harmless here. */
struct trace_facts {
	const char *host;   /* this relay's name */
	const char *helo;   /* as the client said it */
	struct addr client; /* AF_UNSPEC: made by the relay itself */
	bool tls, auth, smtputf8;
	const char *id;        /* as people see it */
	const char *recipient; /* "" unless there is exactly one */
	int64_t accepted;      /* seconds since 1970 */
};

/* Appends the Received field, lines at most 78 bytes where they can be, CRLF at the end. */
void trace_received(const struct trace_facts *f, struct buf *out);

/* Appends a Date and a Message-ID field if message[n] lacks one. True when it did. */
bool trace_missing(const char *message, size_t n, const struct trace_facts *f, struct buf *out);

/* Appends an RFC 5322 date in UTC: "Mon, 23 Nov 2026 18:07:04 +0000". */
void trace_date(int64_t when, struct buf *out);

#endif
