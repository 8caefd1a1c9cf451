/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The relaxed form of a body, against the RFC's words taken literally. */
#include "relay/sign/relaxed.h"

#include "lib/buf.h"
#include "tests/unit/cmocka.h"

#include <stdlib.h>
#include <string.h>

/* RFC 6376 §3.4.4, step by step: each line by itself, then the empty lines at the end. */
static void literally(const char *s, size_t n, struct buf *out)
{
	size_t keep = out->len;

	for (size_t at = 0; at < n;) {
		const char *end = memmem(s + at, n - at, "\r\n", 2);
		size_t stop = end ? (size_t)(end - s) : n, from = out->len;
		for (size_t i = at; i < stop; i++) {
			bool blank = s[i] == ' ' || s[i] == '\t';
			if (!blank)
				buf_appendc(out, s[i]);
			else if (out->len == from || out->data[out->len - 1] != ' ')
				buf_appendc(out, ' ');
		}
		while (out->len > from && out->data[out->len - 1] == ' ')
			buf_truncate(out, out->len - 1);
		bool empty = out->len == from;
		buf_appends(out, "\r\n");
		keep = empty ? keep : out->len;
		at = stop + 2;
	}
	buf_truncate(out, keep);
}

static void collect(void *arg, const char *bytes, size_t n)
{
	assert_true(n > 0);
	buf_append(arg, bytes, n);
}

static void check(const struct buf *body)
{
	struct buf want = BUF_INIT, got = BUF_INIT;
	/* Memory of its own: AddressSanitizer sees a byte read too far. */
	char *copy = memcpy(malloc(body->len), body->data, body->len);

	assert_true(relaxed_fit(copy, body->len));
	literally(copy, body->len, &want);
	relaxed_body(copy, body->len, collect, &got);
	assert_int_equal(got.len, want.len);
	assert_memory_equal(got.data, want.data, want.len);
	free(copy);
	buf_free(&want);
	buf_free(&got);
}

static void every_body_is_made_as_the_rfc_says(void **state)
{
	static const char *const pieces[] = {
		"a",        "word", " ",  "  ",       "\t",   "\r\n",
		"\r\n\r\n", ".",    "\v", "\xc3\xa4", " \t ", "a sentence of a letter"};
	struct buf body = BUF_INIT;

	(void)state;
	srandom(4871);
	for (int round = 0; round < 20000; round++) {
		/* Of few kinds of pieces, so that there are long stretches of each. */
		size_t kinds = 1 + (size_t)random() % (sizeof(pieces) / sizeof(*pieces));
		size_t first = (size_t)random() % (sizeof(pieces) / sizeof(*pieces));
		buf_clear(&body);
		buf_appends(&body, random() % 2 ? "x" : " x");
		for (long left = random() % 120; left > 0; left--)
			buf_appends(&body, pieces[(first + (size_t)random() % kinds) %
						  (sizeof(pieces) / sizeof(*pieces))]);
		buf_appends(&body, random() % 2 ? "\r\n" : "");
		check(&body);
	}
	buf_free(&body);
}

static void white_space_at_every_place(void **state)
{
	struct buf body = BUF_INIT;

	(void)state;
	/* Around the blocks that are looked at at one time. */
	for (size_t at = 0; at < 200; at++)
		for (size_t run = 1; run < 140; run += 23) {
			buf_clear(&body);
			for (size_t i = 0; i < at; i++)
				buf_appendc(&body, 'x');
			for (size_t i = 0; i < run; i++)
				buf_appendc(&body, i % 3 ? ' ' : '\t');
			buf_appends(&body, at % 2 ? "\r\ny\r\n" : "y\r\n");
			check(&body);
		}
	buf_free(&body);
}

static void other_bodies_do_not_fit(void **state)
{
	static const char *const cases[] = {
		"",         "\r\n",     " \r\n\t\r\n\r\n", "x\n",     "x\r",     "\nx\r\n",
		"x\ry\r\n", "x\ny\r\n", "x\r\n\n\r\n",     "x\r\r\n", "\rx\r\n",
	};
	char many[300];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_false(relaxed_fit(cases[i], strlen(cases[i])));
	for (size_t at = 0; at + 2 < sizeof(many); at++) {
		memset(many, 'x', sizeof(many));
		memcpy(many + sizeof(many) - 2, "\r\n", 2);
		assert_true(relaxed_fit(many, sizeof(many)));
		many[at] = at % 2 ? '\r' : '\n';
		assert_false(relaxed_fit(many, sizeof(many)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_body_is_made_as_the_rfc_says),
		cmocka_unit_test(white_space_at_every_place),
		cmocka_unit_test(other_bodies_do_not_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
