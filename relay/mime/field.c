/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/mime/field.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

static bool is_space(char c)
{
	return c == ' ' || c == '\t';
}

/* Behind the line that at is in; end when it has no line end. */
static size_t next_line(const char *bytes, size_t at, size_t end)
{
	const char *p = at < end ? memchr(bytes + at, '\n', end - at) : NULL;

	return p ? (size_t)(p - bytes) + 1 : end;
}

static size_t without_line_end(const char *bytes, size_t start, size_t end)
{
	if (end > start && bytes[end - 1] == '\n')
		end--;
	if (end > start && bytes[end - 1] == '\r')
		end--;
	return end;
}

void mime_split_header(const char *bytes, size_t n, size_t *header_end, size_t *body_start)
{
	for (size_t at = 0; at < n;) {
		size_t next = next_line(bytes, at, n);
		if (without_line_end(bytes, at, next) == at) {
			*header_end = at;
			*body_start = next;
			return;
		}
		at = next;
	}
	*header_end = *body_start = n;
}

bool mime_next_field(const char *bytes, struct mime_range headers, size_t *at,
		     struct mime_field *out)
{
	size_t start = *at, name_end = start;

	while (name_end < headers.end && bytes[name_end] > 32 && bytes[name_end] < 127 &&
	       bytes[name_end] != ':')
		name_end++;
	size_t colon = name_end;
	while (colon < headers.end && is_space(bytes[colon]))
		colon++; /* RFC 5322 §4.5: obsolete, and allowed */
	if (name_end == start || colon >= headers.end || bytes[colon] != ':')
		return false;
	size_t end = next_line(bytes, colon, headers.end);
	while (end < headers.end && is_space(bytes[end]))
		end = next_line(bytes, end, headers.end);
	out->whole = (struct mime_range){start, end};
	out->name = (struct mime_range){start, name_end};
	out->value = (struct mime_range){colon + 1, without_line_end(bytes, colon + 1, end)};
	*at = end;
	return true;
}

bool mime_field_is(const char *bytes, const struct mime_field *f, const char *name)
{
	size_t n = strlen(name);

	return f->name.end - f->name.start == n && strncasecmp(bytes + f->name.start, name, n) == 0;
}

bool mime_find_field(const char *bytes, struct mime_range headers, const char *name,
		     struct mime_field *out)
{
	size_t at = headers.start;

	while (mime_next_field(bytes, headers, &at, out))
		if (mime_field_is(bytes, out, name))
			return true;
	return false;
}

void mime_unfold(const char *bytes, struct mime_range value, struct buf *out)
{
	while (value.start < value.end && strchr(" \t\r\n", bytes[value.start]))
		value.start++;
	while (value.end > value.start && strchr(" \t\r\n", bytes[value.end - 1]))
		value.end--;
	for (size_t i = value.start; i < value.end; i++)
		if (bytes[i] != '\r' && bytes[i] != '\n')
			buf_appendc(out, bytes[i]);
}

/* --- parameters -------------------------------------------------------------------------- */

struct param {
	struct mime_range name;
	struct buf value;
};

/* White space and (nested) comments. */
static size_t skip_cfws(const char *s, size_t n, size_t at)
{
	unsigned depth = 0;

	for (; at < n; at++) {
		if (s[at] == '(')
			depth++;
		else if (s[at] == ')' && depth)
			depth--;
		else if (s[at] == '\\' && depth && at + 1 < n)
			at++;
		else if (!depth && !is_space(s[at]))
			break;
	}
	return at;
}

static bool is_token_char(char c)
{
	return c > 32 && c < 127 && !strchr("()<>@,;:\\\"/[]?=", c);
}

/* A value at `at`: quoted, or whatever stands before the next ';' or white space. */
static size_t param_value(const char *s, size_t n, size_t at, struct buf *out)
{
	if (at < n && s[at] == '"') {
		for (at++; at < n && s[at] != '"'; at++) {
			if (s[at] == '\\' && at + 1 < n)
				at++;
			buf_appendc(out, s[at]);
		}
		return at < n ? at + 1 : n;
	}
	while (at < n && s[at] != ';' && s[at] != '(' && !is_space(s[at]))
		buf_appendc(out, s[at++]);
	return at;
}

/* The next parameter behind *at, which is the end of the one before. */
static bool next_param(const char *s, size_t n, size_t *at, struct param *p)
{
	for (;;) {
		while (*at < n && s[*at] != ';')
			*at = s[*at] == '(' ? skip_cfws(s, n, *at) : *at + 1;
		if (*at >= n)
			return false;
		size_t i = skip_cfws(s, n, *at + 1);
		p->name.start = i;
		while (i < n && is_token_char(s[i]))
			i++;
		p->name.end = i;
		i = skip_cfws(s, n, i);
		*at = i;
		if (p->name.end == p->name.start || i >= n || s[i] != '=')
			continue;
		buf_clear(&p->value);
		*at = param_value(s, n, skip_cfws(s, n, i + 1), &p->value);
		return true;
	}
}

static int hex(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
				      : -1;
}

/* RFC 2231 §4: %XX; the first piece has charset'language' before it. */
static void append_extended(const char *s, size_t n, bool first, struct buf *out)
{
	size_t i = 0;

	for (int quotes = 0; first && quotes < 2 && i < n; i++)
		quotes += s[i] == '\'';
	for (; i < n; i++) {
		if (s[i] == '%' && n - i > 2 && hex(s[i + 1]) >= 0 && hex(s[i + 2]) >= 0) {
			buf_appendc(out, (char)(hex(s[i + 1]) << 4 | hex(s[i + 2])));
			i += 2;
		} else {
			buf_appendc(out, s[i]);
		}
	}
}

/*
 * How a parameter's name fits: whole, or as a piece (name*, name*7, name*7*). Gives the piece's
 * number, -1 when it does not fit.
 */
static int piece_of(const char *s, struct mime_range name, const char *wanted, bool *extended)
{
	size_t len = strlen(wanted), n = name.end - name.start;
	int number = 0;

	*extended = false;
	if (n < len || strncasecmp(s + name.start, wanted, len) != 0)
		return -1;
	s += name.start;
	if (n == len)
		return 0;
	if (s[len] != '*')
		return -1;
	size_t i = len + 1;
	for (; i < n && s[i] >= '0' && s[i] <= '9' && number < 1000; i++)
		number = number * 10 + s[i] - '0';
	*extended = i == len + 1 || (i < n && s[i] == '*');
	return i + (i > len + 1 && *extended) == n ? number : -1;
}

size_t mime_param(const char *value, size_t n, const char *name, struct buf *out)
{
	struct param p = {.value = BUF_INIT};
	size_t at = 0, times = 0;
	int expected = 0;
	bool extended;

	while (next_param(value, n, &at, &p)) {
		int piece = piece_of(value, p.name, name, &extended);
		if (piece < 0)
			continue;
		if (piece == 0)
			times++;
		if (piece != expected || times > 1)
			continue;
		expected++;
		if (extended)
			append_extended(buf_str(&p.value), p.value.len, piece == 0, out);
		else
			buf_append(out, buf_str(&p.value), p.value.len);
	}
	buf_free(&p.value);
	return times;
}
