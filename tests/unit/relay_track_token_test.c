/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/track/token.h"

#include "tests/unit/cmocka.h"

#include <string.h>

#define HOST "t.example.net"

static struct token_ring *two_keys(void)
{
	struct token_key keys[2] = {{.id = 300, .secret = {1, 2, 3}},
				    {.id = 1, .secret = {4, 5, 6}}};

	return token_ring_new(keys, 2);
}

static struct token a_click(void)
{
	return (struct token){
		.kind = TOKEN_CLICK,
		.message = UINT64_MAX,
		.recipient = 70000,
		.link = 3,
		.accepted = 1700000000,
		.account = "acme",
		.campaign = "spring sale",
		.url = "https://example.com/?a=1&b=%C3%A4#x",
	};
}

static void what_is_sealed_is_what_is_opened(void **state)
{
	struct token_ring *r = two_keys();
	struct token t = a_click(), got;
	struct buf text = BUF_INIT;

	(void)state;
	assert_true(token_seal(r, 300, HOST, &t, &text));
	assert_true(token_open(r, HOST, text.data, text.len, &got));
	assert_int_equal(got.kind, TOKEN_CLICK);
	assert_true(got.message == t.message && got.recipient == t.recipient &&
		    got.link == t.link && got.accepted == t.accepted);
	assert_string_equal(got.account, t.account);
	assert_string_equal(got.campaign, t.campaign);
	assert_string_equal(got.url, t.url);
	for (size_t i = 0; i < text.len; i++)
		assert_non_null(
			strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
			       text.data[i]));
	buf_free(&text);
	token_ring_free(r);
}

static void the_same_gives_the_same_and_anything_else_another(void **state)
{
	struct token_ring *r = two_keys();
	struct token t = a_click();
	struct buf a = BUF_INIT, b = BUF_INIT;

	(void)state;
	token_seal(r, 1, HOST, &t, &a);
	token_seal(r, 1, HOST, &t, &b);
	assert_string_equal(a.data, b.data);
	t.recipient++;
	buf_clear(&b);
	token_seal(r, 1, HOST, &t, &b);
	/* Nothing but the clear part (version, key, account tag) is shared: not even the nonce. */
	assert_memory_equal(a.data, b.data, 8);
	assert_memory_not_equal(a.data + 8, b.data + 8, 16);
	buf_free(&a);
	buf_free(&b);
	token_ring_free(r);
}

static void an_altered_token_is_none(void **state)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	struct token_ring *r = two_keys();
	struct token t = a_click(), got = {.message = 7};
	struct buf text = BUF_INIT;

	(void)state;
	assert_true(token_seal(r, 1, HOST, &t, &text));
	for (size_t i = 0; i < text.len; i++) {
		char was = text.data[i];
		for (const char *d = digits; *d; d++) {
			text.data[i] = *d;
			if (*d != was)
				assert_false(token_open(r, HOST, text.data, text.len, &got));
		}
		text.data[i] = '=';
		assert_false(token_open(r, HOST, text.data, text.len, &got));
		text.data[i] = was;
	}
	for (size_t n = 0; n < text.len; n++)
		assert_false(token_open(r, HOST, text.data, n, &got));
	buf_appendc(&text, 'A');
	assert_false(token_open(r, HOST, text.data, text.len, &got));
	assert_int_equal(got.message, 7); /* untouched */
	buf_free(&text);
	token_ring_free(r);
}

static void a_token_is_for_its_host_and_key(void **state)
{
	struct token_ring *r = two_keys(), *none = token_ring_new(NULL, 0);
	struct token_key other = {.id = 1, .secret = {9}};
	struct token_ring *wrong = token_ring_new(&other, 1);
	struct token t = a_click(), got;
	struct buf text = BUF_INIT;

	(void)state;
	assert_false(token_seal(r, 2, HOST, &t, &text));
	assert_true(token_seal(r, 1, HOST, &t, &text));
	assert_true(token_open(r, "T.Example.NET:8080", text.data, text.len, &got));
	assert_false(token_open(r, "t.example.com", text.data, text.len, &got));
	assert_false(token_open(r, "", text.data, text.len, &got));
	assert_false(token_open(none, HOST, text.data, text.len, &got));
	assert_false(token_open(wrong, HOST, text.data, text.len, &got));
	assert_false(token_open(r, "[::1", text.data, text.len, &got));
	buf_free(&text);
	token_ring_free(r);
	token_ring_free(none);
	token_ring_free(wrong);
}

static void a_field_over_its_bound_is_refused(void **state)
{
	struct token_ring *r = two_keys();
	struct token t = a_click();
	struct buf text = BUF_INIT;

	(void)state;
	memset(t.account, 'a', sizeof(t.account));
	assert_false(token_seal(r, 1, HOST, &t, &text));
	t = a_click();
	memset(t.url, 'u', sizeof(t.url));
	assert_false(token_seal(r, 1, HOST, &t, &text));
	assert_int_equal(text.len, 0);
	t.url[sizeof(t.url) - 1] = '\0';
	assert_true(token_seal(r, 1, HOST, &t, &text));
	assert_true(text.len < TOKEN_TEXT_MAX);
	buf_free(&text);
	token_ring_free(r);
}

static void paths_are_read_strictly(void **state)
{
	static const struct {
		const char *path;
		int kind;
	} cases[] = {
		{"/o/abc", TOKEN_OPEN},
		{"/c/a-_9", TOKEN_CLICK},
		{"/u/x?y=1", TOKEN_UNSUBSCRIBE},
		{"/c/", 0},
		{"/x/abc", 0},
		{"/c/abc/d", 0},
		{"c/abc", 0},
		{"/c/ab.c", 0},
		{"/cc/abc", 0},
		{"/c/?abc", 0},
		{"", 0},
		{"/", 0},
	};
	struct buf url = BUF_INIT;
	enum token_kind kind;
	const char *token;
	size_t n;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		bool ok = token_path(cases[i].path, strlen(cases[i].path), &kind, &token, &n);
		assert_int_equal(ok, cases[i].kind != 0);
		if (ok)
			assert_int_equal(kind, cases[i].kind);
	}
	token_url(true, HOST, TOKEN_CLICK, "abc", &url);
	assert_string_equal(url.data, "https://t.example.net/c/abc");
	assert_true(token_path(url.data + 21, url.len - 21, &kind, &token, &n));
	assert_int_equal(n, 3);
	buf_free(&url);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_sealed_is_what_is_opened),
		cmocka_unit_test(the_same_gives_the_same_and_anything_else_another),
		cmocka_unit_test(an_altered_token_is_none),
		cmocka_unit_test(a_token_is_for_its_host_and_key),
		cmocka_unit_test(a_field_over_its_bound_is_refused),
		cmocka_unit_test(paths_are_read_strictly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
