/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/mime/transfer.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

const char *transfer_name(enum mime_encoding e)
{
	static const char *const names[] = {
		[MIME_7BIT] = "7bit",     [MIME_8BIT] = "8bit",
		[MIME_BINARY] = "binary", [MIME_QUOTED_PRINTABLE] = "quoted-printable",
		[MIME_BASE64] = "base64", [MIME_ENCODING_UNKNOWN] = "unknown",
	};

	return names[e];
}

/* --- the map ----------------------------------------------------------------------------- */

void transfer_map_free(struct transfer_map *m)
{
	free(m->runs);
	*m = (struct transfer_map){0};
}

/* From this decoded byte on, each is `width` source bytes wide. */
static void map_bytes(struct transfer_map *m, size_t decoded, size_t source, unsigned width)
{
	if (!m)
		return;
	if (m->count) {
		const struct transfer_run *last = &m->runs[m->count - 1];
		if (last->width == width &&
		    last->source + (decoded - last->decoded) * width == source)
			return;
	}
	if (m->count == m->cap) {
		m->cap = m->cap ? m->cap * 2 : 64;
		struct transfer_run *grown = realloc(m->runs, m->cap * sizeof(*grown));
		if (!grown)
			abort();
		m->runs = grown;
	}
	m->runs[m->count++] = (struct transfer_run){decoded, source, width};
}

static size_t map_source(const struct transfer_map *m, size_t decoded, unsigned *width)
{
	size_t lo = 0, hi = m->count;

	while (hi - lo > 1) {
		size_t mid = lo + (hi - lo) / 2;
		if (m->runs[mid].decoded <= decoded)
			lo = mid;
		else
			hi = mid;
	}
	*width = m->runs[lo].width;
	return m->runs[lo].source + (decoded - m->runs[lo].decoded) * m->runs[lo].width;
}

struct mime_range transfer_map_range(const struct transfer_map *m, size_t start, size_t end,
				     size_t text_len, size_t source_len)
{
	struct mime_range r = {source_len, source_len};
	unsigned width;

	if (start < text_len)
		r.start = r.end = map_source(m, start, &width);
	if (end > start) {
		r.end = map_source(m, end - 1, &width);
		r.end += width;
	}
	return r;
}

/* --- quoted-printable -------------------------------------------------------------------- */

static int hex(char c)
{
	return c >= '0' && c <= '9'   ? c - '0'
	       : c >= 'A' && c <= 'F' ? c - 'A' + 10
	       : c >= 'a' && c <= 'f' ? c - 'a' + 10
				      : -1;
}

/* A line without its line end; *soft when it ends in '='. */
static const char *decode_qp_line(const char *s, size_t at, size_t end, struct buf *out,
				  struct transfer_map *map, bool *soft)
{
	const char *fault = NULL;

	*soft = false;
	while (end > at && (s[end - 1] == ' ' || s[end - 1] == '\t'))
		end--; /* added on the way, RFC 2045 §6.7 (3) */
	while (at < end) {
		const char *equals = memchr(s + at, '=', end - at);
		size_t literal = (equals ? (size_t)(equals - s) : end) - at;
		if (literal) {
			map_bytes(map, out->len, at, 1);
			buf_append(out, s + at, literal);
			at += literal;
		} else if (end - at >= 3 && hex(s[at + 1]) >= 0 && hex(s[at + 2]) >= 0) {
			map_bytes(map, out->len, at, 3);
			buf_appendc(out, (char)(hex(s[at + 1]) << 4 | hex(s[at + 2])));
			at += 3;
		} else if (end - at == 1) {
			*soft = true;
			at++;
		} else {
			fault = "a '=' that two hexadecimal digits do not follow";
			map_bytes(map, out->len, at, 1);
			buf_appendc(out, s[at++]);
		}
	}
	return fault;
}

const char *transfer_decode_qp(const char *s, size_t n, struct buf *out, struct transfer_map *map)
{
	const char *fault = NULL;

	buf_reserve(out, n);
	for (size_t at = 0; at < n;) {
		const char *lf = memchr(s + at, '\n', n - at);
		size_t next = lf ? (size_t)(lf - s) + 1 : n, end = next;
		bool soft;
		if (lf)
			end -= end - at >= 2 && lf[-1] == '\r' ? 2 : 1;
		const char *line_fault = decode_qp_line(s, at, end, out, map, &soft);
		if (soft && !lf)
			line_fault = "a '=' with nothing behind it";
		if (!fault)
			fault = line_fault;
		if (!soft && end < next) {
			map_bytes(map, out->len, end, 1);
			buf_append(out, s + end, next - end);
		}
		at = next;
	}
	return fault;
}

static bool qp_literal(const char *s, size_t n, size_t i)
{
	char c = s[i];

	if (c == ' ' || c == '\t')
		return i + 1 < n && s[i + 1] != '\r' && s[i + 1] != '\n';
	return c > 32 && c < 127 && c != '=';
}

size_t transfer_encode_qp(const char *s, size_t n, size_t column, struct buf *out)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < n; i++) {
		if (s[i] == '\r' && i + 1 < n && s[i + 1] == '\n') {
			buf_append(out, "\r\n", 2);
			column = 0;
			i++;
			continue;
		}
		unsigned char c = (unsigned char)s[i];
		char piece[3] = {'=', digits[c >> 4], digits[c & 15]};
		bool literal = qp_literal(s, n, i);
		size_t len = literal ? 1 : 3;
		if (column + len > TRANSFER_LINE_MAX - 1) {
			buf_append(out, "=\r\n", 3);
			column = 0;
		}
		buf_append(out, literal ? &s[i] : piece, len);
		column += len;
	}
	return column;
}

/* --- base64 ------------------------------------------------------------------------------ */

enum { BASE64_SPACE = 64, BASE64_PAD = 65, BASE64_NONE = 66 };

/* What a character stands for; 0 is looked up twice, see base64_value(). */
static const uint8_t base64_values[256] = {
	['A'] = 0,
	['B'] = 1,
	['C'] = 2,
	['D'] = 3,
	['E'] = 4,
	['F'] = 5,
	['G'] = 6,
	['H'] = 7,
	['I'] = 8,
	['J'] = 9,
	['K'] = 10,
	['L'] = 11,
	['M'] = 12,
	['N'] = 13,
	['O'] = 14,
	['P'] = 15,
	['Q'] = 16,
	['R'] = 17,
	['S'] = 18,
	['T'] = 19,
	['U'] = 20,
	['V'] = 21,
	['W'] = 22,
	['X'] = 23,
	['Y'] = 24,
	['Z'] = 25,
	['a'] = 26,
	['b'] = 27,
	['c'] = 28,
	['d'] = 29,
	['e'] = 30,
	['f'] = 31,
	['g'] = 32,
	['h'] = 33,
	['i'] = 34,
	['j'] = 35,
	['k'] = 36,
	['l'] = 37,
	['m'] = 38,
	['n'] = 39,
	['o'] = 40,
	['p'] = 41,
	['q'] = 42,
	['r'] = 43,
	['s'] = 44,
	['t'] = 45,
	['u'] = 46,
	['v'] = 47,
	['w'] = 48,
	['x'] = 49,
	['y'] = 50,
	['z'] = 51,
	['0'] = 52,
	['1'] = 53,
	['2'] = 54,
	['3'] = 55,
	['4'] = 56,
	['5'] = 57,
	['6'] = 58,
	['7'] = 59,
	['8'] = 60,
	['9'] = 61,
	['+'] = 62,
	['/'] = 63,
	[' '] = BASE64_SPACE,
	['\t'] = BASE64_SPACE,
	['\r'] = BASE64_SPACE,
	['\n'] = BASE64_SPACE,
	['='] = BASE64_PAD,
};

static unsigned base64_value(char c)
{
	unsigned v = base64_values[(unsigned char)c];

	return v == 0 && c != 'A' ? BASE64_NONE : v;
}

const char *transfer_decode_base64(const char *s, size_t n, struct buf *out)
{
	uint32_t bits = 0;
	unsigned have = 0, padding = 0;

	buf_reserve(out, n / 4 * 3 + 3);
	for (size_t i = 0; i < n; i++) {
		unsigned v = base64_value(s[i]);
		if (v == BASE64_SPACE)
			continue;
		if (v == BASE64_PAD && have >= 2 && have + padding < 4) {
			padding++;
			continue;
		}
		if (v > 63)
			return "a character that is not base64's";
		if (padding)
			return "base64 that goes on behind its end";
		bits = bits << 6 | v;
		if (++have < 4)
			continue;
		char *to = out->data + out->len;
		to[0] = (char)(bits >> 16);
		to[1] = (char)(bits >> 8);
		to[2] = (char)bits;
		out->len += 3;
		have = 0;
		bits = 0;
	}
	out->data[out->len] = '\0';
	if (have && have + padding != 4)
		return "base64 that ends in the middle";
	if (have == 3)
		buf_append(out, (char[]){(char)(bits >> 10), (char)(bits >> 2)}, 2);
	else if (have == 2)
		buf_appendc(out, (char)(bits >> 4));
	return NULL;
}

static void base64_group(const unsigned char *p, size_t n, char out[4])
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint32_t bits = (uint32_t)p[0] << 16;

	bits |= n > 1 ? (uint32_t)p[1] << 8 : 0;
	bits |= n > 2 ? p[2] : 0;
	out[0] = digits[bits >> 18];
	out[1] = digits[bits >> 12 & 63];
	out[2] = n > 1 ? digits[bits >> 6 & 63] : '=';
	out[3] = n > 2 ? digits[bits & 63] : '=';
}

void transfer_encode_base64(const void *bytes, size_t n, size_t line_len, struct buf *out)
{
	const unsigned char *p = bytes;
	size_t column = 0;

	buf_reserve(out, n / 3 * 4 + 4 + n / line_len * 4);
	for (size_t i = 0; i < n; i += 3) {
		char group[4];
		if (column == line_len) {
			buf_append(out, "\r\n", 2);
			column = 0;
		}
		base64_group(p + i, n - i < 3 ? n - i : 3, group);
		buf_append(out, group, 4);
		column += 4;
	}
}

/* --- lines ------------------------------------------------------------------------------- */

bool transfer_lines_too_long(const char *s, size_t n)
{
	for (size_t at = 0; n - at > MIME_LINE_MAX;) {
		/* Only a line end within the next 999 bytes keeps the line short enough. */
		size_t window = n - at < MIME_LINE_MAX + 2 ? n - at : MIME_LINE_MAX + 2;
		const char *lf = memrchr(s + at, '\n', window);
		if (!lf)
			return true;
		if ((size_t)(lf - s) - at == MIME_LINE_MAX + 1 && lf[-1] != '\r' &&
		    !memchr(s + at, '\n', MIME_LINE_MAX + 1))
			return true;
		at = (size_t)(lf - s) + 1;
	}
	return false;
}

/* How much of a quoted-printable line fits: no =XX is cut apart. */
static size_t qp_piece(const char *s, size_t n)
{
	size_t len = TRANSFER_LINE_MAX - 1;

	if (n <= TRANSFER_LINE_MAX)
		return n;
	for (size_t back = 1; back <= 2; back++)
		if (s[len - back] == '=')
			return len - back;
	return len;
}

static void break_line(enum mime_encoding e, const char *s, size_t n, struct buf *out)
{
	while (n) {
		size_t len = e == MIME_QUOTED_PRINTABLE ? qp_piece(s, n)
			     : n < TRANSFER_LINE_MAX    ? n
							: TRANSFER_LINE_MAX;
		buf_append(out, s, len);
		s += len;
		n -= len;
		if (n)
			buf_appends(out, e == MIME_QUOTED_PRINTABLE ? "=\r\n" : "\r\n");
	}
}

void transfer_break_lines(enum mime_encoding e, const char *s, size_t n, struct buf *out)
{
	for (size_t at = 0; at < n;) {
		const char *lf = memchr(s + at, '\n', n - at);
		size_t next = lf ? (size_t)(lf - s) + 1 : n, end = next;
		if (lf)
			end -= end - at >= 2 && lf[-1] == '\r' ? 2 : 1;
		if (end - at > MIME_LINE_MAX)
			break_line(e, s + at, end - at, out);
		else
			buf_append(out, s + at, end - at);
		buf_append(out, s + end, next - end);
		at = next;
	}
}

enum mime_encoding transfer_choose(const char *s, size_t n)
{
	size_t escaped = 0; /* three bytes instead of one; base64 takes four for three */

	for (size_t i = 0; i < n; i++)
		escaped += (s[i] & 0x80) || s[i] == '=' || s[i] == 127 ||
			   (s[i] < 32 && s[i] != '\r' && s[i] != '\n' && s[i] != '\t');
	return escaped > n / 6 ? MIME_BASE64 : MIME_QUOTED_PRINTABLE;
}
