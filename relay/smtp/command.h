/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One line that an SMTP client sent, by the grammar of RFC 5321 §4.1 and its extensions: SIZE
 * (1870), 8BITMIME (6152), CHUNKING (3030), DSN (3461), SMTPUTF8 (6531), AUTH (4954).
 *
 * Pure: what a command means in a session's state is session.c's. The parser is stricter than most
 * (angle brackets, no parameter twice) but takes what real clients send: a blank after the colon,
 * any name after EHLO, a source route, which is dropped.
 */
#ifndef GATEPOST_RELAY_SMTP_COMMAND_H
#define GATEPOST_RELAY_SMTP_COMMAND_H

#include "relay/smtp/mailbox.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum command_verb {
	COMMAND_UNKNOWN,
	COMMAND_EHLO,
	COMMAND_HELO,
	COMMAND_MAIL,
	COMMAND_RCPT,
	COMMAND_DATA,
	COMMAND_BDAT,
	COMMAND_RSET,
	COMMAND_NOOP,
	COMMAND_QUIT,
	COMMAND_VRFY,
	COMMAND_EXPN,
	COMMAND_HELP,
	COMMAND_STARTTLS,
	COMMAND_AUTH,
	COMMAND_COUNT,
};

enum command_limit {
	COMMAND_LINE_MAX = 4096, /* bytes before CRLF; §4.5.3.1.4 and what the extensions add */
	COMMAND_NAME_MAX = 255,
	COMMAND_ENVID_MAX = 100, /* RFC 3461 §4.4 */
	COMMAND_ORCPT_MAX = 500, /* §4.2 */
	COMMAND_MECHANISM_MAX = 20,
	COMMAND_TEXT_MAX = 320,
};

struct command {
	enum command_verb verb;

	/* What is wrong: a reply code with its enhanced status ("501 5.5.4") and a text for people
	 * that quotes what was sent. NULL when nothing is. */
	const char *status;
	char text[COMMAND_TEXT_MAX];

	char name[COMMAND_NAME_MAX + 1]; /* EHLO, HELO: what is no host name character became '?' */

	struct mailbox mailbox; /* MAIL, RCPT; text is "" for <> */
	bool has_size;
	uint64_t size; /* bytes: MAIL's SIZE=, BDAT's chunk */
	bool eight_bit, smtputf8, ret_hdrs;
	char envid[COMMAND_ENVID_MAX + 1]; /* xtext as given; "" for none */
	uint8_t notify;                    /* enum recipient_notify; 0 for none given */
	char orcpt[COMMAND_ORCPT_MAX + 1]; /* as given; "" for none */

	bool last; /* BDAT */

	char mechanism[COMMAND_MECHANISM_MAX + 1]; /* AUTH, upper case */
	const char *initial;                       /* points into the line; NULL for none */
	size_t initial_len;
};

/* line[n] comes without its CRLF. The verb is set even where the rest is wrong. */
void command_parse(const char *line, size_t n, struct command *out);

/* Writes s[n] as printable ASCII, the rest as \xNN, cut to 80 characters; returns out. */
#define COMMAND_QUOTE_MAX 88
const char *command_quote(char out[COMMAND_QUOTE_MAX], const char *s, size_t n);

/* Standard base64 (RFC 4648 §4), nothing else in it; returns bytes written, -1 when it is none or
 * does not fit. */
int command_base64(const char *s, size_t n, char *out, size_t cap);

#endif
