/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Transfer encodings: what decodes soundly and is changed in one place is changed in that place. */
#include "relay/mime/splice.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void splice_somewhere(const struct leaf *l, size_t start, size_t end, bool seven_bit)
{
	static const char text[] = "https://t.example.net/c/"
				   "abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz";
	struct splice s = {start, end, text, sizeof(text) - 1};
	struct buf out = BUF_INIT;
	struct leaf after;

	enum mime_encoding e = leaf_splice(l, &s, 1, seven_bit, &out);
	must(!transfer_lines_too_long(buf_str(&out), out.len));
	must(leaf_open(&after, buf_str(&out), out.len, e) == NULL);
	must(after.text_len == l->text_len - (end - start) + s.len);
	must(memcmp(after.text, l->text, start) == 0);
	must(memcmp(after.text + start, text, s.len) == 0);
	must(memcmp(after.text + start + s.len, l->text + end, l->text_len - end) == 0);
	leaf_close(&after);
	buf_free(&out);
}

static bool inside_line_end(const struct leaf *l, size_t at)
{
	return at > 0 && at < l->text_len && l->text[at] == '\n' && l->text[at - 1] == '\r';
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct leaf l;
	struct buf out = BUF_INIT;

	if (n < 5)
		return 0;
	enum mime_encoding e = bytes[0] % MIME_ENCODING_UNKNOWN;
	const char *fault = leaf_open(&l, (const char *)bytes + 5, n - 5, e);
	leaf_splice(&l, NULL, 0, bytes[0] & 0x80, &out);
	/* A bare LF is no line end to an encoder, and nothing has one in the relay. */
	bool bare = false;
	for (size_t i = 5; i < n; i++)
		bare = bare || (bytes[i] == '\n' && bytes[i - 1] != '\r') ||
		       (bytes[i] == '\r' && (i + 1 == n || bytes[i + 1] != '\n'));
	if (!fault && !bare && l.text_len) {
		size_t start = (bytes[1] | bytes[2] << 8) % (l.text_len + 1);
		size_t end = start + (bytes[3] | bytes[4] << 8) % (l.text_len - start + 1);
		if (!inside_line_end(&l, start) && !inside_line_end(&l, end))
			splice_somewhere(&l, start, end, bytes[0] & 0x80);
	}
	leaf_close(&l);
	buf_free(&out);
	return 0;
}
