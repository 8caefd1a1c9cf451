/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The heart is a table of state × command. The states in which the client's bytes are no commands
 * (data, a chunk, an answer to AUTH) have an input function each, in a second table.
 */
#include "relay/smtp/session_state.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SKIP_LINE_MAX (64 * 1024)

/* ---- replies ---- */

void session_reply(struct session *s, const char *status, const char *format, ...)
{
	char text[480];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	for (char *p = text; *p; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
	buf_printf(&s->out, "%s %s\r\n", status, text);
	if (*status == '5')
		s->errors++;
}

void session_close(struct session *s)
{
	s->want = SESSION_CLOSE;
	transaction_clear(&s->mail);
	login_clear(&s->login);
}

void session_end(struct session *s, const char *why)
{
	if (s->want == SESSION_CLOSE)
		return;
	session_reply(s, "421", "%s", why);
	session_close(s);
}

/* ---- EHLO and what needs no mail ---- */

void session_forget_mail(struct session *s)
{
	session_refund(s);
	transaction_clear(&s->mail);
	if (s->state != STATE_START)
		s->state = STATE_READY;
}

static void hello(struct session *s, const struct command *c)
{
	strcpy(s->helo, c->name);
	s->esmtp = c->verb == COMMAND_EHLO;
	s->state = STATE_READY;
	session_forget_mail(s);
	if (!s->esmtp) {
		session_reply(s, "250", "%s", s->config->host_name);
		return;
	}
	buf_printf(&s->out,
		   "250-%s\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n"
		   "250-CHUNKING\r\n250-DSN\r\n250-SMTPUTF8\r\n",
		   s->config->host_name);
	if (!s->tls)
		buf_appends(&s->out, "250-STARTTLS\r\n");
	else if (!s->account[0])
		buf_appends(&s->out, "250-AUTH PLAIN LOGIN\r\n");
	buf_printf(&s->out, "250 SIZE %" PRIu64 "\r\n", s->config->message_size_largest);
}

static void rset(struct session *s, const struct command *c)
{
	(void)c;
	session_forget_mail(s);
	session_reply(s, "250", "2.0.0 done");
}

static void noop(struct session *s, const struct command *c)
{
	(void)c;
	session_reply(s, "250", "2.0.0 done");
}

static void quit(struct session *s, const struct command *c)
{
	(void)c;
	session_reply(s, "221", "2.0.0 goodbye");
	session_close(s);
}

static void vrfy(struct session *s, const struct command *c)
{
	(void)c;
	session_reply(s, "252", "2.1.5 cannot tell, but will take mail for it and try to deliver");
}

static void expn(struct session *s, const struct command *c)
{
	(void)c;
	session_reply(s, "502", "5.5.1 there are no lists here");
}

static void help(struct session *s, const struct command *c)
{
	(void)c;
	session_reply(s, "214", "2.0.0 EHLO STARTTLS AUTH MAIL RCPT DATA BDAT RSET NOOP VRFY QUIT");
}

static void starttls(struct session *s, const struct command *c)
{
	(void)c;
	if (s->tls) {
		session_reply(s, "503 5.5.1", "TLS is in force already");
		return;
	}
	session_reply(s, "220", "2.0.0 begin TLS now");
	s->want = SESSION_STARTTLS;
}

/* Nothing that was said in clear counts any more (RFC 3207 §4.2). */
void session_tls_started(struct session *s, const char *tls)
{
	(void)tls;
	s->tls = true;
	s->esmtp = false;
	s->state = STATE_START;
	s->helo[0] = s->user[0] = s->account[0] = '\0';
	transaction_clear(&s->mail);
	login_clear(&s->login);
	buf_clear(&s->line);
	s->line_skipped = 0;
	s->want = SESSION_INPUT;
}

/* ---- AUTH ---- */

static void login_failed(struct session *s, const char *status, const char *text)
{
	session_reply(s, status, "%s", text);
	s->state = STATE_READY;
	if (*status == '5' && ++s->failed_logins >= SESSION_LOGINS_MAX)
		session_end(s, "4.7.0 too many failed logins");
}

static void login_step(struct session *s, enum login_step step, const struct login_says *says)
{
	switch (step) {
	case LOGIN_MORE:
		buf_printf(&s->out, "334 %s\r\n", says->challenge);
		s->state = STATE_LOGIN;
		break;
	case LOGIN_COMPLETE:
		s->want = SESSION_AUTH;
		break;
	case LOGIN_REFUSED:
		login_failed(s, says->status, says->text);
		break;
	}
}

static void auth(struct session *s, const struct command *c)
{
	struct login_says says;

	if (!s->tls)
		session_reply(s, "538 5.7.11", "a password is not taken in clear: STARTTLS first");
	else if (s->account[0])
		session_reply(s, "503 5.5.1", "%s is logged in already", s->user);
	else
		login_step(s, login_begin(&s->login, c, &says), &says);
}

void session_auth_ask(const struct session *s, struct auth_ask *out)
{
	memset(out, 0, sizeof(*out));
	out->source = s->client;
	strcpy(out->user, s->login.user);
	strcpy(out->password, s->login.password);
}

void session_auth_answer(struct session *s, enum auth_verdict verdict, const char *account)
{
	char user[sizeof(s->login.user)];

	if (s->want != SESSION_AUTH)
		return;
	strcpy(user, s->login.user);
	login_clear(&s->login);
	s->want = SESSION_INPUT;
	s->state = STATE_READY;
	if (verdict == AUTH_YES && config_account(s->config, account)) {
		strcpy(s->user, user);
		snprintf(s->account, sizeof(s->account), "%s", account);
		session_reply(s, "235", "2.7.0 welcome");
	} else if (verdict == AUTH_NO) {
		login_failed(s, "535 5.7.8", "user name or password is wrong");
	} else {
		login_failed(s, "454 4.7.0", "logins cannot be checked now: try again later");
	}
}

/* ---- commands out of their place ---- */

static void need_hello(struct session *s, const struct command *c)
{
	(void)c;
	session_reply(s, "503 5.5.1", "say EHLO first");
}

static void need_mail(struct session *s, const struct command *c)
{
	(void)c;
	session_reply(s, "503 5.5.1", "MAIL comes first");
}

static void need_rcpt(struct session *s, const struct command *c)
{
	(void)c;
	session_reply(s, "554 5.5.1", "no recipient was accepted: RCPT comes first");
}

static void need_end(struct session *s, const struct command *c)
{
	(void)c;
	session_reply(s, "503 5.5.1", "a mail is under way: end it, or RSET");
}

#define EVERYWHERE                                                             \
	[COMMAND_EHLO] = hello, [COMMAND_HELO] = hello, [COMMAND_RSET] = rset, \
	[COMMAND_NOOP] = noop, [COMMAND_QUIT] = quit, [COMMAND_VRFY] = vrfy,   \
	[COMMAND_EXPN] = expn, [COMMAND_HELP] = help

/* clang-format off */
static session_handler *const handlers[COMMAND_STATES][COMMAND_COUNT] = {
	[STATE_START] = {
		EVERYWHERE,
		[COMMAND_MAIL] = need_hello, [COMMAND_RCPT] = need_hello,
		[COMMAND_DATA] = need_hello, [COMMAND_BDAT] = session_early_bdat,
		[COMMAND_STARTTLS] = need_hello, [COMMAND_AUTH] = need_hello,
	},
	[STATE_READY] = {
		EVERYWHERE,
		[COMMAND_MAIL] = session_mail, [COMMAND_RCPT] = need_mail,
		[COMMAND_DATA] = need_mail, [COMMAND_BDAT] = session_early_bdat,
		[COMMAND_STARTTLS] = starttls, [COMMAND_AUTH] = auth,
	},
	[STATE_MAIL] = {
		EVERYWHERE,
		[COMMAND_MAIL] = need_end, [COMMAND_RCPT] = session_rcpt,
		[COMMAND_DATA] = need_rcpt, [COMMAND_BDAT] = session_early_bdat,
		[COMMAND_STARTTLS] = need_end, [COMMAND_AUTH] = need_end,
	},
	[STATE_RCPT] = {
		EVERYWHERE,
		[COMMAND_MAIL] = need_end, [COMMAND_RCPT] = session_rcpt,
		[COMMAND_DATA] = session_data, [COMMAND_BDAT] = session_bdat,
		[COMMAND_STARTTLS] = need_end, [COMMAND_AUTH] = need_end,
	},
	[STATE_CHUNKS] = {
		EVERYWHERE,
		[COMMAND_MAIL] = need_end, [COMMAND_RCPT] = need_end,
		[COMMAND_DATA] = need_end, [COMMAND_BDAT] = session_bdat,
		[COMMAND_STARTTLS] = need_end, [COMMAND_AUTH] = need_end,
	},
};
/* clang-format on */

/* ---- lines ---- */

/* What follows one of these depends on its reply: nothing may be sent ahead (RFC 2920 §3.1). */
static bool must_be_last(const struct session *s, enum command_verb verb)
{
	return !s->esmtp || verb == COMMAND_EHLO || verb == COMMAND_HELO || verb == COMMAND_DATA ||
	       verb == COMMAND_AUTH;
}

static bool brings_mail_nearer(enum command_verb verb)
{
	return verb == COMMAND_MAIL || verb == COMMAND_RCPT || verb == COMMAND_DATA ||
	       verb == COMMAND_BDAT;
}

static void take_command(struct session *s, const char *line, size_t n)
{
	struct command c;

	command_parse(line, n, &c);
	if (s->ahead && must_be_last(s, c.verb)) {
		session_reply(s, "503 5.5.1",
			      "something was sent ahead of the reply to this command");
		session_end(s, "4.7.0 the client does not wait for replies");
		return;
	}
	if (!brings_mail_nearer(c.verb) && ++s->idle_commands > SESSION_IDLE_COMMANDS_MAX) {
		session_end(s, "4.7.0 too many commands that bring no mail");
		return;
	}
	if (!c.status) {
		handlers[s->state][c.verb](s, &c);
	} else {
		session_reply(s, c.status, "%s", c.text);
		/* How many bytes of the chunk follow is not known. */
		if (c.verb == COMMAND_BDAT)
			session_end(s, "4.5.2 what follows cannot be told from commands");
	}
	if (s->errors > SESSION_ERRORS_MAX)
		session_end(s, "4.7.0 too many errors");
}

static void take_login(struct session *s, const char *line, size_t n)
{
	struct login_says says;
	enum login_step step;

	if (s->ahead) {
		session_end(s, "4.7.0 the client does not wait for replies");
		return;
	}
	s->state = STATE_READY;
	step = login_continue(&s->login, line, n, &says);
	login_step(s, step, &says);
}

/* A line without its LF. */
static void take_line(struct session *s, const char *line, size_t n)
{
	if (s->line_skipped) {
		s->line_skipped = 0;
		if (s->state == STATE_LOGIN) {
			s->state = STATE_READY;
			login_clear(&s->login);
		}
		session_reply(s, "500 5.5.6", "the line is longer than %d bytes", COMMAND_LINE_MAX);
		return;
	}
	if (n == 0 || line[n - 1] != '\r' || memchr(line, '\r', n - 1) || memchr(line, '\0', n)) {
		session_reply(s, "500 5.5.2",
			      "a line ends with CR LF, and holds no CR, LF or NUL else");
		session_end(s, "4.5.2 what follows cannot be told from commands");
		return;
	}
	if (s->state == STATE_LOGIN)
		take_login(s, line, n - 1);
	else
		take_command(s, line, n - 1);
}

/* Keeps the beginning of a line until its end has come. */
static void keep_part(struct session *s, const char *bytes, size_t n)
{
	if (s->line_skipped || s->line.len + n > COMMAND_LINE_MAX + 1) {
		s->line_skipped += s->line.len + n;
		buf_clear(&s->line);
		if (s->line_skipped > SKIP_LINE_MAX)
			session_end(s, "4.5.2 the line does not end");
		return;
	}
	buf_append(&s->line, bytes, n);
}

static size_t input_line(struct session *s, const char *bytes, size_t n)
{
	const char *lf = memchr(bytes, '\n', n);
	size_t used;

	if (!lf) {
		keep_part(s, bytes, n);
		return n;
	}
	used = (size_t)(lf - bytes);
	s->ahead = used + 1 < n;
	if (s->line.len || s->line_skipped || used > COMMAND_LINE_MAX + 1) {
		keep_part(s, bytes, used);
		if (s->want == SESSION_INPUT)
			take_line(s, s->line.data, s->line.len);
		buf_clear(&s->line);
	} else {
		take_line(s, bytes, used);
	}
	return used + 1;
}

static session_input_fn *const inputs[STATE_COUNT] = {
	[STATE_START] = input_line,        [STATE_READY] = input_line,
	[STATE_MAIL] = input_line,         [STATE_RCPT] = input_line,
	[STATE_CHUNKS] = input_line,       [STATE_LOGIN] = input_line,
	[STATE_DATA] = session_input_data, [STATE_CHUNK] = session_input_chunk,
	[STATE_SKIP] = session_input_skip,
};

size_t session_input(struct session *s, const char *bytes, size_t n)
{
	size_t used = 0;

	while (used < n && s->want == SESSION_INPUT)
		used += inputs[s->state](s, bytes + used, n - used);
	return used;
}

/* ---- its life ---- */

struct session *session_new(const struct relay_config *config, const struct addr *client,
			    const char *tls, const struct session_owner *owner, void *arg)
{
	struct session *s = calloc(1, sizeof(*s));

	if (!s)
		abort();
	s->config = config;
	s->client = *client;
	s->tls = *tls != '\0';
	s->owner = owner;
	s->arg = arg;
	session_reply(s, "220", "%s ESMTP Gatepost", config->host_name);
	return s;
}

void session_free(struct session *s)
{
	if (!s)
		return;
	session_refund(s);
	login_clear(&s->login);
	transaction_free(&s->mail);
	buf_free(&s->out);
	buf_free(&s->line);
	free(s);
}

/* A login outlives a reload as long as its account does. */
void session_reload(struct session *s, const struct relay_config *config)
{
	s->config = config;
	if (s->account[0] && !config_account(config, s->account))
		s->account[0] = s->user[0] = '\0';
}

enum session_want session_want(const struct session *s)
{
	return s->want;
}

struct buf *session_output(struct session *s)
{
	return &s->out;
}

bool session_is_idle(const struct session *s)
{
	return s->want == SESSION_INPUT && !s->mail.envelope && s->state < COMMAND_STATES;
}
