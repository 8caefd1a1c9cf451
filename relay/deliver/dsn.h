/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Delivery status notifications (RFC 3461, RFC 3464, RFC 6522): what a sender is told of mail that
 * could not be delivered, or is late. Pure: facts in, a message of CRLF lines out.
 *
 * Whatever a peer or a client gave is made harmless: no line of the message holds anything that
 * they could use to add one. Addresses with UTF-8 in them are written as RFC 6533 has it.
 */
#ifndef GATEPOST_RELAY_DELIVER_DSN_H
#define GATEPOST_RELAY_DELIVER_DSN_H

#include "lib/buf.h"
#include "relay/spool/envelope.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum dsn_limit {
	DSN_HEADER_MAX = 64 * 1024, /* bytes of the original's header that are returned */
};

/* Relayed: a peer that sends no such reports has taken it, and success was to be told (RFC 3461
 * §5.2.2). */
enum dsn_action { DSN_FAILED, DSN_DELAYED, DSN_RELAYED, DSN_ACTIONS };

struct dsn_recipient {
	const char *address;
	const char *orcpt;
	const char *reply; /* "550 5.1.1 no such user", or our own "5.4.7 expired" */
	const char *host;  /* who said it, "" for us */
};

struct dsn {
	enum dsn_action action;
	const char *host; /* ours */
	const struct envelope *original;
	uint64_t now_ms;
	const char *message_id; /* of the report: without <> */
	const char *header;     /* the original's header, CRLF lines; may be cut */
	size_t header_len;
	uint64_t retry_until_ms; /* DSN_DELAYED */
	const struct dsn_recipient *recipients;
	size_t recipient_count;
};

/* Appends the message. True when it holds bytes over 127. */
bool dsn_make(const struct dsn *d, struct buf *out);

/*
 * The status of a reply (RFC 3463): its enhanced code, if it has one of that class (4 or 5), else
 * class.0.0. out has room for 12 bytes.
 */
void dsn_status(const char *reply, char class, char out[12]);

/* "Undelivered mail returned to sender". */
const char *dsn_subject(enum dsn_action action);

/* Is this recipient's sender to be told of that (RFC 3461 §4.1)? */
bool dsn_wanted(const struct envelope *e, const struct recipient *r, enum dsn_action action);

#endif
