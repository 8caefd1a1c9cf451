/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/smtp/command.h"

#include <mbedtls/base64.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* The line being read: at moves to end. */
struct line {
	const char *at, *end;
	struct command *out;
};

const char *command_quote(char out[COMMAND_QUOTE_MAX], const char *s, size_t n)
{
	size_t used = 0, i;

	for (i = 0; i < n && used + 4 <= 80; i++) {
		if (s[i] >= ' ' && s[i] <= '~')
			out[used++] = s[i];
		else
			used += (size_t)sprintf(out + used, "\\x%02X", (unsigned char)s[i]);
	}
	strcpy(out + used, i < n ? "..." : "");
	return out;
}

int command_base64(const char *s, size_t n, char *out, size_t cap)
{
	size_t written;

	/* mbedTLS would skip blanks and line ends, and do without padding. */
	for (size_t i = 0; i < n; i++)
		if (s[i] <= ' ')
			return -1;
	if (n % 4)
		return -1;
	if (mbedtls_base64_decode((unsigned char *)out, cap, &written, (const unsigned char *)s,
				  n) != 0)
		return -1;
	return (int)written;
}

/* Always false, for the caller to return. */
static bool refuse(struct line *l, const char *status, const char *s, size_t n, const char *what)
{
	char quoted[COMMAND_QUOTE_MAX];

	l->out->status = status;
	snprintf(l->out->text, sizeof(l->out->text), "%s: %s", command_quote(quoted, s, n), what);
	return false;
}

static bool syntax(struct line *l, const char *what)
{
	l->out->status = "501 5.5.4";
	snprintf(l->out->text, sizeof(l->out->text), "%s", what);
	return false;
}

static size_t left(const struct line *l)
{
	return (size_t)(l->end - l->at);
}

static void skip_blanks(struct line *l)
{
	while (l->at < l->end && *l->at == ' ')
		l->at++;
}

static bool take_text(struct line *l, const char *text)
{
	size_t n = strlen(text);

	if (left(l) < n || strncasecmp(l->at, text, n) != 0)
		return false;
	l->at += n;
	return true;
}

static bool is_word(const char *s, size_t n, const char *word)
{
	return n == strlen(word) && strncasecmp(s, word, n) == 0;
}

/* At most 20 digits that fit 64 bits. */
static bool number(const char *s, size_t n, uint64_t *out)
{
	uint64_t v = 0;

	if (n == 0)
		return false;
	for (size_t i = 0; i < n; i++) {
		uint64_t digit = (uint64_t)(s[i] - '0');

		if (s[i] < '0' || s[i] > '9' || v > (UINT64_MAX - digit) / 10)
			return false;
		v = v * 10 + digit;
	}
	*out = v;
	return true;
}

/* RFC 3461 §4: printable but '+' and '=', or '+' and two upper-case hexadecimal digits. */
static bool is_xtext(const char *s, size_t n)
{
	static const char hex[] = "0123456789ABCDEF";

	for (size_t i = 0; i < n; i++) {
		if (s[i] == '+') {
			if (i + 2 >= n || !memchr(hex, s[i + 1], 16) || !memchr(hex, s[i + 2], 16))
				return false;
			i += 2;
		} else if (s[i] < '!' || s[i] > '~' || s[i] == '=') {
			return false;
		}
	}
	return true;
}

static void copy(char *out, const char *s, size_t n)
{
	memcpy(out, s, n);
	out[n] = '\0';
}

/* ---- parameters of MAIL and RCPT ---- */

static bool size_param(struct line *l, const char *s, size_t n)
{
	l->out->has_size = number(s, n, &l->out->size);
	return l->out->has_size;
}

static bool body_param(struct line *l, const char *s, size_t n)
{
	l->out->eight_bit = is_word(s, n, "8BITMIME");
	return l->out->eight_bit || is_word(s, n, "7BIT");
}

static bool smtputf8_param(struct line *l, const char *s, size_t n)
{
	(void)n;
	l->out->smtputf8 = true;
	return s == NULL;
}

static bool ret_param(struct line *l, const char *s, size_t n)
{
	l->out->ret_hdrs = is_word(s, n, "HDRS");
	return l->out->ret_hdrs || is_word(s, n, "FULL");
}

static bool envid_param(struct line *l, const char *s, size_t n)
{
	if (n == 0 || n > COMMAND_ENVID_MAX || !is_xtext(s, n))
		return false;
	copy(l->out->envid, s, n);
	return true;
}

/* RFC 4954 §5: who submitted it elsewhere. We trust nobody on that, as the RFC allows. */
static bool auth_param(struct line *l, const char *s, size_t n)
{
	(void)l;
	return n > 0 && n <= COMMAND_ORCPT_MAX && is_xtext(s, n);
}

static bool notify_param(struct line *l, const char *s, size_t n)
{
	static const struct {
		const char *word;
		uint8_t bit;
	} words[] = {{"NEVER", NOTIFY_NEVER},
		     {"SUCCESS", NOTIFY_SUCCESS},
		     {"FAILURE", NOTIFY_FAILURE},
		     {"DELAY", NOTIFY_DELAY}};
	const char *end = s + n;

	for (;;) {
		const char *comma = memchr(s, ',', (size_t)(end - s));
		size_t len = (size_t)((comma ? comma : end) - s);
		uint8_t bit = 0;

		for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
			if (is_word(s, len, words[i].word))
				bit = words[i].bit;
		if (!bit || (l->out->notify & bit))
			return false;
		l->out->notify |= bit;
		if (!comma)
			break;
		s = comma + 1;
	}
	return !(l->out->notify & NOTIFY_NEVER) || l->out->notify == NOTIFY_NEVER;
}

/* addr-type ";" xtext; for the type utf-8 (RFC 6533) UTF-8 may stand as it is. */
static bool orcpt_param(struct line *l, const char *s, size_t n)
{
	const char *semicolon = memchr(s, ';', n);
	size_t type = semicolon ? (size_t)(semicolon - s) : 0;
	bool utf8 = is_word(s, type, "utf-8");

	if (type == 0 || n > COMMAND_ORCPT_MAX || type + 1 == n)
		return false;
	for (size_t i = 0; i < type; i++)
		if (s[i] <= ' ' || s[i] > '~' || strchr("()<>@,:\\\"[]", s[i]))
			return false;
	for (size_t i = type + 1; utf8 && i < n; i++)
		if ((unsigned char)s[i] < 0x80 && (s[i] <= ' ' || s[i] > '~'))
			return false;
	if (!utf8 && !is_xtext(s + type + 1, n - type - 1))
		return false;
	copy(l->out->orcpt, s, n);
	return true;
}

struct parameter {
	enum command_verb verb;
	const char *name;
	/* value is NULL when there is no '='. */
	bool (*take)(struct line *l, const char *value, size_t n);
	const char *form;
};

static const struct parameter parameters[] = {
	{COMMAND_MAIL, "SIZE", size_param, "the form is SIZE=BYTES"},
	{COMMAND_MAIL, "BODY", body_param, "the form is BODY=7BIT or BODY=8BITMIME"},
	{COMMAND_MAIL, "SMTPUTF8", smtputf8_param, "SMTPUTF8 takes no value"},
	{COMMAND_MAIL, "RET", ret_param, "the form is RET=FULL or RET=HDRS"},
	{COMMAND_MAIL, "ENVID", envid_param, "the form is ENVID=XTEXT, at most 100 characters"},
	{COMMAND_MAIL, "AUTH", auth_param, "the form is AUTH=XTEXT"},
	{COMMAND_RCPT, "NOTIFY", notify_param,
	 "the form is NOTIFY=NEVER, or SUCCESS, FAILURE, DELAY joined by commas"},
	{COMMAND_RCPT, "ORCPT", orcpt_param,
	 "the form is ORCPT=TYPE;XTEXT, at most 500 characters"},
};

#define PARAMETER_COUNT (sizeof(parameters) / sizeof(*parameters))

static bool parameter(struct line *l, const char *s, size_t n, unsigned *seen)
{
	const char *equals = memchr(s, '=', n);
	size_t name = equals ? (size_t)(equals - s) : n;
	const char *value = equals ? equals + 1 : NULL;
	size_t value_len = equals ? n - name - 1 : 0;

	for (size_t i = 0; i < PARAMETER_COUNT; i++) {
		const struct parameter *p = &parameters[i];

		if (p->verb != l->out->verb || !is_word(s, name, p->name))
			continue;
		if (*seen & 1u << i)
			return refuse(l, "501 5.5.4", s, n, "the parameter stands there twice");
		*seen |= 1u << i;
		if (!value && p->take != smtputf8_param)
			return refuse(l, "501 5.5.4", s, n, p->form);
		return p->take(l, value, value_len) || refuse(l, "501 5.5.4", s, n, p->form);
	}
	return refuse(l, "555 5.5.4", s, n, "this parameter is not known here");
}

static bool parameter_list(struct line *l)
{
	unsigned seen = 0;

	while (l->at < l->end) {
		const char *start;

		if (*l->at != ' ')
			return refuse(l, "501 5.5.4", l->at, left(l),
				      "a blank must stand between the address and its parameters");
		skip_blanks(l);
		start = l->at;
		while (l->at < l->end && *l->at != ' ')
			l->at++;
		if (l->at > start && !parameter(l, start, (size_t)(l->at - start), &seen))
			return false;
	}
	return true;
}

/* ---- commands ---- */

/* "@one,@two:" before the address: old, to be taken and ignored (RFC 5321 §4.1.1.3, appendix C). */
static bool source_route(struct line *l)
{
	const char *colon;

	if (l->at == l->end || *l->at != '@')
		return true;
	colon = memchr(l->at, ':', left(l));
	if (!colon)
		return false;
	l->at = colon + 1;
	return true;
}

static bool path(struct line *l, const char *form)
{
	const char *start = l->at, *reason = "";
	size_t n;

	if (l->at == l->end || *l->at != '<')
		return syntax(l, form);
	l->at++;
	if (l->at < l->end && *l->at == '>' && l->out->verb == COMMAND_MAIL) {
		l->at++;
		return true;
	}
	if (!source_route(l))
		return refuse(l, "501 5.1.7", start, (size_t)(l->end - start),
			      "the source route does not end in ':'");
	n = mailbox_parse(l->at, left(l), &l->out->mailbox, &reason);
	l->at += n;
	if (n && (l->at == l->end || *l->at != '>')) {
		reason = "this is not user@domain between '<' and '>'";
		n = 0;
	}
	if (!n)
		return refuse(l, l->out->verb == COMMAND_MAIL ? "501 5.1.7" : "501 5.1.3", start,
			      (size_t)(l->end - start), reason);
	l->at++;
	return true;
}

static bool mail(struct line *l)
{
	static const char form[] = "the form is MAIL FROM:<user@domain>";

	skip_blanks(l);
	if (!take_text(l, "FROM:"))
		return syntax(l, form);
	skip_blanks(l);
	if (!path(l, form))
		return false;
	if (l->out->mailbox.text[0] && !*mailbox_domain(&l->out->mailbox))
		return refuse(l, "501 5.1.7", l->out->mailbox.text, strlen(l->out->mailbox.text),
			      "the sender needs a domain: user@domain");
	return parameter_list(l);
}

static bool rcpt(struct line *l)
{
	static const char form[] = "the form is RCPT TO:<user@domain>";
	const struct mailbox *m = &l->out->mailbox;

	skip_blanks(l);
	if (!take_text(l, "TO:"))
		return syntax(l, form);
	skip_blanks(l);
	if (!path(l, form))
		return false;
	if (!*mailbox_domain(m) && strcasecmp(m->text, "postmaster") != 0)
		return refuse(l, "501 5.1.3", m->text, strlen(m->text),
			      "the recipient needs a domain: user@domain");
	return parameter_list(l);
}

/* Clients say all sorts of things here, and only the Received line repeats it. */
static bool hello(struct line *l)
{
	static const char fine[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				   "0123456789.-_:[]";
	size_t n = 0;

	skip_blanks(l);
	for (; l->at < l->end && *l->at != ' ' && n < COMMAND_NAME_MAX; l->at++)
		l->out->name[n++] = *l->at && strchr(fine, *l->at) ? *l->at : '?';
	l->out->name[n] = '\0';
	if (n == 0)
		return syntax(l, l->out->verb == COMMAND_EHLO ? "the form is EHLO host.name"
							      : "the form is HELO host.name");
	return true;
}

static bool bdat(struct line *l)
{
	static const char form[] = "the form is BDAT BYTES, or BDAT BYTES LAST";
	const char *start;

	skip_blanks(l);
	start = l->at;
	while (l->at < l->end && *l->at != ' ')
		l->at++;
	if (!number(start, (size_t)(l->at - start), &l->out->size))
		return refuse(l, "501 5.5.4", start, (size_t)(l->end - start), form);
	skip_blanks(l);
	l->out->last = take_text(l, "LAST");
	skip_blanks(l);
	if (l->at < l->end)
		return refuse(l, "501 5.5.4", start, (size_t)(l->end - start), form);
	return true;
}

static bool auth(struct line *l)
{
	size_t n = 0;

	skip_blanks(l);
	for (; l->at < l->end && *l->at != ' ' && n < COMMAND_MECHANISM_MAX; l->at++)
		l->out->mechanism[n++] =
			*l->at >= 'a' && *l->at <= 'z' ? (char)(*l->at - 'a' + 'A') : *l->at;
	l->out->mechanism[n] = '\0';
	if (n == 0 || (l->at < l->end && *l->at != ' '))
		return syntax(l, "the form is AUTH MECHANISM, or AUTH MECHANISM INITIAL-RESPONSE");
	skip_blanks(l);
	if (l->at == l->end)
		return true;
	l->out->initial = l->at;
	l->out->initial_len = left(l);
	return true;
}

static bool nothing_more(struct line *l)
{
	skip_blanks(l);
	if (l->at == l->end)
		return true;
	return refuse(l, "501 5.5.4", l->at, left(l), "nothing may follow this command");
}

static bool anything(struct line *l)
{
	l->at = l->end;
	return true;
}

static const struct {
	const char *word;
	enum command_verb verb;
	bool (*rest)(struct line *l);
} commands[] = {
	{"EHLO", COMMAND_EHLO, hello},        {"HELO", COMMAND_HELO, hello},
	{"MAIL", COMMAND_MAIL, mail},         {"RCPT", COMMAND_RCPT, rcpt},
	{"DATA", COMMAND_DATA, nothing_more}, {"BDAT", COMMAND_BDAT, bdat},
	{"RSET", COMMAND_RSET, nothing_more}, {"NOOP", COMMAND_NOOP, anything},
	{"QUIT", COMMAND_QUIT, nothing_more}, {"VRFY", COMMAND_VRFY, anything},
	{"EXPN", COMMAND_EXPN, anything},     {"HELP", COMMAND_HELP, anything},
	{"AUTH", COMMAND_AUTH, auth},         {"STARTTLS", COMMAND_STARTTLS, nothing_more},
};

void command_parse(const char *line, size_t n, struct command *out)
{
	struct line l = {.at = line, .end = line + n, .out = out};
	const char *blank = memchr(line, ' ', n);
	size_t word = blank ? (size_t)(blank - line) : n;

	memset(out, 0, offsetof(struct command, mailbox));
	out->mailbox.text[0] = '\0';
	out->mailbox.at = 0;
	out->mailbox.utf8 = false;
	memset(&out->has_size, 0, sizeof(*out) - offsetof(struct command, has_size));
	l.at += word;
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		if (!is_word(line, word, commands[i].word))
			continue;
		out->verb = commands[i].verb;
		commands[i].rest(&l);
		return;
	}
	refuse(&l, "500 5.5.1", line, word, "this command is not known here");
}
