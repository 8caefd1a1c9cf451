/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of a session share among themselves: session.c (lines, commands, logins) and
 * session_mail.c (from MAIL to the message's end).
 */
#ifndef GATEPOST_RELAY_SMTP_SESSION_STATE_H
#define GATEPOST_RELAY_SMTP_SESSION_STATE_H

#include "relay/smtp/login.h"
#include "relay/smtp/session.h"
#include "relay/smtp/transaction.h"

enum state {
	STATE_START,  /* no EHLO yet */
	STATE_READY,  /* greeted */
	STATE_MAIL,   /* a sender */
	STATE_RCPT,   /* and at least one recipient */
	STATE_CHUNKS, /* and at least one chunk, not the last one */
	COMMAND_STATES,

	STATE_DATA = COMMAND_STATES, /* the message, up to its dot */
	STATE_CHUNK,                 /* the bytes of a chunk */
	STATE_SKIP,                  /* the bytes of a chunk that was refused */
	STATE_LOGIN,                 /* a line that answers a challenge */
	STATE_COUNT,
};

struct session {
	const struct relay_config *config;
	const struct session_owner *owner;
	void *arg;
	enum state state;
	enum session_want want;
	struct buf out;
	struct buf line; /* the part of a line that came so far */
	size_t line_skipped;

	struct addr client;
	bool tls, esmtp;
	char helo[COMMAND_NAME_MAX + 1];
	char user[256], account[64]; /* who logged in, "" for nobody */

	struct login login;
	struct transaction mail;
	char charged[64];     /* the account that pays for the mail's recipients */
	unsigned charged_for; /* how many */
	uint64_t chunk_left;
	bool last_chunk;
	uint64_t skipped;

	unsigned errors, idle_commands, failed_logins;
	/* Bytes behind the command that is being carried out: sent ahead of its reply. */
	bool ahead;
};

/* One reply line: printable ASCII, within RFC 5321's 512 bytes. */
void session_reply(struct session *s, const char *status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* Nothing more is taken: what is in the output is the last. */
void session_close(struct session *s);
void session_forget_mail(struct session *s);
/* The recipients of the mail that goes no further do not count against their account's rate. */
void session_refund(struct session *s);

/* Commands, and the inputs of the states in which bytes are no commands. */
typedef void session_handler(struct session *s, const struct command *c);
typedef size_t session_input_fn(struct session *s, const char *bytes, size_t n);

session_handler session_mail, session_rcpt, session_data, session_bdat, session_early_bdat;
session_input_fn session_input_data, session_input_chunk, session_input_skip;

#endif
