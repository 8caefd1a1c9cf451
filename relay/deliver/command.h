/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The commands of an SMTP transaction, as a client says them to a peer that offers this or that
 * (RFC 5321 §3.3; SIZE: RFC 1870; 8BITMIME: RFC 6152; DSN: RFC 3461; SMTPUTF8: RFC 6531). Pure.
 */
#ifndef GATEPOST_RELAY_DELIVER_COMMAND_H
#define GATEPOST_RELAY_DELIVER_COMMAND_H

#include "lib/buf.h"
#include "relay/deliver/reply.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum command_limit {
	COMMAND_RECIPIENTS_MAX = 100, /* of one mail: what every server takes, §4.5.3.1.8 */
};

struct client_recipient {
	const char *address;
	const char *orcpt; /* "" for none */
	uint8_t notify;    /* enum recipient_notify */
};

struct client_mail {
	const char *sender; /* "" for <> */
	const char *envid;  /* "" for none */
	bool ret_hdrs, eight_bit, smtputf8;
	const char *bytes; /* the message, until it was sent; NULL: in fd */
	int fd;            /* read with pread() from its beginning */
	uint64_t size;
	const struct client_recipient *recipients;
	size_t recipient_count; /* 1 to COMMAND_RECIPIENTS_MAX */
};

/* Each appends one line with its CRLF. */
void command_mail(const struct client_mail *m, const struct reply_extensions *e, struct buf *out);
void command_rcpt(const struct client_recipient *r, const struct reply_extensions *e,
		  struct buf *out);

/* What stands behind "AUTH PLAIN " (RFC 4616), and base64 (RFC 4648 §4) of any bytes. */
void command_auth_plain(const char *user, const char *password, struct buf *out);
void command_to_base64(const char *bytes, size_t n, struct buf *out);

/* NULL, or the reply that stands for what such a peer cannot be given: "554 5.6.7 ...". */
const char *command_cannot(const struct client_mail *m, const struct reply_extensions *e);

#endif
