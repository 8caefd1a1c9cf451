/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SMTP replies (RFC 5321 §4.2), out of whatever a peer sends. Pure.
 *
 * A line may end in a bare LF, codes are three digits from 200 to 599, every line of a reply has
 * the same code. Lines, their number and their sum are bounded; what passes the bounds is no reply
 * and ends the connection. Text is made printable UTF-8 (control characters and broken bytes
 * become '?') before anybody sees it.
 */
#ifndef GATEPOST_RELAY_DELIVER_REPLY_H
#define GATEPOST_RELAY_DELIVER_REPLY_H

#include "lib/buf.h"

#include <stdbool.h>
#include <stddef.h>

enum reply_limit {
	REPLY_LINE_MAX = 8192, /* bytes; RFC 5321 §4.5.3.1.5 says 512, peers send more */
	REPLY_LINES_MAX = 200,
	REPLY_BYTES_MAX = 65536,
};

enum reply_status { REPLY_MORE, REPLY_DONE, REPLY_BAD };

struct reply {
	int code;          /* 220 */
	char enhanced[12]; /* "5.1.1" (RFC 3463), "" for none */
	struct buf text;   /* the lines without their codes, each ended by '\n' */
	const char *error; /* for REPLY_BAD: what is wrong */
	/* inside */
	struct buf line;
	unsigned lines;
	size_t bytes;
	bool done;
};

#define REPLY_INIT ((struct reply){0})

/*
 * Takes bytes up to the end of one reply; *used says how many. After REPLY_DONE the next call
 * begins a new reply.
 */
enum reply_status reply_feed(struct reply *r, const char *bytes, size_t n, size_t *used);
/* Forgets a half-read reply. */
void reply_reset(struct reply *r);
void reply_free(struct reply *r);

/* Appends the reply as one line, at most max bytes: "550 5.1.1 no such user". */
void reply_line(const struct reply *r, size_t max, struct buf *out);

/* What EHLO's reply offers (RFC 5321 §4.1.1.1). */
struct reply_extensions {
	bool pipelining, eight_bit, size, smtputf8, dsn, starttls, enhanced;
	bool auth_plain, auth_login;
	unsigned long long size_max; /* bytes; 0 for no bound given */
};

struct reply_extensions reply_extensions(const struct reply *r);

#endif
