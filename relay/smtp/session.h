/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One SMTP session as its server (RFC 5321 and the extensions that EHLO lists): bytes in, bytes
 * out, and now and then a request that its owner answers. No socket, no clock, no other process
 * inside.
 *
 * The owner feeds session_input() while session_want() is SESSION_INPUT, sends what gathers in
 * session_output(), and does what session_want() says else. Bytes that a client sent ahead of such
 * an answer stay with the owner and are fed later.
 *
 * A client that does not keep to what two servers could read in two ways (bare CR or LF, commands
 * ahead of a reply that decides what they are) is told so and the session ends.
 */
#ifndef GATEPOST_RELAY_SMTP_SESSION_H
#define GATEPOST_RELAY_SMTP_SESSION_H

#include "lib/buf.h"
#include "relay/config.h"
#include "relay/messages.h"
#include "relay/spool/envelope.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum session_limit {
	SESSION_ERRORS_MAX = 20, /* refused commands in a row of anything but accepted mail */
	SESSION_IDLE_COMMANDS_MAX = 100, /* commands between two messages that bring none nearer */
	SESSION_LOGINS_MAX = 3,          /* failed ones */
};

enum session_want {
	SESSION_INPUT,
	SESSION_STARTTLS, /* send the output, drop what was read, begin TLS: session_tls_started()
			   */
	SESSION_AUTH,     /* session_auth_ask(), later session_auth_answer() */
	SESSION_SUBMIT,   /* session_take_envelope() and the body, later session_submitted() */
	SESSION_CLOSE,    /* send the output, then close */
};

struct session_owner {
	/* A new message begins: its body is empty. */
	void (*body_begin)(void *arg);
	/* The body's next bytes. */
	void (*body)(void *arg, const char *bytes, size_t n);
	/* May the client send for this account now? NULL, or a status ("421 4.7.0") and why. 421
	 * ends the session. */
	const char *(*admit)(void *arg, const struct config_account *account, char *text,
			     size_t cap);
	/* May one of the account's mails have so many more recipients now? They count from now on.
	 * NULL, or a status and why. */
	const char *(*charge)(void *arg, const struct config_account *account, unsigned recipients,
			      char *text, size_t cap);
	/* So many recipients that were charged get no mail after all. */
	void (*refund)(void *arg, const struct config_account *account, unsigned recipients);
	/* Mail was refused; account, sender and rcpt are "" where they are not known. */
	void (*rejected)(void *arg, const char *account, const char *sender, const char *rcpt,
			 const char *reply);
};

struct session;

/* config stays the owner's: session_reload() before it goes. tls: the TLS name, "" for plain. */
struct session *session_new(const struct relay_config *config, const struct addr *client,
			    const char *tls, const struct session_owner *owner, void *arg);
void session_free(struct session *s);
void session_reload(struct session *s, const struct relay_config *config);

enum session_want session_want(const struct session *s);
/* The bytes to send; the owner consumes them. */
struct buf *session_output(struct session *s);

/* Takes bytes, returns how many; fewer than n only when it wants something else now. */
size_t session_input(struct session *s, const char *bytes, size_t n);

void session_tls_started(struct session *s, const char *tls);

void session_auth_ask(const struct session *s, struct auth_ask *out);
void session_auth_answer(struct session *s, enum auth_verdict verdict, const char *account);

/* The caller's from now on. Only the time of acceptance is missing in it. */
struct envelope *session_take_envelope(struct session *s);
void session_submitted(struct session *s, enum submit_status status, uint64_t message);

/* Ends it with a 421 reply: "4.4.2 idle for too long" and the like. */
void session_end(struct session *s, const char *why);

/* No mail is under way: ending it now costs nothing. */
bool session_is_idle(const struct session *s);

#endif
