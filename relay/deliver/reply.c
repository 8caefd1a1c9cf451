/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/deliver/reply.h"

#include "lib/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Appends s[n] with whatever could forge a line or drive a terminal as '?'. */
static void append_clean(struct buf *out, const char *s, size_t n)
{
	while (n) {
		size_t len = utf8_printable(s, n);

		if (len)
			buf_append(out, s, len);
		else
			buf_appendc(out, *s == '\t' ? ' ' : '?');
		len = len ? len : 1;
		s += len;
		n -= len;
	}
}

/* "5.1.1" at the beginning of a line whose code is of the same class (RFC 2034 §4). */
static void take_enhanced(struct reply *r, const char *s)
{
	size_t n = strspn(s, "0123456789."), at = 2;
	unsigned parts[2] = {0, 0};

	if (n < 5 || n >= sizeof(r->enhanced) || s[0] != '0' + r->code / 100 || s[1] != '.' ||
	    (s[n] && s[n] != ' '))
		return;
	for (unsigned i = 0; i < 2; i++) {
		while (at < n && digit(s[at])) {
			at++;
			parts[i]++;
		}
		if (parts[i] < 1 || parts[i] > 3 || (i == 0 && s[at++] != '.'))
			return;
	}
	if (at != n)
		return;
	memcpy(r->enhanced, s, n);
	r->enhanced[n] = '\0';
}

static enum reply_status bad(struct reply *r, const char *error)
{
	r->error = error;
	return REPLY_BAD;
}

/* One whole line, without its end. */
static enum reply_status take_line(struct reply *r)
{
	const char *s = buf_str(&r->line);
	size_t n = r->line.len;

	if (n < 3 || s[0] < '2' || s[0] > '5' || !digit(s[1]) || !digit(s[2]) ||
	    (n > 3 && s[3] != ' ' && s[3] != '-'))
		return bad(r, "a line that is no SMTP reply");
	int code = (s[0] - '0') * 100 + (s[1] - '0') * 10 + (s[2] - '0');
	if (r->lines && code != r->code)
		return bad(r, "a reply whose lines have different codes");
	if (++r->lines > REPLY_LINES_MAX)
		return bad(r, "a reply of too many lines");
	r->code = code;
	size_t start = r->text.len;
	append_clean(&r->text, s + (n > 3 ? 4 : 3), n > 3 ? n - 4 : 0);
	if (!*r->enhanced)
		take_enhanced(r, buf_str(&r->text) + start);
	buf_appendc(&r->text, '\n');
	r->done = n == 3 || s[3] == ' ';
	buf_clear(&r->line);
	return r->done ? REPLY_DONE : REPLY_MORE;
}

enum reply_status reply_feed(struct reply *r, const char *bytes, size_t n, size_t *used)
{
	*used = 0;
	if (r->done)
		reply_reset(r);
	while (*used < n) {
		const char *s = bytes + *used, *end = memchr(s, '\n', n - *used);
		size_t len = end ? (size_t)(end - s) : n - *used;

		if (r->line.len + len > REPLY_LINE_MAX)
			return bad(r, "a reply line over 8192 bytes");
		r->bytes += len;
		if (r->bytes > REPLY_BYTES_MAX)
			return bad(r, "a reply over 65536 bytes");
		buf_append(&r->line, s, len);
		*used += len;
		if (!end)
			break;
		*used += 1;
		if (r->line.len && r->line.data[r->line.len - 1] == '\r')
			buf_truncate(&r->line, r->line.len - 1);
		enum reply_status status = take_line(r);
		if (status != REPLY_MORE)
			return status;
	}
	return REPLY_MORE;
}

void reply_reset(struct reply *r)
{
	buf_clear(&r->text);
	buf_clear(&r->line);
	r->code = 0;
	r->enhanced[0] = '\0';
	r->error = NULL;
	r->lines = 0;
	r->bytes = 0;
	r->done = false;
}

void reply_free(struct reply *r)
{
	buf_free(&r->text);
	buf_free(&r->line);
	*r = REPLY_INIT;
}

void reply_line(const struct reply *r, size_t max, struct buf *out)
{
	size_t start = out->len, end = r->text.len;
	const char *text = buf_str(&r->text);

	buf_printf(out, "%d", r->code);
	while (end && (text[end - 1] == '\n' || text[end - 1] == ' '))
		end--;
	for (size_t i = 0, len; i < end && out->len - start < max; i += len) {
		len = utf8_printable(text + i, end - i);
		if (i == 0)
			buf_appendc(out, ' ');
		if (!len) {
			len = 1;
			buf_appendc(out, ' '); /* a line's end */
		} else if (out->len - start + len <= max) {
			buf_append(out, text + i, len);
		} else {
			break;
		}
	}
	if (out->len - start > max)
		buf_truncate(out, start + max);
}

/* --- EHLO --- */

/* RFC 4954 §3; "AUTH=LOGIN" is how it was written before there was a standard. */
static void take_mechanisms(struct reply_extensions *e, const char *s, size_t n)
{
	for (size_t i = 0, len; i < n; i += len + 1) {
		for (len = 0; i + len < n && !strchr(" =", s[i + len]);)
			len++;
		e->auth_plain |= len == 5 && strncasecmp(s + i, "PLAIN", 5) == 0;
		e->auth_login |= len == 5 && strncasecmp(s + i, "LOGIN", 5) == 0;
	}
}

static void take_extension(struct reply_extensions *e, const char *s, size_t n)
{
	const struct {
		const char *name;
		bool *flag;
	} known[] = {
		{"PIPELINING", &e->pipelining},
		{"8BITMIME", &e->eight_bit},
		{"SIZE", &e->size},
		{"SMTPUTF8", &e->smtputf8},
		{"DSN", &e->dsn},
		{"STARTTLS", &e->starttls},
		{"ENHANCEDSTATUSCODES", &e->enhanced},
	};
	size_t word = 0;

	while (word < n && s[word] != ' ' && s[word] != '=')
		word++;
	if (word == 4 && strncasecmp(s, "AUTH", 4) == 0)
		take_mechanisms(e, s + word, n - word);
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		if (strlen(known[i].name) != word || strncasecmp(known[i].name, s, word) != 0)
			continue;
		*known[i].flag = true;
		if (known[i].flag == &e->size && word < n && digit(s[word + 1]))
			e->size_max = strtoull(s + word + 1, NULL, 10);
	}
}

struct reply_extensions reply_extensions(const struct reply *r)
{
	struct reply_extensions e = {0};
	const char *s = buf_str(&r->text);
	bool first = true; /* the peer's name and greeting */

	for (const char *end; (end = strchr(s, '\n')); s = end + 1, first = false)
		if (!first)
			take_extension(&e, s, (size_t)(end - s));
	return e;
}
