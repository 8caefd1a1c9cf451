/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A URL is grown to the right until something that no URL holds, or that the sentence around it
 * owns; then what only punctuates the sentence is taken off its end. Of open brackets, a small
 * stack remembers where each began: one that is never closed ends the URL before it.
 */
#include "relay/track/textlinks.h"

#include "lib/utf8.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

enum { BRACKET_DEPTH_MAX = 16 };

struct text {
	const char *s;
	size_t n;
	const struct charset *charset;
};

/* Characters over 127 that a URL ends at: spaces, marks of line and direction, and the stops and
 * brackets of scripts that are written without spaces. */
static const struct {
	uint32_t first, last;
} stops[] = {
	{0x80, 0xa0},     {0xab, 0xab},     {0xbb, 0xbb},     {0x1680, 0x1680}, {0x2000, 0x200b},
	{0x200e, 0x200f}, {0x201c, 0x201f}, {0x2028, 0x202f}, {0x205f, 0x2069}, {0x3000, 0x3003},
	{0x3008, 0x3011}, {0x3014, 0x301f}, {0xfe10, 0xfe19}, {0xfeff, 0xfeff}, {0xff01, 0xff01},
	{0xff08, 0xff09}, {0xff0c, 0xff0c}, {0xff1a, 0xff1b}, {0xff1f, 0xff1f}, {0xff3b, 0xff3b},
	{0xff3d, 0xff3d}, {0xff5b, 0xff65}, {0xfffc, 0xffff},
};

/* The character at i: its length (at least 1), and whether a URL may hold it. */
static size_t char_at(const struct text *t, size_t i, bool *stop)
{
	unsigned char c = (unsigned char)t->s[i];
	uint32_t cp;

	if (c < 0x80) {
		*stop = c <= ' ' || c == 127 || strchr("<>\\`", c);
		return 1;
	}
	size_t len = 1;
	*stop = false;
	if (!t->charset)
		return 1;
	if (t->charset->high)
		cp = t->charset->high[c - 0x80];
	else if (!(len = utf8_decode(t->s + i, t->n - i, &cp)))
		cp = 0;
	*stop = cp == 0;
	for (size_t k = 0; k < sizeof(stops) / sizeof(*stops); k++)
		if (cp >= stops[k].first && cp <= stops[k].last)
			*stop = true;
	return len ? len : 1;
}

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* "http://" and its kin at i: its length, 0 when there is none. */
static size_t scheme_at(const struct text *t, size_t i)
{
	static const char *const schemes[] = {"http://", "https://", "http+notrack://",
					      "https+notrack://"};

	for (size_t k = 0; k < sizeof(schemes) / sizeof(*schemes); k++) {
		size_t len = strlen(schemes[k]);
		if (t->n - i >= len && strncasecmp(t->s + i, schemes[k], len) == 0)
			return len;
	}
	return 0;
}

/* Behind the host at i; i itself when it is none. */
static size_t host_end(const struct text *t, size_t i)
{
	size_t start = i;
	bool stop;

	if (i < t->n && t->s[i] == '[') {
		const char *close = memchr(t->s + i, ']', t->n - i < 48 ? t->n - i : 48);
		for (size_t k = i + 1; close && t->s + k < close; k++)
			if (!strchr("0123456789abcdefABCDEF:.", t->s[k]))
				return i;
		return close && close - t->s > (ptrdiff_t)i + 2 ? (size_t)(close - t->s) + 1 : i;
	}
	while (i < t->n) {
		size_t len = char_at(t, i, &stop);
		if (stop || !(is_alnum(t->s[i]) || (t->s[i] & 0x80) || strchr("-._%", t->s[i])))
			break;
		i += len;
	}
	if (i > start && strchr(".-_%", t->s[start]))
		return start;
	while (i > start && t->s[i - 1] == '.')
		i--; /* the sentence's */
	return i > start && strchr("-_%", t->s[i - 1]) ? start : i;
}

/* Behind "user:password@" at i; i itself when there is none. */
static size_t userinfo_end(const struct text *t, size_t i)
{
	bool stop;

	for (size_t k = i; k < t->n && k - i < 256;) {
		size_t len = char_at(t, k, &stop);
		if (stop || strchr("/?#()[]{}\"", t->s[k]))
			return i;
		if (t->s[k] == '@')
			return k + 1;
		k += len;
	}
	return i;
}

/* Behind ":8080" at i; i when there is none, NONE when it is no port. */
#define NONE ((size_t)-1)
static size_t port_end(const struct text *t, size_t i)
{
	unsigned long port = 0;
	size_t k = i + 1;

	if (i >= t->n || t->s[i] != ':')
		return i;
	for (; k < t->n && t->s[k] >= '0' && t->s[k] <= '9' && port < 100000; k++)
		port = port * 10 + (unsigned long)(t->s[k] - '0');
	if (port > 65535)
		return NONE;
	return k > i + 1 ? k : i;
}

/* --- path, query, fragment --------------------------------------------------------------- */

struct grower {
	const struct text *t;
	char before; /* the character before the URL */
	char open[BRACKET_DEPTH_MAX];
	size_t open_at[BRACKET_DEPTH_MAX];
	size_t depth;
};

static char closing(char c)
{
	return c == '(' ? ')' : c == '[' ? ']' : c == '{' ? '}' : '\0';
}

/* A quote belongs to the URL when its partner follows before the word ends, or, an apostrophe,
 * when a letter or digit does. One like that before the URL encloses it. */
static bool quote_belongs(const struct grower *g, size_t i)
{
	const struct text *t = g->t;
	char c = t->s[i];
	bool stop;

	if (g->before == c)
		return false;
	if (c == '\'' && i + 1 < t->n && (is_alnum(t->s[i + 1]) || t->s[i + 1] == '-'))
		return true;
	for (size_t k = i + 1; k < t->n && k - i < 256;) {
		size_t len = char_at(t, k, &stop);
		if (stop)
			return false;
		if (t->s[k] == c)
			return k > i + 1;
		k += len;
	}
	return false;
}

/* Whether the ASCII character at i goes on with the URL that began at start. */
static bool belongs(struct grower *g, size_t start, size_t i)
{
	const struct text *t = g->t;
	char c = t->s[i];

	if (closing(c)) {
		if (g->depth == BRACKET_DEPTH_MAX)
			return false;
		g->open[g->depth] = closing(c);
		g->open_at[g->depth++] = i;
		return true;
	}
	if (c == ')' || c == ']' || c == '}') {
		if (!g->depth || g->open[g->depth - 1] != c)
			return false;
		g->depth--;
		return true;
	}
	if (c == '"')
		return quote_belongs(g, i) || memchr(t->s + start, c, i - start);
	if (c == '\'')
		return quote_belongs(g, i) ||
		       (g->before != c && memchr(t->s + start, c, i - start));
	if ((c == ',' || c == ';' || c == '|') && i + 1 < t->n)
		return !scheme_at(t, i + 1);
	return true;
}

/* How often c is in [start, end). */
static size_t occurrences(const struct text *t, size_t start, size_t end, char c)
{
	size_t times = 0;

	for (size_t i = start; i < end; i++)
		times += t->s[i] == c;
	return times;
}

/* Takes the sentence's punctuation off the end. least: the URL is at least that long. */
static size_t trim(const struct grower *g, size_t start, size_t least, size_t end)
{
	const struct text *t = g->t;

	while (end > least) {
		char c = t->s[end - 1];
		if (strchr(".,;:!?", c)) {
			end--;
		} else if (strchr("'\"", c)) {
			if (occurrences(t, start, end, c) % 2 == 0)
				break;
			end--;
		} else if (strchr("*_~|", c) && g->before == c) {
			end--;
		} else if (t->charset && !t->charset->high && end - least >= 3 &&
			   (memcmp(t->s + end - 3, "\xe2\x80\x99", 3) == 0 ||
			    memcmp(t->s + end - 3, "\xe2\x80\xa6", 3) == 0)) {
			end -= 3; /* right quote, ellipsis */
		} else {
			break;
		}
	}
	return end;
}

/* Where a path that goes on at i ends; the URL has at least the bytes up to `least`. */
static size_t grow(struct grower *g, size_t start, size_t least, size_t i)
{
	const struct text *t = g->t;
	bool stop;

	while (i < t->n) {
		size_t len = char_at(t, i, &stop);
		if (stop || (len == 1 && !(t->s[i] & 0x80) && !belongs(g, start, i)))
			break;
		i += len;
	}
	if (g->depth && g->open_at[0] >= least)
		i = g->open_at[0];
	return trim(g, start, least, i);
}

/* The end of the URL whose host and port end at i. */
static size_t tail_end(struct grower *g, size_t start, size_t i)
{
	const struct text *t = g->t;

	if (i >= t->n || !strchr("/?#", t->s[i]))
		return i;
	return grow(g, start, i + (t->s[i] == '/'), i);
}

bool text_link_next(const char *text, size_t n, const struct charset *c, size_t *at,
		    struct text_link *out)
{
	struct text t = {text, n, c && !c->cjk ? c : NULL};

	while (*at < n) {
		const char *colon = memmem(text + *at, n - *at, "://", 3);
		if (!colon)
			break;
		size_t behind = (size_t)(colon - text) + 3, start = (size_t)(colon - text);
		while (start > *at && (is_alnum(text[start - 1]) || text[start - 1] == '+'))
			start--;
		size_t scheme = scheme_at(&t, start);
		*at = behind;
		if (!scheme || start + scheme != behind || (start > 0 && text[start - 1] == '_'))
			continue;
		struct grower g = {.t = &t, .before = start ? text[start - 1] : '\0'};
		size_t host = userinfo_end(&t, behind), end = host_end(&t, host);
		if (end == host)
			continue;
		end = port_end(&t, end);
		if (end == NONE)
			continue;
		out->start = start;
		out->end = tail_end(&g, start, end);
		g.depth = 0;
		out->glued = grow(&g, start, out->end, out->end) > out->end;
		*at = out->end;
		return true;
	}
	*at = n;
	return false;
}
