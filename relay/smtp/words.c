/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Encoded-words (RFC 2047), for the log: =?charset?Q?text?= and =?charset?B?text?=.
 *
 * Neighbours of the same charset are joined before they are decoded: much software cuts characters
 * in two there, though §5 forbids it. A charset that is not in the table leaves the word as it
 * stands: it is still told apart from others, and nothing is guessed.
 */
#include "lib/utf8.h"
#include "relay/smtp/command.h"
#include "relay/smtp/header.h"

#include <string.h>
#include <strings.h>

#define WORD_MAX        512 /* the RFC has 75; what is longer is left as it stands */
#define WORD_SOURCE_MAX (3 * WORD_MAX + 64)

enum charset { CHARSET_UNKNOWN, CHARSET_UTF8, CHARSET_LATIN1, CHARSET_LATIN9, CHARSET_CP1252 };

static const struct {
	const char *name;
	enum charset charset;
} charsets[] = {
	{"utf-8", CHARSET_UTF8},         {"utf8", CHARSET_UTF8},
	{"us-ascii", CHARSET_UTF8},      {"iso-8859-1", CHARSET_LATIN1},
	{"iso-8859-15", CHARSET_LATIN9}, {"windows-1252", CHARSET_CP1252},
	{"cp1252", CHARSET_CP1252},
};

/* 0x80 to 0x9f; 0 where nothing is defined. */
static const uint16_t cp1252[32] = {
	0x20ac, 0,      0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160,
	0x2039, 0x0152, 0,      0x017d, 0,      0,      0x2018, 0x2019, 0x201c, 0x201d, 0x2022,
	0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0,      0x017e, 0x0178,
};

static uint32_t latin9(unsigned char c)
{
	switch (c) {
	case 0xa4:
		return 0x20ac;
	case 0xa6:
		return 0x160;
	case 0xa8:
		return 0x161;
	case 0xb4:
		return 0x17d;
	case 0xb8:
		return 0x17e;
	case 0xbc:
		return 0x152;
	case 0xbd:
		return 0x153;
	case 0xbe:
		return 0x178;
	default:
		return c;
	}
}

struct output {
	char *out;
	size_t n, cap; /* cap without the NUL */
	bool full;
};

static void put(struct output *o, const char *bytes, size_t n)
{
	if (o->full || o->n + n > o->cap) {
		o->full = true;
		return;
	}
	memcpy(o->out + o->n, bytes, n);
	o->n += n;
}

/* UTF-8 of unknown quality: white space becomes a blank, the unprintable U+FFFD. */
static void put_text(struct output *o, const char *s, size_t n)
{
	while (n) {
		size_t step = utf8_printable(s, n);
		uint32_t cp;

		if (step) {
			put(o, s, step);
		} else if (*s == '\t' || *s == '\r' || *s == '\n') {
			put(o, " ", 1);
		} else {
			put(o, "\xef\xbf\xbd", 3);
			step = utf8_decode(s, n, &cp);
		}
		step = step ? step : 1;
		s += step;
		n -= step;
	}
}

static void put_charset(struct output *o, enum charset charset, const char *s, size_t n)
{
	char utf8[4];

	if (charset == CHARSET_UTF8) {
		put_text(o, s, n);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];
		uint32_t cp = c;

		if (charset == CHARSET_LATIN9)
			cp = latin9(c);
		else if (charset == CHARSET_CP1252 && c >= 0x80 && c <= 0x9f)
			cp = cp1252[c - 0x80] ? cp1252[c - 0x80] : 0xfffd;
		put_text(o, utf8, utf8_encode(cp, utf8));
	}
}

struct word {
	enum charset charset;
	char bytes[WORD_MAX];
	size_t n;
	size_t used; /* of the source */
};

static int hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *p = c ? memchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c, 16) : NULL;

	return p ? (int)(p - digits) : -1;
}

/* RFC 2047 §4.2. */
static bool decode_q(const char *s, size_t n, struct word *w)
{
	for (size_t i = 0; i < n; i++) {
		if (w->n == sizeof(w->bytes))
			return false;
		if (s[i] != '=') {
			w->bytes[w->n++] = s[i] == '_' ? ' ' : s[i];
			continue;
		}
		if (i + 2 >= n || hex_digit(s[i + 1]) < 0 || hex_digit(s[i + 2]) < 0)
			return false;
		w->bytes[w->n++] = (char)(hex_digit(s[i + 1]) << 4 | hex_digit(s[i + 2]));
		i += 2;
	}
	return true;
}

static bool decode_b(const char *s, size_t n, struct word *w)
{
	int got = command_base64(s, n, w->bytes, sizeof(w->bytes));

	if (got < 0)
		return false;
	w->n = (size_t)got;
	return true;
}

static enum charset find_charset(const char *s, size_t n)
{
	const char *language = memchr(s, '*', n); /* RFC 2231 §5 */

	if (language)
		n = (size_t)(language - s);
	for (size_t i = 0; i < sizeof(charsets) / sizeof(*charsets); i++)
		if (strlen(charsets[i].name) == n && strncasecmp(s, charsets[i].name, n) == 0)
			return charsets[i].charset;
	return CHARSET_UNKNOWN;
}

/* Does s[n] begin with an encoded-word that can be decoded? */
static bool encoded_word(const char *s, size_t n, struct word *w)
{
	const char *charset = s + 2, *encoding, *text, *close, *end;

	end = s + (n < WORD_SOURCE_MAX ? n : WORD_SOURCE_MAX);
	if (n < 8 || s[0] != '=' || s[1] != '?')
		return false;
	encoding = memchr(charset, '?', (size_t)(end - charset));
	if (!encoding || end - encoding < 4 || encoding[2] != '?')
		return false;
	text = encoding + 3;
	close = memmem(text, (size_t)(end - text), "?=", 2);
	if (!close)
		return false;
	for (const char *p = s; p < close; p++)
		if (*p == ' ' || *p == '\t' || *p == '\r' || *p == '\n')
			return false;
	*w = (struct word){.charset = find_charset(charset, (size_t)(encoding - charset)),
			   .used = (size_t)(close + 2 - s)};
	if (w->charset == CHARSET_UNKNOWN)
		return false;
	if (encoding[1] == 'Q' || encoding[1] == 'q')
		return decode_q(text, (size_t)(close - text), w);
	if (encoding[1] == 'B' || encoding[1] == 'b')
		return decode_b(text, (size_t)(close - text), w);
	return false;
}

static size_t blanks(const char *s, size_t n)
{
	size_t i = 0;

	while (i < n && (s[i] == ' ' || s[i] == '\t' || s[i] == '\r' || s[i] == '\n'))
		i++;
	return i;
}

/* All encoded-words of one charset in a row; white space between them is not text (§6.2). */
static size_t put_words(struct output *o, const char *s, size_t n)
{
	char joined[2 * WORD_MAX];
	enum charset charset;
	size_t len = 0, used = 0;
	struct word w;

	if (!encoded_word(s, n, &w))
		return 0;
	charset = w.charset;
	for (;;) {
		size_t gap;

		memcpy(joined + len, w.bytes, w.n);
		len += w.n;
		used += w.used;
		gap = blanks(s + used, n - used);
		if (!encoded_word(s + used + gap, n - used - gap, &w))
			break;
		used += gap;
		if (w.charset != charset || len + w.n > sizeof(joined))
			break;
	}
	put_charset(o, charset, joined, len);
	return used;
}

void header_decode(const char *value, size_t n, char *out, size_t cap)
{
	struct output o = {.out = out, .cap = cap - 1};
	size_t i = 0;

	while (i < n && !o.full) {
		size_t used = put_words(&o, value + i, n - i);
		size_t gap;

		if (used) {
			i += used;
			continue;
		}
		gap = blanks(value + i, n - i);
		if (gap) {
			put(&o, " ", 1);
			i += gap;
			continue;
		}
		/* One character, or a stretch up to where a word could begin. */
		used = 1;
		while (i + used < n && !blanks(value + i + used, 1) &&
		       strncmp(value + i + used, "=?", n - i - used < 2 ? n - i - used : 2) != 0)
			used++;
		put_text(&o, value + i, used);
		i += used;
	}
	out[o.n] = '\0';
}
