/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages through track_rewrite() with everything on, and back to what can be read. */
#ifndef GATEPOST_TESTS_UNIT_REWRITTEN_H
#define GATEPOST_TESTS_UNIT_REWRITTEN_H

#include "relay/mime/splice.h"
#include "relay/track/rewrite.h"
#include "tests/unit/cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOST "t.example.net"

static struct token_ring *ring;

static inline struct track_options all_on(void)
{
	return (struct track_options){.opens = true,
				      .clicks_html = true,
				      .clicks_text = true,
				      .https = true,
				      .host = HOST,
				      .account = "acme",
				      .ring = ring,
				      .key_id = 1,
				      .message = 42,
				      .recipient = 2,
				      .accepted = 1700000000};
}

/* Each tracked link as [URL], the pixel as |, everything else as it is. */
static inline void unmask(const char *s, size_t n, struct buf *out)
{
	static const char img[] = "<img src=\"";
	static const char img_end[] = "\" width=\"1\" height=\"1\" border=\"0\" alt=\"\">";

	for (size_t at = 0; at < n;) {
		const char *host = memmem(s + at, n - at, "//" HOST "/", strlen(HOST) + 3);
		enum token_kind kind;
		const char *text;
		struct token t;
		size_t len, path, colon;
		if (!host) {
			buf_append(out, s + at, n - at);
			return;
		}
		path = (size_t)(host - s) + 2 + strlen(HOST);
		len = strspn(s + path + 3, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
					   "0123456789-_");
		if (!token_path(s + path, 3 + len, &kind, &text, &len) ||
		    !token_open(ring, HOST, text, len, &t)) {
			buf_append(out, s + at, path - at);
			at = path;
			continue;
		}
		assert_int_equal(t.kind, kind);
		assert_true(t.message == 42 && t.recipient == 2 && t.accepted == 1700000000);
		assert_string_equal(t.account, "acme");
		for (colon = (size_t)(host - s);
		     s[colon - 1] != '/' && colon > at &&
		     ((s[colon - 1] >= 'a' && s[colon - 1] <= 'z') || s[colon - 1] == ':');)
			colon--;
		size_t end = path + 3 + len;
		if (kind == TOKEN_OPEN) {
			colon -= strlen(img);
			assert_memory_equal(s + colon, img, strlen(img));
			assert_memory_equal(s + end, img_end, strlen(img_end));
			end += strlen(img_end);
		}
		buf_append(out, s + at, colon - at);
		buf_printf(out,
			   kind == TOKEN_OPEN    ? "|"
			   : kind == TOKEN_CLICK ? "[%s]"
						 : "unsubscribe",
			   t.url);
		at = end;
	}
}

static inline void rewrite_with(const char *in, size_t n, const struct track_options *o,
				struct buf *out, struct track_report *r)
{
	buf_clear(out);
	track_rewrite(in, n, o, out, r);
	assert_false(transfer_lines_too_long(buf_str(out), out->len));
}

/* Rewrites with everything on; the message with its links and pixel unmasked. */
static inline const char *rewritten(const char *in)
{
	static struct buf unmasked;
	struct track_options o = all_on();
	struct buf out = BUF_INIT;
	struct track_report r;

	buf_clear(&unmasked);
	rewrite_with(in, strlen(in), &o, &out, &r);
	unmask(buf_str(&out), out.len, &unmasked);
	track_report_free(&r);
	buf_free(&out);
	return buf_str(&unmasked);
}

struct pair {
	const char *in, *out;
};

/* Bodies of an HTML or plain text message, before and after. */
static inline void check(const char *header, const struct pair *pairs, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct buf in = BUF_INIT, want = BUF_INIT;
		buf_printf(&in, "%s\r\n\r\n%s", header, pairs[i].in);
		buf_printf(&want, "%s\r\n\r\n%s", header, pairs[i].out);
		assert_string_equal(rewritten(buf_str(&in)), buf_str(&want));
		buf_free(&in);
		buf_free(&want);
	}
}

#define CHECK(header, pairs) check(header, pairs, sizeof(pairs) / sizeof(*(pairs)))
#define HTML                 "Content-Type: text/html; charset=utf-8"
#define TEXT                 "Content-Type: text/plain; charset=utf-8"

static inline int make_ring(void **state)
{
	struct token_key key = {.id = 1, .secret = "0123456789abcdef0123456789abcde"};

	(void)state;
	ring = token_ring_new(&key, 1);
	return 0;
}

static inline int drop_ring(void **state)
{
	(void)state;
	token_ring_free(ring);
	return 0;
}

#endif
