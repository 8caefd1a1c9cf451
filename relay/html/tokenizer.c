/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The standard writes 80 states that eat one character each. Most of them only remember where
 * something began; here that is a variable, and a state is a place in a short function: one for
 * each of text, tag, comment and doctype. Each function takes the position behind what brought it
 * there and gives the position behind its token, or NONE where the standard drops what the end of
 * the input cut short.
 *
 * CR counts as white space throughout: the standard's preprocessing would have made it LF.
 */
#include "relay/html/tokenizer.h"

#include "lib/utf8.h"
#include "relay/html/entities.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#define NONE SIZE_MAX

enum byte_class {
	BYTE_SPACE = 1 << 0,
	BYTE_ALPHA = 1 << 1,
	BYTE_DIGIT = 1 << 2,
	BYTE_NAME_END = 1 << 3, /* ends a tag's name */
	BYTE_ATTR_END = 1 << 4, /* ends an attribute's name */
};

static const uint8_t byte_class[256] = {
	['\t'] = BYTE_SPACE | BYTE_NAME_END | BYTE_ATTR_END,
	['\n'] = BYTE_SPACE | BYTE_NAME_END | BYTE_ATTR_END,
	['\f'] = BYTE_SPACE | BYTE_NAME_END | BYTE_ATTR_END,
	['\r'] = BYTE_SPACE | BYTE_NAME_END | BYTE_ATTR_END,
	[' '] = BYTE_SPACE | BYTE_NAME_END | BYTE_ATTR_END,
	['/'] = BYTE_NAME_END | BYTE_ATTR_END,
	['>'] = BYTE_NAME_END | BYTE_ATTR_END,
	['='] = BYTE_ATTR_END,
	['0' ... '9'] = BYTE_DIGIT,
	['A' ... 'Z'] = BYTE_ALPHA,
	['a' ... 'z'] = BYTE_ALPHA,
};

static bool is_class(char c, unsigned classes)
{
	return byte_class[(unsigned char)c] & classes;
}

void html_open(struct html_tokenizer *t, const char *bytes, size_t n)
{
	t->bytes = bytes;
	t->len = n;
	t->at = 0;
	t->mode = HTML_DATA;
	t->last_start = (struct html_range){0, 0};
	t->last_bytes = bytes;
	t->cdata_allowed = false;
}

void html_set_text_mode(struct html_tokenizer *t, enum html_text_mode mode, const char *name)
{
	t->mode = mode;
	if (!name)
		return;
	t->last_bytes = name;
	t->last_start = (struct html_range){0, strlen(name)};
}

bool html_name_is(const char *bytes, struct html_range name, const char *lower)
{
	size_t n = strlen(lower);

	return name.end - name.start == n && strncasecmp(bytes + name.start, lower, n) == 0;
}

const struct html_attr *html_attr(const char *bytes, const struct html_token *tag,
				  const char *lower)
{
	for (size_t i = 0; i < tag->attr_count; i++)
		if (html_name_is(bytes, tag->attrs[i].name, lower))
			return &tag->attrs[i];
	return NULL;
}

enum html_text_mode html_text_mode_of(const char *bytes, const struct html_token *tag)
{
	static const struct {
		const char *name;
		enum html_text_mode mode;
	} modes[] = {
		{"title", HTML_RCDATA},        {"textarea", HTML_RCDATA},
		{"style", HTML_RAWTEXT},       {"script", HTML_SCRIPT},
		{"xmp", HTML_RAWTEXT},         {"iframe", HTML_RAWTEXT},
		{"noembed", HTML_RAWTEXT},     {"noframes", HTML_RAWTEXT},
		{"plaintext", HTML_PLAINTEXT},
	};

	for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++)
		if (html_name_is(bytes, tag->name, modes[i].name))
			return modes[i].mode;
	return HTML_DATA;
}

static size_t find(const struct html_tokenizer *t, size_t from, char c)
{
	const char *p = from < t->len ? memchr(t->bytes + from, c, t->len - from) : NULL;

	return p ? (size_t)(p - t->bytes) : t->len;
}

static size_t skip_space(const struct html_tokenizer *t, size_t at)
{
	while (at < t->len && is_class(t->bytes[at], BYTE_SPACE))
		at++;
	return at;
}

static bool starts_with(const struct html_tokenizer *t, size_t at, const char *lower)
{
	size_t n = strlen(lower);

	return t->len - at >= n && strncasecmp(t->bytes + at, lower, n) == 0;
}

/* --- text ------------------------------------------------------------------------------- */

/* Where the text of the data state ends: at a '<' that begins something. */
static size_t data_end(const struct html_tokenizer *t, size_t at)
{
	for (;; at++) {
		at = find(t, at, '<');
		if (at + 1 >= t->len)
			return t->len;
		char c = t->bytes[at + 1];
		if (is_class(c, BYTE_ALPHA) || c == '!' || c == '?')
			return at;
		if (c == '/' && at + 2 < t->len)
			return at;
	}
}

/* True when "</" at `at` is the end tag that this text ends with. */
static bool is_closing_tag(const struct html_tokenizer *t, size_t at)
{
	size_t n = t->last_start.end - t->last_start.start;

	if (n == 0 || t->len - at < n + 3 || t->bytes[at + 1] != '/')
		return false;
	return strncasecmp(t->bytes + at + 2, t->last_bytes + t->last_start.start, n) == 0 &&
	       is_class(t->bytes[at + 2 + n], BYTE_NAME_END);
}

static size_t raw_end(const struct html_tokenizer *t, size_t at)
{
	for (;; at++) {
		at = find(t, at, '<');
		if (at == t->len || is_closing_tag(t, at))
			return at;
	}
}

/* The name that decides about double escaping: "script" and then white space, '/' or '>'. */
static bool is_script_word(const struct html_tokenizer *t, size_t at)
{
	return t->len - at > 6 && starts_with(t, at, "script") &&
	       is_class(t->bytes[at + 6], BYTE_NAME_END);
}

/*
 * Script data (§13.2.5.4, .15 to .31). Inside <!-- the text is escaped, and <script> … </script>
 * in there doubly so, where an end tag does not end it; --> ends both.
 */
static size_t script_end(const struct html_tokenizer *t, size_t at)
{
	enum { PLAIN, ESCAPED, DOUBLE_ESCAPED } state = PLAIN;
	size_t dashes = 0;

	for (; at < t->len; at++) {
		char c = t->bytes[at];
		if (c == '-') {
			dashes++;
			continue;
		}
		bool arrow = c == '>' && dashes >= 2;
		dashes = 0;
		if (arrow) {
			state = PLAIN;
			continue;
		}
		if (c != '<')
			continue;
		if (state != DOUBLE_ESCAPED && is_closing_tag(t, at))
			return at;
		if (state == PLAIN && starts_with(t, at, "<!--")) {
			state = ESCAPED;
			dashes = 2;
			at += 3;
		} else if (state == ESCAPED && is_script_word(t, at + 1)) {
			state = DOUBLE_ESCAPED;
			at += 7;
		} else if (state == DOUBLE_ESCAPED && at + 1 < t->len && t->bytes[at + 1] == '/' &&
			   is_script_word(t, at + 2)) {
			state = ESCAPED;
			at += 8;
		}
	}
	return t->len;
}

static size_t cdata_end(const struct html_tokenizer *t, size_t at)
{
	for (;; at++) {
		at = find(t, at, ']');
		if (at == t->len || (t->len - at >= 3 && memcmp(t->bytes + at, "]]>", 3) == 0))
			return at;
	}
}

static size_t text_end(const struct html_tokenizer *t)
{
	switch (t->mode) {
	case HTML_DATA:
		return data_end(t, t->at);
	case HTML_RCDATA:
	case HTML_RAWTEXT:
		return raw_end(t, t->at);
	case HTML_SCRIPT:
		return script_end(t, t->at);
	case HTML_CDATA:
		return cdata_end(t, t->at);
	case HTML_PLAINTEXT:
		break;
	}
	return t->len;
}

/* --- tags ------------------------------------------------------------------------------- */

/* The value that begins at `at` (behind '=' and white space); gives the position behind it. */
static size_t attr_value(const struct html_tokenizer *t, size_t at, struct html_attr *a)
{
	char c = t->bytes[at];

	if (c == '"' || c == '\'') {
		a->quote = c == '"' ? HTML_DOUBLE : HTML_SINGLE;
		size_t end = find(t, at + 1, c);
		if (end == t->len)
			return NONE;
		a->value = (struct html_range){at + 1, end};
		return end + 1;
	}
	a->quote = HTML_UNQUOTED;
	a->value.start = at;
	while (at < t->len && t->bytes[at] != '>' && !is_class(t->bytes[at], BYTE_SPACE))
		at++;
	a->value.end = at;
	return at < t->len ? at : NONE;
}

static size_t attribute(const struct html_tokenizer *t, size_t at, struct html_attr *a)
{
	a->quote = HTML_NO_VALUE;
	a->name.start = at;
	/* A '=' that begins a name is part of it. */
	for (at++; at < t->len && !is_class(t->bytes[at], BYTE_ATTR_END);)
		at++;
	a->name.end = at;
	a->value = (struct html_range){at, at};
	at = skip_space(t, at);
	if (at == t->len)
		return NONE;
	if (t->bytes[at] != '=')
		return at;
	at = skip_space(t, at + 1);
	if (at == t->len)
		return NONE;
	a->value = (struct html_range){at, at};
	return t->bytes[at] == '>' ? at : attr_value(t, at, a);
}

static size_t tag(struct html_tokenizer *t, size_t at, struct html_token *out)
{
	out->name.start = at;
	while (at < t->len && !is_class(t->bytes[at], BYTE_NAME_END))
		at++;
	out->name.end = at;
	out->attrs = t->attrs;
	for (;;) {
		at = skip_space(t, at);
		if (at == t->len)
			return NONE;
		if (t->bytes[at] == '>')
			return at + 1;
		if (t->bytes[at] == '/') {
			at++;
			if (at < t->len && t->bytes[at] == '>') {
				out->self_closing = true;
				return at + 1;
			}
			continue;
		}
		struct html_attr a;
		at = attribute(t, at, &a);
		if (at == NONE)
			return NONE;
		if (out->attr_count < HTML_ATTRS_MAX)
			t->attrs[out->attr_count++] = a;
		else
			out->attrs_cut = true;
	}
}

/* --- comments --------------------------------------------------------------------------- */

/* What the end of the input cuts off a comment: the beginning of an end that never came. */
static size_t unfinished_comment(const struct html_tokenizer *t, size_t start)
{
	static const char *const tails[] = {"--!", "--", "-"};

	for (size_t i = 0; i < sizeof(tails) / sizeof(*tails); i++) {
		size_t n = strlen(tails[i]);
		if (t->len - start >= n && memcmp(t->bytes + t->len - n, tails[i], n) == 0)
			return t->len - n;
	}
	return t->len;
}

static size_t comment(const struct html_tokenizer *t, size_t start, struct html_token *out)
{
	size_t left = t->len - start;

	out->kind = HTML_COMMENT;
	out->data = (struct html_range){start, start};
	if (left >= 1 && t->bytes[start] == '>')
		return start + 1;
	if (left >= 2 && memcmp(t->bytes + start, "->", 2) == 0)
		return start + 2;
	for (size_t at = start;; at++) {
		at = find(t, at, '-');
		left = t->len - at;
		if (left < 3)
			break;
		if (t->bytes[at + 1] != '-')
			continue;
		bool bang = left >= 4 && t->bytes[at + 2] == '!' && t->bytes[at + 3] == '>';
		if (!bang && t->bytes[at + 2] != '>')
			continue;
		out->data.end = at;
		return at + (bang ? 4 : 3);
	}
	out->data.end = unfinished_comment(t, start);
	out->cut = true;
	return t->len;
}

static size_t bogus_comment(const struct html_tokenizer *t, size_t start, struct html_token *out)
{
	size_t end = find(t, start, '>');

	out->kind = HTML_COMMENT;
	out->data = (struct html_range){start, end};
	out->cut = end == t->len;
	return end < t->len ? end + 1 : end;
}

/* --- doctypes --------------------------------------------------------------------------- */

static size_t bogus_doctype(const struct html_tokenizer *t, size_t at)
{
	at = find(t, at, '>');
	return at < t->len ? at + 1 : at;
}

/*
 * A quoted identifier at `at`; false when the doctype ends there, *at then behind it.
 * required: anything but a quote makes the doctype quirky.
 */
static bool doctype_id(const struct html_tokenizer *t, size_t *at, struct html_token *out,
		       struct html_range *id, bool *has, bool required)
{
	char c = *at < t->len ? t->bytes[*at] : '\0';

	if (*at < t->len && (c == '"' || c == '\'')) {
		size_t end = find(t, *at + 1, c), gt = find(t, *at + 1, '>');
		*has = true;
		*id = (struct html_range){*at + 1, gt < end ? gt : end};
		if (gt > end && end < t->len) {
			*at = end + 1;
			return true;
		}
		if (gt == end || gt < end) {
			out->force_quirks = true;
			*at = gt < t->len ? gt + 1 : t->len;
			return false;
		}
	}
	if (*at < t->len && c == '>') {
		out->force_quirks |= required;
		*at += 1;
		return false;
	}
	out->force_quirks = true;
	*at = *at < t->len ? bogus_doctype(t, *at) : t->len;
	return false;
}

static size_t doctype(const struct html_tokenizer *t, size_t at, struct html_token *out)
{
	out->kind = HTML_DOCTYPE;
	at = skip_space(t, at);
	if (at == t->len || t->bytes[at] == '>') {
		out->force_quirks = true;
		return at < t->len ? at + 1 : at;
	}
	out->has_name = true;
	out->name.start = at;
	while (at < t->len && t->bytes[at] != '>' && !is_class(t->bytes[at], BYTE_SPACE))
		at++;
	out->name.end = at;
	at = skip_space(t, at);
	if (at == t->len) {
		out->force_quirks = true;
		return at;
	}
	if (t->bytes[at] == '>')
		return at + 1;

	bool is_public = starts_with(t, at, "public");
	if (!is_public && !starts_with(t, at, "system")) {
		out->force_quirks = true;
		return bogus_doctype(t, at);
	}
	at = skip_space(t, at + 6);
	if (is_public) {
		if (!doctype_id(t, &at, out, &out->public_id, &out->has_public_id, true))
			return at;
		at = skip_space(t, at);
	}
	if (!doctype_id(t, &at, out, &out->system_id, &out->has_system_id, !is_public))
		return at;
	at = skip_space(t, at);
	if (at == t->len) {
		out->force_quirks = true;
		return at;
	}
	return bogus_doctype(t, at);
}

/* --- all of it -------------------------------------------------------------------------- */

/* What begins with '<' at t->at. Gives the position behind it; NONE for a tag cut short. */
static size_t markup(struct html_tokenizer *t, struct html_token *out)
{
	size_t at = t->at + 1;
	char c = t->bytes[at];

	if (is_class(c, BYTE_ALPHA)) {
		out->kind = HTML_START_TAG;
		return tag(t, at, out);
	}
	if (c == '/') {
		if (is_class(t->bytes[at + 1], BYTE_ALPHA)) {
			out->kind = HTML_END_TAG;
			return tag(t, at + 1, out);
		}
		if (t->bytes[at + 1] == '>')
			return at + 2; /* no token */
		return bogus_comment(t, at + 1, out);
	}
	if (c == '?')
		return bogus_comment(t, at, out);
	at++;
	if (t->len - at >= 2 && memcmp(t->bytes + at, "--", 2) == 0)
		return comment(t, at + 2, out);
	if (starts_with(t, at, "doctype"))
		return doctype(t, at + 7, out);
	if (t->cdata_allowed && t->len - at >= 7 && memcmp(t->bytes + at, "[CDATA[", 7) == 0) {
		t->mode = HTML_CDATA;
		return at + 7; /* no token */
	}
	return bogus_comment(t, at, out);
}

bool html_next(struct html_tokenizer *t, struct html_token *out)
{
	size_t cut = t->len;

	while (t->at < t->len) {
		*out = (struct html_token){.kind = HTML_END, .mode = t->mode};
		size_t start = t->at, end = text_end(t);

		t->at = end;
		if (t->mode == HTML_CDATA && end < t->len) {
			t->mode = HTML_DATA;
			t->at = end + 3;
		}
		if (end > start) {
			out->kind = HTML_TEXT;
			out->whole = out->data = (struct html_range){start, end};
			return true;
		}
		if (out->mode == HTML_CDATA)
			continue;

		t->mode = HTML_DATA; /* raw text has come to its end tag */
		end = markup(t, out);
		t->at = end == NONE ? t->len : end;
		out->whole = (struct html_range){start, t->at};
		if (end == NONE)
			cut = start;
		if (end == NONE || out->kind == HTML_END)
			continue;
		if (out->kind == HTML_START_TAG) {
			t->last_start = out->name;
			t->last_bytes = t->bytes;
		}
		return true;
	}
	*out = (struct html_token){.kind = HTML_END, .mode = t->mode, .whole = {cut, t->len}};
	return false;
}

/* --- decoding --------------------------------------------------------------------------- */

/* §13.2.5.80: what some numbers mean that windows-1252 used to stand for. */
static const uint16_t c1_replacement[32] = {
	0x20ac, 0,      0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160,
	0x2039, 0x0152, 0,      0x017d, 0,      0,      0x2018, 0x2019, 0x201c, 0x201d, 0x2022,
	0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0,      0x017e, 0x0178,
};

static void append_char(struct buf *out, uint32_t cp)
{
	char utf8[4];

	buf_append(out, utf8, utf8_encode(cp, utf8));
}

static int digit_of(char c, unsigned base)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return base == 16 && c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "&#…" at s; gives its length, 0 when it is none. */
static size_t decode_number(const char *s, size_t n, struct buf *out)
{
	size_t i = 2;
	unsigned base = 10;
	uint32_t cp = 0;

	if (i < n && (s[i] == 'x' || s[i] == 'X')) {
		base = 16;
		i++;
	}
	size_t first = i;
	for (int d; i < n && (d = digit_of(s[i], base)) >= 0; i++)
		cp = cp > 0x10ffff ? cp : cp * base + (uint32_t)d;
	if (i == first)
		return 0;
	if (i < n && s[i] == ';')
		i++;
	if (cp >= 0x80 && cp < 0xa0 && c1_replacement[cp - 0x80])
		cp = c1_replacement[cp - 0x80];
	if (cp == 0 || cp > 0x10ffff || (cp >= 0xd800 && cp < 0xe000))
		cp = 0xfffd;
	append_char(out, cp);
	return i;
}

/* A character reference at s[0] == '&'; gives its length, 0 when it is none. */
static size_t decode_reference(const char *s, size_t n, bool in_attr, struct buf *out)
{
	const char *utf8;

	if (n > 1 && s[1] == '#')
		return decode_number(s, n, out);
	size_t len = entity_match(s + 1, n - 1, &utf8);
	if (len == 0)
		return 0;
	/* In a URL, &copy=1 is a parameter called "copy". */
	if (in_attr && s[len] != ';' && len + 1 < n &&
	    (s[len + 1] == '=' || is_class(s[len + 1], BYTE_ALPHA | BYTE_DIGIT)))
		return 0;
	buf_appends(out, utf8);
	return len + 1;
}

static void decode(const char *s, size_t n, bool references, bool in_attr, bool replace_nul,
		   struct buf *out)
{
	for (size_t i = 0, start = 0;; i++) {
		while (i < n && s[i] != '&' && s[i] != '\r' && s[i] != '\0')
			i++;
		if (i > start)
			buf_append(out, s + start, i - start);
		if (i >= n)
			return;
		start = i;
		if (s[i] == '\r') {
			start = i + 1;
			if (i + 1 == n || s[i + 1] != '\n')
				buf_appendc(out, '\n');
		} else if (s[i] == '\0' && replace_nul) {
			append_char(out, 0xfffd);
			start = i + 1;
		} else if (s[i] == '&' && references) {
			size_t len = decode_reference(s + i, n - i, in_attr, out);
			start = i + len;
			i += len ? len - 1 : 0;
		}
	}
}

void html_decode_text(const char *bytes, const struct html_token *text, struct buf *out)
{
	enum html_text_mode m = text->mode;

	decode(bytes + text->data.start, text->data.end - text->data.start,
	       m == HTML_DATA || m == HTML_RCDATA, false, m != HTML_DATA && m != HTML_CDATA, out);
}

void html_decode_attr(const char *bytes, struct html_range value, struct buf *out)
{
	decode(bytes + value.start, value.end - value.start, true, true, true, out);
}
