/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/smtp/mailbox.h"

#include "lib/addr.h"
#include "lib/utf8.h"

#include <string.h>
#include <strings.h>

#define DOMAIN_MAX 255
#define LABEL_MAX  63

struct text {
	const char *at, *end;
	struct mailbox *out;
	size_t len;
	const char *reason;
};

static bool refuse(struct text *t, const char *reason)
{
	t->reason = reason;
	return false;
}

static bool put(struct text *t, const char *bytes, size_t n)
{
	if (t->len + n > ENVELOPE_ADDRESS_MAX)
		return refuse(t, "the address is longer than 320 bytes");
	memcpy(t->out->text + t->len, bytes, n);
	t->len += n;
	t->out->text[t->len] = '\0';
	return true;
}

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* RFC 5322 atext. */
static bool is_atext(char c)
{
	return is_alnum(c) || (c && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

/* Bytes of the character at t->at when it is beyond ASCII and printable. */
static size_t beyond_ascii(const struct text *t)
{
	if (t->at == t->end || (unsigned char)*t->at < 0x80)
		return 0;
	return utf8_printable(t->at, (size_t)(t->end - t->at));
}

static bool dot_string(struct text *t)
{
	bool after_dot = true;

	while (t->at < t->end) {
		size_t n = beyond_ascii(t);

		if (n)
			t->out->utf8 = true;
		else if (is_atext(*t->at))
			n = 1;
		else if (*t->at == '.' && !after_dot)
			n = 1;
		else
			break;
		after_dot = *t->at == '.';
		if (!put(t, t->at, n))
			return false;
		t->at += n;
	}
	if (after_dot && t->len == 0)
		return refuse(t, "the part before '@' is missing");
	if (after_dot)
		return refuse(t, "a dot before '@' must stand between two other characters");
	return true;
}

/* Is raw[n] a dot-string, so that it needs no quotes? */
static bool is_dot_string(const char *raw, size_t n)
{
	if (n == 0 || raw[0] == '.' || raw[n - 1] == '.')
		return false;
	for (size_t i = 0; i < n; i++)
		if (!is_atext(raw[i]) && !(raw[i] & 0x80) && !(raw[i] == '.' && raw[i + 1] != '.'))
			return false;
	return true;
}

static bool put_quoted(struct text *t, const char *raw, size_t n)
{
	if (is_dot_string(raw, n))
		return put(t, raw, n);
	if (!put(t, "\"", 1))
		return false;
	for (size_t i = 0; i < n; i++) {
		if ((raw[i] == '"' || raw[i] == '\\') && !put(t, "\\", 1))
			return false;
		if (!put(t, raw + i, 1))
			return false;
	}
	return put(t, "\"", 1);
}

static bool quoted_string(struct text *t)
{
	char raw[ENVELOPE_ADDRESS_MAX];
	size_t n = 0;

	for (t->at++; t->at < t->end && *t->at != '"';) {
		size_t step = beyond_ascii(t);

		if (step)
			t->out->utf8 = true;
		else if (*t->at == '\\' && t->at + 1 < t->end)
			t->at++;
		if (!step && (*t->at < ' ' || *t->at > '~'))
			return refuse(t, "a control character stands between the quotes");
		if (!step)
			step = 1;
		if (n + step > sizeof(raw))
			return refuse(t, "the address is longer than 320 bytes");
		memcpy(raw + n, t->at, step);
		n += step;
		t->at += step;
	}
	if (t->at == t->end)
		return refuse(t, "the closing '\"' is missing");
	t->at++;
	return put_quoted(t, raw, n);
}

static bool address_literal(struct text *t)
{
	static const char tag[] = "IPv6:";
	const char *close = memchr(t->at, ']', (size_t)(t->end - t->at));
	char inner[ADDR_STR_MAX + sizeof(tag)];
	struct addr addr;
	size_t n;
	bool good;

	if (!close)
		return refuse(t, "the ']' of the address literal is missing");
	n = (size_t)(close - t->at - 1);
	if (n >= sizeof(inner))
		return refuse(t, "the address literal is neither [IPv4] nor [IPv6:...]");
	memcpy(inner, t->at + 1, n);
	inner[n] = '\0';
	if (strncasecmp(inner, tag, sizeof(tag) - 1) == 0)
		good = addr_parse(inner + sizeof(tag) - 1, &addr) && addr.family == AF_INET6;
	else
		good = addr_parse(inner, &addr) && addr.family == AF_INET;
	if (!good || strlen(inner) != n)
		return refuse(t, "the address literal is neither [IPv4] nor [IPv6:...]");
	if (!put(t, t->at, n + 2))
		return false;
	t->at += n + 2;
	return true;
}

static bool label(struct text *t)
{
	const char *start = t->at;

	while (t->at < t->end) {
		size_t n = beyond_ascii(t);

		if (n)
			t->out->utf8 = true;
		else if (is_alnum(*t->at) || *t->at == '-' || *t->at == '_')
			n = 1;
		else
			break;
		t->at += n;
	}
	if (t->at == start)
		return refuse(t, "the domain has an empty label");
	if (t->at - start > LABEL_MAX)
		return refuse(t, "the domain has a label longer than 63 bytes");
	if (*start == '-' || t->at[-1] == '-')
		return refuse(t, "a label of the domain begins or ends with '-'");
	return put(t, start, (size_t)(t->at - start));
}

static bool domain(struct text *t)
{
	size_t start = t->len;

	if (t->at < t->end && *t->at == '[')
		return address_literal(t);
	for (;;) {
		if (!label(t))
			return false;
		if (t->at == t->end || *t->at != '.')
			break;
		if (!put(t, ".", 1))
			return false;
		t->at++;
	}
	if (t->len - start > DOMAIN_MAX)
		return refuse(t, "the domain is longer than 255 bytes");
	return true;
}

static bool mailbox(struct text *t)
{
	bool quoted = t->at < t->end && *t->at == '"';

	if (!(quoted ? quoted_string(t) : dot_string(t)))
		return false;
	t->out->at = t->len;
	if (t->at == t->end || *t->at != '@')
		return true;
	t->at++;
	return put(t, "@", 1) && domain(t);
}

size_t mailbox_parse(const char *s, size_t n, struct mailbox *out, const char **reason)
{
	struct text t = {.at = s, .end = s + n, .out = out};

	out->text[0] = '\0';
	out->at = 0;
	out->utf8 = false;
	if (!mailbox(&t)) {
		*reason = t.reason;
		return 0;
	}
	return (size_t)(t.at - s);
}

const char *mailbox_domain(const struct mailbox *m)
{
	return m->text[m->at] ? m->text + m->at + 1 : "";
}

bool mailbox_matches(const struct mailbox *m, const char *pattern)
{
	const char *at = strrchr(pattern, '@');
	size_t local;

	if (!at || !m->text[m->at] || strcasecmp(at + 1, mailbox_domain(m)) != 0)
		return false;
	local = (size_t)(at - pattern);
	if (local == 1 && pattern[0] == '*')
		return true;
	return local == m->at && strncasecmp(pattern, m->text, local) == 0;
}

bool domain_is_within(const char *host, const char *name)
{
	size_t h = strlen(host), n = strlen(name);

	if (n == 0 || h < n || strcasecmp(host + h - n, name) != 0)
		return false;
	return h == n || host[h - n - 1] == '.';
}
