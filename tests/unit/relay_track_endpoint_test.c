/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/track/bot.h"
#include "relay/track/endpoint.h"
#include "tests/unit/cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW_MS 1700000000000u

static const struct token_key key = {.id = 3, .secret = {1, 2, 3}};

static uint64_t now_ms = NOW_MS;
static struct endpoint_rules rules; /* ask() fills in the ring */

static struct buf seal(enum token_kind kind, const char *url, const char *host)
{
	static struct token t;
	struct token_ring *ring = token_ring_new(&key, 1);
	struct buf out = BUF_INIT;

	t = (struct token){.kind = kind, .message = 42, .recipient = 7, .accepted = 1699999000};
	strcpy(t.account, "acme");
	strcpy(t.campaign, "spring");
	strcpy(t.tags, "news,vip");
	snprintf(t.url, sizeof(t.url), "%s", url);
	assert_true(token_seal(ring, key.id, host, &t, &out));
	token_ring_free(ring);
	return out;
}

/* What "METHOD /LETTER/TOKEN" gets, asked of host. */
static const struct endpoint_answer *ask(const char *method, const char *path, const char *host,
					 const char *more)
{
	static struct endpoint_answer answer;
	static struct buf text;
	struct token_ring *ring = token_ring_new(&key, 1);
	struct http_parser p = {0};
	struct http_request r;
	struct addr client;
	size_t used;
	unsigned status;

	buf_clear(&text);
	buf_printf(&text, "%s %s HTTP/1.1\r\nHost: %s\r\n%s%s", method, path, host, more,
		   strstr(more, "\r\n\r\n") ? "" : "\r\n");
	assert_int_equal(http_parse(&p, text.data, text.len, &r, &used, &status), HTTP_DONE);
	assert_true(addr_parse("198.51.100.9", &client));
	rules.ring = ring;
	endpoint_decide(&rules, &r, &client, now_ms, &answer);
	token_ring_free(ring);
	return &answer;
}

static const char *path_of(char letter, const struct buf *token)
{
	static char path[TOKEN_TEXT_MAX + 8];

	snprintf(path, sizeof(path), "/%c/%s", letter, buf_str(token));
	return path;
}

static void a_click_becomes_a_redirect_and_an_event(void **state)
{
	struct buf t = seal(TOKEN_CLICK, "https://x.example/?a=b#c", "t.example");

	(void)state;
	const struct endpoint_answer *a =
		ask("GET", path_of('c', &t), "T.Example:8080", "User-Agent: Mozilla/5.0\r\n");
	assert_true(a->hit);
	assert_int_equal(a->response.status, 302);
	assert_string_equal(a->response.location, "https://x.example/?a=b#c");
	assert_int_equal(a->event.kind, EVENT_CLICKED);
	assert_int_equal(a->event.message, 42);
	assert_int_equal(a->event.recipient, 7);
	assert_int_equal(a->event.time_ms, NOW_MS);
	assert_string_equal(a->event.account, "acme");
	assert_string_equal(a->event.campaign, "spring");
	assert_string_equal(a->event.tags, "news,vip");
	assert_string_equal(a->event.url, "https://x.example/?a=b#c");
	assert_string_equal(a->event.detail, "Mozilla/5.0");
	assert_int_equal(a->event.hit_class, HIT_PREFETCH);
	assert_string_equal(a->event.reason, "Apple Mail Privacy Protection");
	buf_free(&t);
}

static void an_open_is_the_pixel_and_an_event(void **state)
{
	struct buf t = seal(TOKEN_OPEN, "", "t.example");

	(void)state;
	const struct endpoint_answer *a = ask("GET", path_of('o', &t), "t.example", "");
	assert_true(a->hit);
	assert_int_equal(a->response.status, 200);
	assert_string_equal(a->response.type, "image/gif");
	assert_int_equal(a->response.body_len, 43);
	assert_memory_equal(a->response.body, "GIF89a", 6);
	assert_int_equal(a->event.kind, EVENT_OPENED);
	assert_null(a->event.url);
	buf_free(&t);
}

static void expect_nothing(const struct endpoint_answer *a)
{
	assert_false(a->hit);
	assert_int_equal(a->response.status, 404);
	assert_null(a->response.location);
	assert_null(a->response.body);
}

static void a_token_opens_for_its_kind_and_host_alone(void **state)
{
	struct buf click = seal(TOKEN_CLICK, "https://x.example/", "t.example");
	struct buf open = seal(TOKEN_OPEN, "", "t.example");

	(void)state;
	expect_nothing(ask("GET", path_of('o', &click), "t.example", ""));
	expect_nothing(ask("GET", path_of('c', &open), "t.example", ""));
	expect_nothing(ask("GET", path_of('u', &click), "t.example", ""));
	expect_nothing(ask("GET", path_of('c', &click), "u.example", ""));
	expect_nothing(ask("GET", path_of('c', &click), "", ""));
	expect_nothing(ask("GET", "/", "t.example", ""));
	buf_free(&click);
	buf_free(&open);
}

static void any_altered_token_is_nothing(void **state)
{
	struct buf t = seal(TOKEN_CLICK, "https://x.example/", "t.example");

	(void)state;
	for (size_t i = 0; i + 1 < t.len; i++) {
		char was = t.data[i];
		t.data[i] = was == 'x' ? 'y' : 'x';
		expect_nothing(ask("GET", path_of('c', &t), "t.example", ""));
		t.data[i] = was;
	}
	buf_free(&t);
}

static void only_a_web_address_is_led_to(void **state)
{
	static const struct {
		const char *url;
		bool led;
	} cases[] = {
		{"http://x.example", true},
		{"HTTPS://x.example/@a?b=c@d", true},
		{"https://[2001:db8::1]:8/", true},
		{"javascript:alert(1)", false},
		{"data:text/html,x", false},
		{"https:/x.example", false},
		{"https:///x", false},
		{"https://?x", false},
		{"https://\\x.example", false},
		{"https://u@x.example/", false},
		{"https://u:p@x.example", false},
		{"https://x.example/\r\nSet-Cookie: a", false},
		{"https://x.example/\x7f", false},
		{"", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct buf t = seal(TOKEN_CLICK, cases[i].url, "t.example");
		const struct endpoint_answer *a = ask("GET", path_of('c', &t), "t.example", "");
		if (cases[i].led)
			assert_string_equal(a->response.location, cases[i].url);
		else
			expect_nothing(a);
		buf_free(&t);
	}
}

static void escapes_of_plain_characters_in_the_path_mean_the_same(void **state)
{
	struct buf t = seal(TOKEN_CLICK, "https://x.example/", "t.example"), path = BUF_INIT;

	(void)state;
	buf_appends(&path, "/c/");
	for (size_t i = 0; i < t.len; i++)
		buf_printf(&path, i % 2 ? "%%%02X" : "%%%02x", (unsigned char)t.data[i]);
	assert_true(ask("GET", buf_str(&path), "t.example", "")->hit);
	buf_clear(&path);
	buf_printf(&path, "/c%%2f%s", buf_str(&t));
	expect_nothing(ask("GET", buf_str(&path), "t.example", ""));
	expect_nothing(ask("GET", "/c/%", "t.example", ""));
	expect_nothing(ask("GET", "/c/%4", "t.example", ""));
	expect_nothing(ask("GET", "/c/%zz", "t.example", ""));
	buf_free(&path);
	buf_free(&t);
}

static void methods(void **state)
{
	struct buf t = seal(TOKEN_CLICK, "https://x.example/", "t.example");

	(void)state;
	const struct endpoint_answer *a = ask("HEAD", path_of('c', &t), "t.example", "");
	assert_true(a->hit);
	assert_int_equal(a->event.hit_class, HIT_SCANNER);
	assert_int_equal(a->response.status, 302);
	static const char *const others[] = {"POST", "PUT", "OPTIONS", "get"};
	for (size_t i = 0; i < 4; i++) {
		a = ask(others[i], path_of('c', &t), "t.example", "");
		assert_false(a->hit);
		assert_int_equal(a->response.status, 405);
		assert_string_equal(a->response.allow, "GET, HEAD");
	}
	a = ask("GET", "/healthz", "t.example", "");
	assert_false(a->hit);
	assert_int_equal(a->response.status, 200);
	buf_free(&t);
}

static void the_user_agent_is_bounded_and_prefetchers_are_heard(void **state)
{
	struct buf t = seal(TOKEN_OPEN, "", "t.example"), more = BUF_INIT;

	(void)state;
	buf_appends(&more, "User-Agent: ");
	for (int i = 0; i < 3000; i++)
		buf_appendc(&more, 'x');
	buf_appends(&more, "\r\nSec-Purpose: prefetch;prerender\r\n");
	const struct endpoint_answer *a = ask("GET", path_of('o', &t), "t.example", buf_str(&more));
	assert_int_equal(strlen(a->event.detail), ENDPOINT_AGENT_MAX);
	assert_int_equal(a->event.hit_class, HIT_PREFETCH);
	buf_free(&more);
	buf_free(&t);
}

#define FORM "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: "

static void one_click_unsubscribes_by_post_alone(void **state)
{
	struct buf t = seal(TOKEN_UNSUBSCRIBE, "bob@b.example", "t.example");
	const struct endpoint_answer *a = ask("GET", path_of('u', &t), "t.example", "");

	(void)state;
	assert_false(a->hit);
	assert_int_equal(a->response.status, 200);
	assert_non_null(strstr(a->response.body, "method=\"post\""));
	assert_null(strstr(a->response.body, "bob"));
	a = ask("POST", path_of('u', &t), "t.example", FORM "26\r\n\r\nList-Unsubscribe=One-Click");
	assert_true(a->hit && a->must_be_kept);
	assert_int_equal(a->response.status, 200);
	assert_null(a->response.location);
	assert_int_equal(a->event.kind, EVENT_UNSUBSCRIBED);
	assert_string_equal(a->event.rcpt, "bob@b.example");
	assert_string_equal(a->event.account, "acme");
	assert_int_equal(a->event.message, 42);
	assert_null(a->event.url);
	a = ask("POST", path_of('u', &t), "t.example", FORM "3\r\n\r\na=b");
	assert_false(a->hit);
	assert_int_equal(a->response.status, 400);
	buf_free(&t);
	t = seal(TOKEN_CLICK, "https://x.example/", "t.example");
	expect_nothing(ask("POST", path_of('u', &t), "t.example",
			   FORM "26\r\n\r\nList-Unsubscribe=One-Click"));
	buf_free(&t);
}

static void what_is_old_leads_nowhere_but_to_unsubscribing(void **state)
{
	static const struct {
		enum token_kind kind;
		char letter;
	} kinds[] = {{TOKEN_CLICK, 'c'}, {TOKEN_OPEN, 'o'}};
	const uint64_t day_ms = 86400000;

	(void)state;
	rules.expire_days = 1;
	for (size_t i = 0; i < 2; i++) {
		struct buf t = seal(kinds[i].kind, "https://x.example/", "t.example");
		assert_true(ask("GET", path_of(kinds[i].letter, &t), "t.example", "")->hit);
		now_ms += day_ms;
		expect_nothing(ask("GET", path_of(kinds[i].letter, &t), "t.example", ""));
		now_ms -= day_ms;
		buf_free(&t);
	}
	struct buf t = seal(TOKEN_UNSUBSCRIBE, "bob@b.example", "t.example");
	now_ms += 400 * day_ms;
	assert_int_equal(ask("GET", path_of('u', &t), "t.example", "")->response.status, 200);
	now_ms -= 400 * day_ms;
	rules.expire_days = 0;
	buf_free(&t);
}

/* The list as http gets it. */
static void shut(enum shut_kind kind, const char *name)
{
	struct shut_list *l = shut_list_new();
	struct buf bytes = BUF_INIT;

	shut_list_free((struct shut_list *)(uintptr_t)rules.shut);
	assert_true(shut_list_add(l, SHUT_ACCOUNT, "zz"));
	assert_true(shut_list_add(l, SHUT_DOMAIN, "b.example"));
	assert_true(shut_list_add(l, kind, name));
	assert_true(shut_list_add(l, SHUT_MESSAGE, "0000000000000"));
	shut_list_encode(l, &bytes);
	shut_list_free(l);
	assert_null(shut_list_decode(bytes.data, bytes.len - 1));
	rules.shut = shut_list_decode(bytes.data, bytes.len);
	assert_non_null(rules.shut);
	buf_free(&bytes);
}

static void what_was_shut_off_leads_nowhere(void **state)
{
	static const struct {
		enum shut_kind kind;
		const char *name, *url;
		bool click, open;
	} cases[] = {
		{SHUT_ACCOUNT, "acme", "https://x.example/", false, false},
		{SHUT_ACCOUNT, "acm", "https://x.example/", true, true},
		{SHUT_MESSAGE, "000000000001A", "https://x.example/", false, false},
		{SHUT_MESSAGE, "000000000001B", "https://x.example/", true, true},
		{SHUT_DOMAIN, "x.example", "https://x.example/", false, true},
		{SHUT_DOMAIN, "x.example", "http://www.X.example:8080/a", false, true},
		{SHUT_DOMAIN, "x.example", "http://x.example./", false, true},
		{SHUT_DOMAIN, "x.example", "http://%78.example/", false, true},
		{SHUT_DOMAIN, "x.example", "https://yx.example/x.example", true, true},
		{SHUT_DOMAIN, "www.x.example", "https://x.example/", true, true},
		{SHUT_DOMAIN, "192.0.2.1", "https://192.0.2.1/", false, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct buf click = seal(TOKEN_CLICK, cases[i].url, "t.example");
		struct buf open = seal(TOKEN_OPEN, "", "t.example");
		struct buf leave = seal(TOKEN_UNSUBSCRIBE, "a@b.example", "t.example");

		shut(cases[i].kind, cases[i].name);
		const struct endpoint_answer *a = ask("GET", path_of('c', &click), "t.example", "");
		assert_int_equal(a->response.status, cases[i].click ? 302 : 404);
		assert_int_equal(a->hit, cases[i].click);
		a = ask("GET", path_of('o', &open), "t.example", "");
		assert_int_equal(a->response.status, cases[i].open ? 200 : 404);
		a = ask("GET", path_of('u', &leave), "t.example", "");
		assert_int_equal(a->response.status, 200);
		buf_free(&click);
		buf_free(&open);
		buf_free(&leave);
	}
	shut_list_free((struct shut_list *)(uintptr_t)rules.shut);
	rules.shut = NULL;
}

static void without_keys_there_is_nothing(void **state)
{
	static struct endpoint_answer a;
	static const char text[] = "GET /c/AAAA HTTP/1.1\r\nHost: t.example\r\n\r\n";
	struct http_parser p = {0};
	struct http_request r;
	struct addr client = {0};
	size_t used;
	unsigned status;

	(void)state;
	http_parse(&p, text, strlen(text), &r, &used, &status);
	endpoint_decide(&(struct endpoint_rules){0}, &r, &client, NOW_MS, &a);
	expect_nothing(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_click_becomes_a_redirect_and_an_event),
		cmocka_unit_test(an_open_is_the_pixel_and_an_event),
		cmocka_unit_test(a_token_opens_for_its_kind_and_host_alone),
		cmocka_unit_test(any_altered_token_is_nothing),
		cmocka_unit_test(only_a_web_address_is_led_to),
		cmocka_unit_test(escapes_of_plain_characters_in_the_path_mean_the_same),
		cmocka_unit_test(methods),
		cmocka_unit_test(the_user_agent_is_bounded_and_prefetchers_are_heard),
		cmocka_unit_test(one_click_unsubscribes_by_post_alone),
		cmocka_unit_test(what_is_old_leads_nowhere_but_to_unsubscribing),
		cmocka_unit_test(what_was_shut_off_leads_nowhere),
		cmocka_unit_test(without_keys_there_is_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
