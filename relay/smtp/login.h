/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The AUTH exchange (RFC 4954) up to the point where user and password are known: PLAIN (RFC 4616)
 * and LOGIN, which has no RFC but many clients. Pure: whether the password is right is the role
 * auth's to say.
 */
#ifndef GATEPOST_RELAY_SMTP_LOGIN_H
#define GATEPOST_RELAY_SMTP_LOGIN_H

#include "relay/messages.h"
#include "relay/smtp/command.h"

enum login_state { LOGIN_NONE, LOGIN_PLAIN, LOGIN_USER, LOGIN_PASSWORD };

struct login {
	enum login_state state; /* what the client's next line is; LOGIN_NONE: no exchange */
	char user[256];
	char password[256];
};

enum login_step {
	LOGIN_MORE,     /* send the challenge */
	LOGIN_COMPLETE, /* user and password are there */
	LOGIN_REFUSED,  /* send the status and text */
};

struct login_says {
	const char *challenge; /* base64, for "334 " */
	const char *status, *text;
};

/* The AUTH command itself. */
enum login_step login_begin(struct login *l, const struct command *auth, struct login_says *says);
/* A line that answers a challenge. */
enum login_step login_continue(struct login *l, const char *line, size_t n,
			       struct login_says *says);
/* Forgets everything, the password with certainty. */
void login_clear(struct login *l);

#endif
