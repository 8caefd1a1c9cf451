/* SPDX-License-Identifier: GPL-2.0-or-later */
/* HTTP responses as a client reads them, whole and byte by byte. */
#include "relay/http/answer.h"
#include "tests/unit/cmocka.h"

#include <string.h>

#define BODY_MAX 100

static enum answer_status feed(struct answer *a, const char *text, size_t step)
{
	enum answer_status status = ANSWER_MORE;
	size_t n = strlen(text);

	answer_init(a, BODY_MAX);
	for (size_t at = 0; at < n && status == ANSWER_MORE; at += step)
		status = answer_feed(a, text + at, n - at < step ? n - at : step);
	return status == ANSWER_MORE ? answer_end(a) : status;
}

static void check(const char *text, int status, const char *type, const char *body)
{
	for (size_t step = 1; step < 200; step += 66) {
		struct answer a;

		assert_int_equal(feed(&a, text, step), ANSWER_DONE);
		assert_int_equal(a.status, status);
		assert_string_equal(a.type, type);
		assert_string_equal(buf_str(&a.body), body);
		answer_free(&a);
	}
}

static void responses_are_read(void **state)
{
	(void)state;
	check("HTTP/1.1 200 OK\r\nContent-Type: Text/Plain; charset=utf-8\r\n"
	      "Content-Length: 5\r\n\r\nhello and more",
	      200, "text/plain", "hello");
	check("HTTP/1.0 404\nServer: x\n\nuntil the end", 404, "", "until the end");
	check("HTTP/1.1 204 \r\n\r\nnothing", 204, "", "");
	check("HTTP/1.1 200 \r\ncontent-length:0\r\n\r\n", 200, "", "");
	check("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Made\r\nContent-Length: 1\r\n\r\nx", 201,
	      "", "x");
}

static void chunks_are_joined(void **state)
{
	(void)state;
	check("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n"
	      "3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\nTrailer: t\r\n\r\nrest",
	      200, "", "abc0123456789");
}

static void what_is_wrong_is_told(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{"", "before its end"},
		{"HTTP/2 200 OK\r\n\r\n", "HTTP/1.1"},
		{"HTTP/1.1 20x OK\r\n\r\n", "HTTP/1.1"},
		{"SSH-2.0-x\r\n", "HTTP/1.1"},
		{"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "no name"},
		{"HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n", "no name"},
		{"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "no number"},
		{"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "no number"},
		{"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "two"},
		{"HTTP/1.1 200 OK\r\nContent-Length: 101\r\n\r\n", "too long"},
		{"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", "before its end"},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "chunked"},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
		 "both"},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "no number"},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n", "no number"},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n", "longer"},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n", "too long"},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n",
		 "before its end"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		for (size_t step = 1; step < 200; step += 66) {
			struct answer a;

			assert_int_equal(feed(&a, cases[i].text, step), ANSWER_BAD);
			assert_non_null(strstr(a.error, cases[i].why));
			answer_free(&a);
		}
}

static void head_and_body_are_bounded(void **state)
{
	struct answer a;

	(void)state;
	answer_init(&a, BODY_MAX);
	answer_feed(&a, "HTTP/1.1 200 OK\r\n", 17);
	for (int i = 0; i < ANSWER_HEAD_MAX && a.error == NULL; i++)
		answer_feed(&a, "A: b\r\n", 6);
	assert_non_null(strstr(a.error, "head"));
	assert_int_equal(answer_end(&a), ANSWER_BAD);
	answer_free(&a);

	answer_init(&a, BODY_MAX);
	answer_feed(&a, "HTTP/1.1 200 OK\r\n\r\n", 19);
	for (int i = 0; i < BODY_MAX; i++)
		assert_int_equal(answer_feed(&a, "x", 1), ANSWER_MORE);
	assert_int_equal(answer_feed(&a, "x", 1), ANSWER_BAD);
	assert_int_equal(a.body.len, BODY_MAX);
	answer_free(&a);

	answer_init(&a, BODY_MAX);
	assert_int_equal(answer_feed(&a, "HTTP/1.1 200 \0\r\n\r\n", 18), ANSWER_BAD);
	answer_free(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(responses_are_read),
		cmocka_unit_test(chunks_are_joined),
		cmocka_unit_test(what_is_wrong_is_told),
		cmocka_unit_test(head_and_body_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
