/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/http/response.h"
#include "tests/unit/cmocka.h"

#include <string.h>

static const char *format(const struct http_response *r, int minor, bool head, bool keep_alive)
{
	static struct buf out;
	char date[HTTP_DATE_MAX];

	buf_clear(&out);
	http_response_format(r, minor, head, keep_alive, http_date(784111777, date), &out);
	return buf_str(&out);
}

static void a_redirect_carries_the_address_and_nothing_else(void **state)
{
	(void)state;
	assert_string_equal(
		format(&(struct http_response){.status = 302,
					       .location = "https://x.example/?a=%20&b=(c)#d"},
		       1, false, true),
		"HTTP/1.1 302 Found\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
		"Cache-Control: no-store\r\nLocation: https://x.example/?a=%20&b=(c)#d\r\n"
		"Content-Length: 0\r\n\r\n");
}

static void head_gets_the_same_fields_and_no_body(void **state)
{
	const struct http_response r = {
		.status = 200, .type = "image/gif", .body = "GIF\0\1", .body_len = 5};

	(void)state;
	const char *get = format(&r, 1, false, false);
	size_t fields = (size_t)(strstr(get, "\r\n\r\n") + 4 - get);
	assert_non_null(strstr(get, "Content-Length: 5\r\n"));
	assert_non_null(strstr(get, "Connection: close\r\n"));
	assert_memory_equal(get + fields, "GIF\0\1", 5);
	char copy[512];
	memcpy(copy, get, fields);
	copy[fields] = '\0';
	assert_string_equal(format(&r, 1, true, false), copy);
}

static void an_old_client_hears_that_its_connection_is_kept(void **state)
{
	const struct http_response r = {.status = 404};

	(void)state;
	assert_non_null(strstr(format(&r, 0, false, true), "Connection: keep-alive\r\n"));
	assert_null(strstr(format(&r, 1, false, true), "Connection:"));
	assert_non_null(strstr(format(&r, 1, false, true), "\r\n\r\nNot Found\n"));
}

static void a_control_character_never_becomes_a_field(void **state)
{
	static const char *const urls[] = {"http://x/\r\nSet-Cookie: a", "http://x/\n",
					   "http://x/\t", "http://x/\x7f"};

	(void)state;
	for (size_t i = 0; i < sizeof(urls) / sizeof(*urls); i++) {
		const char *text =
			format(&(struct http_response){.status = 302, .location = urls[i]}, 1,
			       false, true);
		assert_memory_equal(text, "HTTP/1.1 500 ", 13);
		assert_null(strstr(text, "http://x"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_redirect_carries_the_address_and_nothing_else),
		cmocka_unit_test(head_gets_the_same_fields_and_no_body),
		cmocka_unit_test(an_old_client_hears_that_its_connection_is_kept),
		cmocka_unit_test(a_control_character_never_becomes_a_field),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
