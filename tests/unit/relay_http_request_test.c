/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/http/request.h"
#include "tests/unit/cmocka.h"

#include <stdlib.h>
#include <string.h>

#define LEN(a) (sizeof(a) / sizeof(*(a)))

static bool same(struct http_slice s, const char *text)
{
	return s.len == strlen(text) && !memcmp(s.at, text, s.len);
}

/* The whole text at once. status is 0 unless HTTP_BAD. */
static enum http_parse parse(const char *text, size_t n, struct http_request *r, size_t *used,
			     unsigned *status)
{
	struct http_parser p = {0};

	*used = 0;
	*status = 0;
	return http_parse(&p, text, n, r, used, status);
}

static void a_request_is_cut_into_its_parts(void **state)
{
	static const char text[] = "GET /o/AbC?x=1&y HTTP/1.1\r\nHost: T.Example.net:8080\r\n"
				   "User-Agent: \t Thunderbird/115 (x) \r\nx-empty:\r\n\r\nNEXT";
	struct http_request r;
	size_t used;
	unsigned status;

	(void)state;
	assert_int_equal(parse(text, strlen(text), &r, &used, &status), HTTP_DONE);
	assert_int_equal(used, strlen(text) - 4);
	assert_int_equal(r.method, HTTP_GET);
	assert_true(same(r.path, "/o/AbC"));
	assert_true(same(r.query, "x=1&y"));
	assert_true(same(r.host, "T.Example.net"));
	assert_true(same(*http_field(&r, "user-agent"), "Thunderbird/115 (x)"));
	assert_true(same(*http_field(&r, "x-empty"), ""));
	assert_null(http_field(&r, "x-none"));
	assert_true(r.keep_alive);
	assert_int_equal(r.minor, 1);
}

/* However the bytes arrive, the outcome is the same, and nothing past the buffer is read. */
static void every_split_gives_the_same(void **state)
{
	static const char *const texts[] = {
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
		"\r\nHEAD /c/x HTTP/1.0\r\n\r\n",
		"POST /u/x HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nhello world",
		"GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: "
		"chunked\r\n\r\n",
	};

	(void)state;
	for (size_t t = 0; t < LEN(texts); t++) {
		size_t n = strlen(texts[t]), whole_used;
		struct http_request r;
		unsigned whole_status;
		enum http_parse whole = parse(texts[t], n, &r, &whole_used, &whole_status);
		for (size_t cut = 0; cut <= n; cut++) {
			struct http_parser p = {0};
			size_t used = 0;
			unsigned status = 0;
			char *first = malloc(cut ? cut : 1), *all = malloc(n);
			memcpy(first, texts[t], cut);
			memcpy(all, texts[t], n);
			enum http_parse got = http_parse(&p, first, cut, &r, &used, &status);
			if (got == HTTP_MORE)
				got = http_parse(&p, all, n, &r, &used, &status);
			assert_int_equal(got, whole);
			assert_int_equal(status, whole_status);
			if (got == HTTP_DONE)
				assert_int_equal(used, whole_used);
			free(first);
			free(all);
		}
	}
}

static void one_byte_at_a_time_is_enough(void **state)
{
	static const char text[] =
		"POST /u/x?q HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
	struct http_parser p = {0};
	struct http_request r;
	size_t used = 0;
	unsigned status;

	(void)state;
	for (size_t n = 0; n < strlen(text); n++)
		assert_int_equal(http_parse(&p, text, n, &r, &used, &status), HTTP_MORE);
	assert_int_equal(http_parse(&p, text, strlen(text), &r, &used, &status), HTTP_DONE);
	assert_true(same(r.body, "abc"));
	assert_true(same(r.query, "q"));
	assert_int_equal(used, strlen(text));
}

#define H "GET / HTTP/1.1\r\nHost: a\r\n"

static const struct {
	const char *text;
	unsigned status;
} bad[] = {
	/* request line */
	{"GET /\r\n\r\n", 400},
	{"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400},
	{"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
	{" GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
	{"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
	{"G(T / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
	{"GET x HTTP/1.1\r\nHost: a\r\n\r\n", 400},
	{"GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
	{"GET / http/1.1\r\nHost: a\r\n\r\n", 400},
	{"GET / HTTP/1.10\r\nHost: a\r\n\r\n", 400},
	{"GET / HTTP/2.0\r\n\r\n", 505},
	{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
	{"GET http:// HTTP/1.1\r\nHost: a\r\n\r\n", 400},
	{"GET http://u@h/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
	{"\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
	{"\n", 400},
	{"\rG", 400},
	{"\x16\x03\x01", 400}, /* TLS where none is spoken */
	/* lines and fields: what two readers could cut at different places */
	{"GET / HTTP/1.1\nHost: a\n\n", 400},
	{"GET / HTTP/1.1\r\nHost: a\r\rX: y\r\n\r\n", 400},
	{"GET / HTTP/1.1\r\nHost: a\r\nX: y\n\r\n", 400},
	{H "X: a\r\n b\r\n\r\n", 400},
	{H "X: a\r\n\tb\r\n\r\n", 400},
	{"GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400},
	{H "X : y\r\n\r\n", 400},
	{H ": y\r\n\r\n", 400},
	{H "nocolon\r\n\r\n", 400},
	{H "X\xc3\xa9: y\r\n\r\n", 400},
	{H "X: a\x01\r\n\r\n", 400},
	{H "X: a\x7f\r\n\r\n", 400},
	/* host */
	{"GET / HTTP/1.1\r\n\r\n", 400},
	{H "Host: a\r\n\r\n", 400},
	{H "Host: b\r\n\r\n", 400},
	{"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400},
	{"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
	{"GET / HTTP/1.1\r\nHost: a:x\r\n\r\n", 400},
	{"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400},
	{"GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n", 400},
	{"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400},
	/* length and coding */
	{H "Content-Length: 1\r\nContent-Length: 1\r\n\r\nx", 400},
	{H "Content-Length: 1\r\nContent-Length: 2\r\n\r\nxy", 400},
	{H "Content-Length: 1, 1\r\n\r\nx", 400},
	{H "Content-Length: +1\r\n\r\nx", 400},
	{H "Content-Length: -1\r\n\r\nx", 400},
	{H "Content-Length: 0x1\r\n\r\nx", 400},
	{H "Content-Length: 1 1\r\n\r\nx", 400},
	{H "Content-Length:\r\n\r\n", 400},
	{H "Content-Length: 65537\r\n\r\n", 413},
	{H "Content-Length: 18446744073709551617\r\n\r\n", 413},
	{H "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411},
	{H "Transfer-Encoding: xchunked\r\n\r\n", 411},
	{H "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
	{H "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n", 400},
	{"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
	{H "Expect: the unexpected\r\n\r\n", 417},
};

static void what_is_malformed_or_ambiguous_is_refused(void **state)
{
	struct http_request r;
	size_t used;
	unsigned status;

	(void)state;
	for (size_t i = 0; i < LEN(bad); i++) {
		enum http_parse got = parse(bad[i].text, strlen(bad[i].text), &r, &used, &status);
		if (got != HTTP_BAD || status != bad[i].status)
			fail_msg("%s: %d, status %u instead of %u", bad[i].text, got, status,
				 bad[i].status);
	}
	assert_int_equal(parse("GET /\0 HTTP/1.1\r\n", 17, &r, &used, &status), HTTP_BAD);
}

static void persistence_follows_version_and_field(void **state)
{
	static const struct {
		const char *text;
		bool keep;
	} cases[] = {
		{"GET / HTTP/1.1\r\nHost: a\r\n\r\n", true},
		{H "Connection: close\r\n\r\n", false},
		{H "Connection: x, CLOSE\r\n\r\n", false},
		{H "Connection: keep-alive, close\r\n\r\n", false},
		{H "Connection: Upgrade, HTTP2-Settings\r\n\r\n", true},
		{"GET / HTTP/1.0\r\n\r\n", false},
		{"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true},
		{"GET / HTTP/1.9\r\nHost: a\r\n\r\n", true},
	};
	struct http_request r;
	size_t used;
	unsigned status;

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		assert_int_equal(parse(cases[i].text, strlen(cases[i].text), &r, &used, &status),
				 HTTP_DONE);
		assert_int_equal(r.keep_alive, cases[i].keep);
	}
}

static void targets_of_every_form_give_path_and_host(void **state)
{
	static const struct {
		const char *text, *host, *path, *query;
	} cases[] = {
		{"GET /a?b?c HTTP/1.1\r\nHost: h\r\n\r\n", "h", "/a", "b?c"},
		{"GET http://x.example:81/p?q HTTP/1.1\r\nHost: h\r\n\r\n", "x.example", "/p", "q"},
		{"GET HTTPS://x.example HTTP/1.1\r\nHost: h\r\n\r\n", "x.example", "/", ""},
		{"GET http://x.example?q HTTP/1.1\r\nHost: h\r\n\r\n", "x.example", "/", "q"},
		{"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", "h", "*", ""},
		{"CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n", "h", "h:443", ""},
		{"GET / HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n", "[2001:db8::1]", "/", ""},
		{"GET / HTTP/1.1\r\nHost:\r\n\r\n", "", "/", ""},
		{"GET // HTTP/1.0\r\n\r\n", "", "//", ""},
	};
	struct http_request r;
	size_t used;
	unsigned status;

	(void)state;
	for (size_t i = 0; i < LEN(cases); i++) {
		assert_int_equal(parse(cases[i].text, strlen(cases[i].text), &r, &used, &status),
				 HTTP_DONE);
		assert_true(same(r.host, cases[i].host));
		assert_true(same(r.path, cases[i].path));
		assert_true(same(r.query, cases[i].query));
	}
}

static enum http_parse parse_filled(const char *before, char fill, size_t n, const char *after,
				    unsigned *status)
{
	size_t b = strlen(before), a = strlen(after), used;
	char *text = malloc(b + n + a);
	struct http_request r;

	memcpy(text, before, b);
	memset(text + b, fill, n);
	memcpy(text + b + n, after, a);
	enum http_parse got = parse(text, b + n + a, &r, &used, status);
	free(text);
	return got;
}

static void everything_has_a_bound(void **state)
{
	static const char tail[] = " HTTP/1.1\r\nHost: a\r\n\r\n";
	char fields[64 + 8 * HTTP_FIELDS_MAX] = "GET / HTTP/1.1\r\n";
	size_t line = HTTP_LINE_MAX - strlen("GET / HTTP/1.1");
	struct http_request r;
	size_t used;
	unsigned status;

	(void)state;
	assert_int_equal(parse_filled("GET /", 'x', line, tail, &status), HTTP_DONE);
	assert_int_equal(parse_filled("GET /", 'x', line + 1, tail, &status), HTTP_BAD);
	assert_int_equal(status, 414);
	/* Refused while it comes in, not when its end was seen. */
	assert_int_equal(parse_filled("GET /", 'x', HTTP_LINE_MAX, "", &status), HTTP_BAD);
	assert_int_equal(parse_filled(H "X: ", 'x', HTTP_HEAD_MAX, "", &status), HTTP_BAD);
	assert_int_equal(status, 431);
	for (size_t i = 0; i < HTTP_FIELDS_MAX; i++)
		strcat(fields, i ? "x:y\r\n" : "Host:\r\n");
	size_t n = strlen(fields);
	strcpy(fields + n, "\r\n");
	assert_int_equal(parse(fields, n + 2, &r, &used, &status), HTTP_DONE);
	assert_int_equal(r.field_count, HTTP_FIELDS_MAX);
	strcpy(fields + n, "x:y\r\n\r\n");
	assert_int_equal(parse(fields, n + 7, &r, &used, &status), HTTP_BAD);
	assert_int_equal(status, 431);
}

static void a_client_that_waits_for_100_is_noticed(void **state)
{
	static const char text[] = H "Content-Length: 2\r\nExpect: 100-Continue\r\n\r\n";
	struct http_parser p = {0};
	struct http_request r;
	size_t used;
	unsigned status;

	(void)state;
	assert_int_equal(http_parse(&p, text, strlen(text), &r, &used, &status), HTTP_MORE);
	assert_true(p.wants_continue);
	assert_int_equal(p.head_len, strlen(text));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_is_cut_into_its_parts),
		cmocka_unit_test(every_split_gives_the_same),
		cmocka_unit_test(one_byte_at_a_time_is_enough),
		cmocka_unit_test(what_is_malformed_or_ambiguous_is_refused),
		cmocka_unit_test(persistence_follows_version_and_field),
		cmocka_unit_test(targets_of_every_form_give_path_and_host),
		cmocka_unit_test(everything_has_a_bound),
		cmocka_unit_test(a_client_that_waits_for_100_is_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
