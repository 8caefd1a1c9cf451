/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/mime/splice.h"

#include <string.h>

const char *leaf_open(struct leaf *l, const char *source, size_t n, enum mime_encoding e)
{
	*l = (struct leaf){.source = source, .source_len = n, .encoding = e};
	switch (e) {
	case MIME_7BIT:
	case MIME_8BIT:
	case MIME_BINARY:
		l->text = source;
		l->text_len = n;
		return NULL;
	case MIME_QUOTED_PRINTABLE:
	case MIME_BASE64: {
		const char *fault = e == MIME_BASE64
					    ? transfer_decode_base64(source, n, &l->decoded)
					    : transfer_decode_qp(source, n, &l->decoded, &l->map);
		l->text = buf_str(&l->decoded);
		l->text_len = l->decoded.len;
		return fault;
	}
	case MIME_ENCODING_UNKNOWN:
		break;
	}
	l->text = "";
	return "a transfer encoding that is not known";
}

void leaf_close(struct leaf *l)
{
	buf_free(&l->decoded);
	transfer_map_free(&l->map);
	*l = (struct leaf){0};
}

/* The decoded text from `from` on, with the splices in it. */
static void spliced_text(const struct leaf *l, size_t from, const struct splice *splices,
			 size_t count, struct buf *out)
{
	size_t at = from;

	for (size_t i = 0; i < count; i++) {
		buf_append(out, l->text + at, splices[i].start - at);
		buf_append(out, splices[i].text, splices[i].len);
		at = splices[i].end;
	}
	buf_append(out, l->text + at, l->text_len - at);
}

static bool has_high_bytes(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (s[i] & 0x80)
			return true;
	return false;
}

static enum mime_encoding splice_plain(const struct leaf *l, const struct splice *splices,
				       size_t count, bool seven_bit, struct buf *out)
{
	size_t start = out->len;

	spliced_text(l, 0, splices, count, out);
	const char *text = buf_str(out) + start;
	size_t n = out->len - start;
	bool high = seven_bit && has_high_bytes(text, n);
	if (!high && !transfer_lines_too_long(text, n))
		return seven_bit ? MIME_7BIT : l->encoding;

	enum mime_encoding e = transfer_choose(text, n);
	struct buf encoded = BUF_INIT;
	if (e == MIME_BASE64)
		transfer_encode_base64(text, n, TRANSFER_LINE_MAX, &encoded);
	else
		transfer_encode_qp(text, n, 0, &encoded);
	buf_truncate(out, start);
	buf_append(out, buf_str(&encoded), encoded.len);
	buf_free(&encoded);
	return e;
}

/* --- quoted-printable -------------------------------------------------------------------- */

static size_t column_of(const struct buf *out, size_t start)
{
	const char *text = buf_str(out) + start;
	const char *lf = memrchr(text, '\n', out->len - start);

	return lf ? (size_t)(buf_str(out) + out->len - lf) - 1 : out->len - start;
}

/* Source bytes from `at` to the end of their line. */
static size_t rest_of_line(const struct leaf *l, size_t at)
{
	const char *lf = memchr(l->source + at, '\n', l->source_len - at);
	size_t end = lf ? (size_t)(lf - l->source) : l->source_len;

	return end - at - (lf && end > at && lf[-1] == '\r' ? 1 : 0);
}

/* Before white space that only padded a line (RFC 2045 §6.7 (3)): behind it, new text would make
 * it count. floor: what must not be passed. */
static size_t before_padding(const struct leaf *l, size_t text_at, size_t at, size_t floor)
{
	if (text_at > 0) {
		struct mime_range last = transfer_map_range(&l->map, text_at - 1, text_at,
							    l->text_len, l->source_len);
		floor = last.end > floor ? last.end : floor;
	}
	while (at > floor && (l->source[at - 1] == ' ' || l->source[at - 1] == '\t'))
		at--;
	return at;
}

static void splice_qp(const struct leaf *l, const struct splice *splices, size_t count,
		      struct buf *out)
{
	size_t start = out->len, at = 0;

	for (size_t i = 0; i < count; i++) {
		struct mime_range r = transfer_map_range(&l->map, splices[i].start, splices[i].end,
							 l->text_len, l->source_len);
		r.start = before_padding(l, splices[i].start, r.start, at);
		if (splices[i].start == splices[i].end)
			r.end = r.start;
		buf_append(out, l->source + at, r.start - at);
		size_t column = transfer_encode_qp(splices[i].text, splices[i].len,
						   column_of(out, start), out);
		size_t rest = rest_of_line(l, r.end);
		if (rest && column + rest > TRANSFER_LINE_MAX && column)
			buf_append(out, "=\r\n", 3);
		at = r.end;
	}
	buf_append(out, l->source + at, l->source_len - at);
}

/* --- base64 ------------------------------------------------------------------------------ */

static size_t line_length(const struct leaf *l)
{
	const char *cr = memchr(l->source, '\r', l->source_len);
	size_t n = cr ? (size_t)(cr - l->source) : l->source_len;

	return n >= 4 && n <= MIME_LINE_MAX && n % 4 == 0 && cr ? n : TRANSFER_LINE_MAX;
}

/* How many whole lines of that length the source begins with, at most max. */
static size_t regular_lines(const struct leaf *l, size_t length, size_t max)
{
	size_t lines = 0, at = 0;

	for (; lines < max && l->source_len - at >= length + 2; lines++, at += length + 2) {
		if (memcmp(l->source + at + length, "\r\n", 2) != 0)
			break;
		for (size_t i = 0; i < length; i++)
			if (strchr(" \t\r\n=", l->source[at + i]))
				return lines;
	}
	return lines;
}

static void splice_base64(const struct leaf *l, const struct splice *splices, size_t count,
			  struct buf *out)
{
	size_t length = line_length(l), bytes = length / 4 * 3;
	size_t kept = regular_lines(l, length, splices[0].start / bytes);
	size_t tail = l->source_len;
	struct buf text = BUF_INIT;

	while (tail > 0 && strchr(" \t\r\n", l->source[tail - 1]))
		tail--;
	buf_append(out, l->source, kept * (length + 2));
	spliced_text(l, kept * bytes, splices, count, &text);
	transfer_encode_base64(buf_str(&text), text.len, length, out);
	buf_append(out, l->source + tail, l->source_len - tail);
	buf_free(&text);
}

enum mime_encoding leaf_splice(const struct leaf *l, const struct splice *splices, size_t count,
			       bool seven_bit, struct buf *out)
{
	struct buf spliced = BUF_INIT;

	if (l->encoding == MIME_ENCODING_UNKNOWN) {
		buf_append(out, l->source, l->source_len);
		return l->encoding;
	}
	if (l->encoding <= MIME_BINARY)
		return splice_plain(l, splices, count, seven_bit, out);
	if (count == 0)
		buf_append(&spliced, l->source, l->source_len);
	else if (l->encoding == MIME_BASE64)
		splice_base64(l, splices, count, &spliced);
	else
		splice_qp(l, splices, count, &spliced);
	transfer_break_lines(l->encoding, buf_str(&spliced), spliced.len, out);
	buf_free(&spliced);
	return l->encoding;
}
