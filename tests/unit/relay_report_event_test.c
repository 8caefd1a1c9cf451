/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/report/event.h"
#include "tests/unit/cmocka.h"

#include <stdlib.h>
#include <string.h>

static struct event example(void)
{
	struct event e = {
		.kind = EVENT_CLICKED,
		.hit_class = 2,
		.time_ms = 1700000000123,
		.message = 77,
		.recipient = 3,
		.account = "acme",
		.rcpt = "c@d.example",
		.detail = "Mozilla/5.0",
		.url = "https://shop.example/?a=1&b=2",
		.took_ms = 12,
	};

	assert_true(addr_parse("192.0.2.9", &e.client));
	return e;
}

static void an_event_comes_back_as_it_was(void **state)
{
	(void)state;
	struct event e = example(), back;
	struct buf b = BUF_INIT;

	event_encode(&e, &b);
	assert_true(event_decode(b.data, b.len, &back));
	assert_int_equal(back.kind, EVENT_CLICKED);
	assert_int_equal(back.hit_class, 2);
	assert_true(back.time_ms == e.time_ms && back.message == 77 && back.recipient == 3);
	assert_string_equal(back.account, "acme");
	assert_string_equal(back.sender, "");
	assert_string_equal(back.url, e.url);
	assert_string_equal(back.reason, "");
	assert_int_equal(addr_cmp(&back.client, &e.client), 0);
	assert_int_equal(back.took_ms, 12);
	event_clear(&back);
	assert_null(back.url);
	buf_free(&b);
}

/* Of a journal that an older version wrote: it had no tags. */
static void one_without_tags_is_read(void **state)
{
	(void)state;
	struct event e = example(), back;
	struct buf b = BUF_INIT;
	char tags[] = "TAGS";

	e.tags = tags;
	event_encode(&e, &b);
	char *at = memmem(b.data, b.len, tags, 4);
	assert_non_null(at);
	size_t begin = (size_t)(at - b.data) - 4;
	memmove(b.data + begin, b.data + begin + 8, b.len - begin - 8);
	b.len -= 8;
	b.data[0] = 1;
	assert_true(event_decode(b.data, b.len, &back));
	assert_string_equal(back.tags, "");
	assert_string_equal(back.url, e.url);
	assert_int_equal(back.took_ms, 12);
	event_clear(&back);
	buf_free(&b);
}

static void damaged_events_are_refused_or_sound(void **state)
{
	(void)state;
	struct event e = example(), back;
	struct buf b = BUF_INIT;

	event_encode(&e, &b);
	for (size_t n = 0; n < b.len; n++) {
		char *bytes = malloc(n ? n : 1);

		memcpy(bytes, b.data, n);
		assert_false(event_decode(bytes, n, &back));
		assert_null(back.account);
		free(bytes);
	}
	for (size_t i = 0; i < b.len; i++) {
		b.data[i] = (char)~b.data[i];
		if (event_decode(b.data, b.len, &back))
			event_clear(&back);
		b.data[i] = (char)~b.data[i];
	}
	buf_appendc(&b, 'x');
	assert_false(event_decode(b.data, b.len, &back));
	buf_free(&b);
}

static void long_texts_are_cut_rather_than_lost(void **state)
{
	(void)state;
	struct event e = example(), back;
	struct buf b = BUF_INIT;
	char url[EVENT_URL_MAX + 100];

	memset(url, 'u', sizeof(url));
	url[sizeof(url) - 1] = '\0';
	memcpy(url + EVENT_TEXT_MAX - 1, "\xe2\x82\xac", 3);
	e.url = url;
	e.detail = url;
	event_encode(&e, &b);
	assert_true(event_decode(b.data, b.len, &back));
	assert_int_equal(strlen(back.url), EVENT_URL_MAX);
	assert_int_equal(strlen(back.detail), EVENT_TEXT_MAX - 1);
	event_clear(&back);
	buf_free(&b);
}

static void kinds_have_names(void **state)
{
	(void)state;
	for (int kind = EVENT_RECEIVED; kind <= EVENT_LAST; kind++)
		assert_string_not_equal(event_kind_name((uint8_t)kind), "unknown");
	assert_string_equal(event_kind_name(EVENT_RECEIVED), "received");
	assert_string_equal(event_kind_name(0), "unknown");
	assert_string_equal(event_kind_name(EVENT_LAST + 1), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_event_comes_back_as_it_was),
		cmocka_unit_test(one_without_tags_is_read),
		cmocka_unit_test(damaged_events_are_refused_or_sound),
		cmocka_unit_test(long_texts_are_cut_rather_than_lost),
		cmocka_unit_test(kinds_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
