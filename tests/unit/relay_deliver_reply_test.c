/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Replies as peers send them, and as hostile ones do. */
#include "relay/deliver/reply.h"
#include "tests/unit/cmocka.h"

#include <stdlib.h>
#include <string.h>

/* Feeds the text in pieces of `step` bytes; the rest after the first reply is left. */
static enum reply_status feed(struct reply *r, const char *bytes, size_t n, size_t step)
{
	enum reply_status status = REPLY_MORE;

	for (size_t at = 0, used; at < n && status == REPLY_MORE; at += used)
		status = reply_feed(r, bytes + at, n - at < step ? n - at : step, &used);
	return status;
}

static void check(const char *text, int code, const char *enhanced, const char *line)
{
	for (size_t step = 1; step <= 7; step += 3) {
		struct reply r = REPLY_INIT;
		struct buf out = BUF_INIT;

		assert_int_equal(feed(&r, text, strlen(text), step), REPLY_DONE);
		assert_int_equal(r.code, code);
		assert_string_equal(r.enhanced, enhanced);
		reply_line(&r, 1000, &out);
		assert_string_equal(buf_str(&out), line);
		buf_free(&out);
		reply_free(&r);
	}
}

static void replies_are_read(void **state)
{
	(void)state;
	check("220 mx.example ESMTP\r\n", 220, "", "220 mx.example ESMTP");
	check("250\r\n", 250, "", "250");
	check("250 \r\n", 250, "", "250");
	check("550 5.1.1 no such user\r\n", 550, "5.1.1", "550 5.1.1 no such user");
	check("421-4.3.2 going down\r\n421-4.3.2 really\r\n421 4.3.2 bye\r\n", 421, "4.3.2",
	      "421 4.3.2 going down 4.3.2 really 4.3.2 bye");
	check("250 bare line feed\n", 250, "", "250 bare line feed");
	check("451 4.7.650 busy\r\n", 451, "4.7.650", "451 4.7.650 busy");
	/* An enhanced code of another class, or none at all, is text. */
	check("550 4.1.1 odd\r\n", 550, "", "550 4.1.1 odd");
	check("550 5.1.1.1 odd\r\n", 550, "", "550 5.1.1.1 odd");
	check("550 5.1.1234 odd\r\n", 550, "", "550 5.1.1234 odd");
	check("550 5.1. odd\r\n", 550, "", "550 5.1. odd");
}

static void what_could_forge_a_line_is_made_harmless(void **state)
{
	struct reply r = REPLY_INIT;
	struct buf out = BUF_INIT;
	const char text[] = "550 a\0b\rc\x1b[2Jd\xff\xe2\x80\xae"
			    "e\r\n";

	(void)state;
	assert_int_equal(feed(&r, text, sizeof(text) - 1, 3), REPLY_DONE);
	reply_line(&r, 1000, &out);
	assert_string_equal(buf_str(&out), "550 a?b?c?[2Jd????e");
	buf_free(&out);
	reply_free(&r);
}

static void one_after_the_other(void **state)
{
	struct reply r = REPLY_INIT;
	const char text[] = "250 2.1.0 a\r\n550-5.1.1 b\r\n550 5.1.1 c\r\n354 d\r\n25";
	size_t at = 0, used;
	const int codes[] = {250, 550, 354};

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(reply_feed(&r, text + at, sizeof(text) - 1 - at, &used),
				 REPLY_DONE);
		assert_int_equal(r.code, codes[i]);
		at += used;
	}
	assert_string_equal(r.enhanced, "");
	assert_int_equal(reply_feed(&r, text + at, sizeof(text) - 1 - at, &used), REPLY_MORE);
	reply_free(&r);
}

static void what_is_no_reply_is_refused(void **state)
{
	const char *texts[] = {"\r\n",
			       "25\r\n",
			       "hello\r\n",
			       "650 x\r\n",
			       "150 x\r\n",
			       "2500 x\r\n",
			       "250_x\r\n",
			       "250-a\r\n550 b\r\n",
			       "2\xb2"
			       "0 x\r\n"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct reply r = REPLY_INIT;

		assert_int_equal(feed(&r, texts[i], strlen(texts[i]), 100), REPLY_BAD);
		assert_non_null(r.error);
		reply_free(&r);
	}
}

static void lines_and_replies_are_bounded(void **state)
{
	struct reply r = REPLY_INIT;
	struct buf b = BUF_INIT, out = BUF_INIT;

	(void)state;
	/* 8 KB lines are taken, the text that is kept is cut. */
	buf_appends(&b, "250 ");
	while (b.len < 8190)
		buf_appendc(&b, 'x');
	buf_appends(&b, "\r\n");
	assert_int_equal(feed(&r, b.data, b.len, 4096), REPLY_DONE);
	reply_line(&r, 1000, &out);
	assert_int_equal(out.len, 1000);
	/* A longer one is not, with or without an end. */
	buf_truncate(&b, b.len - 2);
	buf_appends(&b, "yyyyyy");
	assert_int_equal(feed(&r, b.data, b.len, 4096), REPLY_BAD);
	reply_reset(&r);
	/* Nor is a reply without an end. */
	buf_clear(&b);
	for (int i = 0; i < 300; i++)
		buf_appends(&b, "250-more\r\n");
	assert_int_equal(feed(&r, b.data, b.len, 4096), REPLY_BAD);
	reply_reset(&r);
	buf_clear(&b);
	for (int i = 0; i < 12; i++) {
		buf_appends(&b, "250-");
		for (int k = 0; k < 6000; k++)
			buf_appendc(&b, 'z');
		buf_appends(&b, "\r\n");
	}
	assert_int_equal(feed(&r, b.data, b.len, 4096), REPLY_BAD);
	reply_free(&r);
	buf_free(&b);
	buf_free(&out);
}

static void cutting_does_not_halve_a_character(void **state)
{
	struct reply r = REPLY_INIT;
	struct buf out = BUF_INIT;
	const char text[] = "550 \xc3\xa4\xc3\xa4\r\n";

	(void)state;
	assert_int_equal(feed(&r, text, sizeof(text) - 1, 100), REPLY_DONE);
	reply_line(&r, 7, &out);
	assert_string_equal(buf_str(&out), "550 \xc3\xa4");
	buf_free(&out);
	reply_free(&r);
}

static void extensions_are_found(void **state)
{
	struct reply r = REPLY_INIT;
	const char text[] = "250-PIPELINING is my name\r\n250-size 1000\r\n250-8bitmime\r\n"
			    "250-AUTH=PLAIN\r\n250-STARTTLSX\r\n250 DSN\r\n";

	(void)state;
	assert_int_equal(feed(&r, text, sizeof(text) - 1, 100), REPLY_DONE);
	struct reply_extensions e = reply_extensions(&r);
	assert_true(e.size && e.eight_bit && e.dsn);
	assert_int_equal(e.size_max, 1000);
	assert_false(e.pipelining || e.starttls || e.smtputf8);
	reply_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replies_are_read),
		cmocka_unit_test(what_could_forge_a_line_is_made_harmless),
		cmocka_unit_test(one_after_the_other),
		cmocka_unit_test(what_is_no_reply_is_refused),
		cmocka_unit_test(lines_and_replies_are_bounded),
		cmocka_unit_test(cutting_does_not_halve_a_character),
		cmocka_unit_test(extensions_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
