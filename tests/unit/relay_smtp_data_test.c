/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/smtp/data.h"
#include "tests/unit/cmocka.h"

#include <stdlib.h>
#include <string.h>

/* What came of one message. */
struct result {
	struct buf stored, header;
	enum data_fault fault;
	uint64_t fault_line;
	bool ended, eight_bit;
	size_t taken;
};

static void store(void *arg, const char *bytes, size_t n)
{
	buf_append(arg, bytes, n);
}

/* Feeds text[n] cut in three at a and b. */
static struct result feed(const char *text, size_t n, size_t a, size_t b, bool chunks)
{
	size_t cuts[] = {0, a, b, n};
	struct result r = {0};
	struct data d = {0};

	data_begin(&d, chunks, 100000, store, &r.stored);
	for (size_t i = 0; i < 3 && !r.ended; i++) {
		size_t len = cuts[i + 1] - cuts[i];
		/* Of its own size, so that a read past it is seen. */
		char *piece = malloc(len ? len : 1);

		memcpy(piece, text + cuts[i], len);
		if (chunks)
			data_chunk(&d, piece, len);
		else
			r.taken += data_dot(&d, piece, len, &r.ended);
		free(piece);
	}
	if (chunks)
		data_last(&d);
	r.fault = d.fault;
	r.fault_line = d.fault_line;
	r.eight_bit = d.eight_bit;
	buf_append(&r.header, d.header.data, d.header.len);
	data_free(&d);
	return r;
}

static void result_free(struct result *r)
{
	buf_free(&r->stored);
	buf_free(&r->header);
}

static void same(const struct result *x, const struct result *y)
{
	assert_int_equal(x->fault, y->fault);
	assert_int_equal(x->fault_line, y->fault_line);
	assert_int_equal(x->ended, y->ended);
	assert_int_equal(x->taken, y->taken);
	if (x->fault)
		return;
	assert_int_equal(x->eight_bit, y->eight_bit);
	assert_string_equal(buf_str(&x->stored), buf_str(&y->stored));
	assert_string_equal(buf_str(&x->header), buf_str(&y->header));
}

/* However the network cuts it, it is the same message. */
static struct result feed_all_ways(const char *text, size_t n, bool chunks)
{
	struct result whole = feed(text, n, n, n, chunks);

	for (size_t a = 0; a <= n; a++) {
		for (size_t b = a; b <= n; b++) {
			struct result cut = feed(text, n, a, b, chunks);

			same(&cut, &whole);
			result_free(&cut);
		}
	}
	return whole;
}

static void dots_are_unstuffed(void **state)
{
	static const struct {
		const char *sent, *stored;
	} table[] = {
		{".\r\n", ""},
		{"a\r\n.\r\n", "a\r\n"},
		{"..\r\n.\r\n", ".\r\n"},
		{"..a\r\n...\r\n.\r\n", ".a\r\n..\r\n"},
		{".a\r\n.\r\n", "a\r\n"},
		{"a.\r\n.b.\r\n.\r\n", "a.\r\nb.\r\n"},
		{"\r\n\r\n.\r\n", "\r\n\r\n"},
		{"12345678\r\n1234567\r\n123456789\t\r\n.\r\n",
		 "12345678\r\n1234567\r\n123456789\t\r\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		size_t n = strlen(table[i].sent);
		char text[100];
		struct result r;

		strcpy(text, table[i].sent);
		strcat(text, "QUIT\r\n");
		r = feed_all_ways(text, n + 6, false);
		assert_int_equal(r.fault, DATA_FINE);
		assert_true(r.ended);
		assert_int_equal(r.taken, n);
		assert_string_equal(buf_str(&r.stored), table[i].stored);
		result_free(&r);
	}
}

/* Each has fooled some server into seeing an end of the message where another saw none. */
static void nothing_but_the_true_end_ends_data(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
		enum data_fault fault;
	} table[] = {
#define SEQUENCE(s, f) {s, sizeof(s) - 1, f}
		SEQUENCE("\n.\n", DATA_BARE_LF),         SEQUENCE("\n.\r\n", DATA_BARE_LF),
		SEQUENCE("\r\n.\n", DATA_BARE_LF),       SEQUENCE("\n.\r", DATA_BARE_LF),
		SEQUENCE("\r.\r", DATA_BARE_CR),         SEQUENCE("\r.\n", DATA_BARE_CR),
		SEQUENCE("\r.\r\n", DATA_BARE_CR),       SEQUENCE("\r\n.\r", DATA_BARE_CR),
		SEQUENCE("\r\r\n.\r\r\n", DATA_BARE_CR), SEQUENCE("\r\n.\r\r\n", DATA_BARE_CR),
		SEQUENCE("\n\n.\n\n", DATA_BARE_LF),     SEQUENCE("\r\n\n.\r\n", DATA_BARE_LF),
		SEQUENCE("\n\r.\n\r", DATA_BARE_LF),     SEQUENCE("\r\n.\0\r\n", DATA_NUL),
		SEQUENCE("\r\n\0.\r\n", DATA_NUL),       SEQUENCE("\r\n.\r\0\n", DATA_BARE_CR),
		SEQUENCE("\r\0\n.\r\n", DATA_BARE_CR),   SEQUENCE("\0\r\n.a\r\n", DATA_NUL),
#undef SEQUENCE
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		static const char before[] = "A: b\r\n\r\nc", after[] = "MAIL\r\nx\r\n.\r\n";
		struct buf text = BUF_INIT;
		struct result r;
		size_t n;

		buf_append(&text, before, sizeof(before) - 1);
		buf_append(&text, table[i].bytes, table[i].n);
		buf_append(&text, after, sizeof(after) - 1);
		n = text.len;
		buf_appends(&text, "QUIT\r\n");

		r = feed_all_ways(text.data, text.len, false);
		if (r.fault != table[i].fault)
			fail_msg("sequence %zu: fault %d", i, (int)r.fault);
		assert_true(r.ended);
		assert_int_equal(r.taken, n);
		result_free(&r);

		/* BDAT is no way around. */
		r = feed_all_ways(text.data, text.len, true);
		assert_int_equal(r.fault, table[i].fault);
		result_free(&r);
		buf_free(&text);
	}
}

static void chunks_are_taken_as_they_are(void **state)
{
	static const struct {
		const char *sent, *stored;
		enum data_fault fault;
	} table[] = {
		{"a: b\r\n\r\n.\r\n..\r\nx\r\n", "a: b\r\n\r\n.\r\n..\r\nx\r\n", DATA_FINE},
		{"no end", "no end\r\n", DATA_FINE},
		{"", "", DATA_FINE},
		{"a\r", NULL, DATA_BARE_CR},
		{"a\n", NULL, DATA_BARE_LF},
		{"a\n\r", NULL, DATA_BARE_LF},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		struct result r = feed_all_ways(table[i].sent, strlen(table[i].sent), true);

		assert_int_equal(r.fault, table[i].fault);
		if (table[i].stored)
			assert_string_equal(buf_str(&r.stored), table[i].stored);
		result_free(&r);
	}
}

static void the_header_is_kept_apart(void **state)
{
	static const struct {
		const char *sent, *header;
	} table[] = {
		{"A: 1\r\nB: 2\r\n\r\nC: 3\r\n\r\nD\r\n.\r\n", "A: 1\r\nB: 2\r\n"},
		{"\r\nA: 1\r\n\r\n.\r\n", ""},
		{"A: 1\r\n.\r\n", "A: 1\r\n"},
		{"A: 1\r\n..: 2\r\n\r\n.\r\n", "A: 1\r\n.: 2\r\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		struct result r = feed_all_ways(table[i].sent, strlen(table[i].sent), false);

		assert_string_equal(buf_str(&r.header), table[i].header);
		result_free(&r);
	}
}

static void the_refusal_names_the_line(void **state)
{
	struct data d = {0};
	struct buf stored = BUF_INIT;
	char text[DATA_TEXT_MAX];
	bool end;

	(void)state;
	data_begin(&d, false, 1000, store, &stored);
	data_dot(&d, "a\r\nb\r\nc\nd\r\n", 10, &end);
	assert_string_equal(data_refusal(&d, text), "554 5.6.0");
	assert_string_equal(text,
			    "line 3 of the message has a LF without CR: lines end with CR LF");
	data_begin(&d, false, 1000, store, &stored);
	assert_null(data_refusal(&d, text));
	data_free(&d);
	buf_free(&stored);
}

static void bytes_over_127_are_seen(void **state)
{
	(void)state;
	for (size_t i = 0; i < 20; i++) {
		char text[32] = "abcdefghijklmnopqrst\r\n.\r\n";
		struct result r;

		r = feed(text, strlen(text), 0, 0, false);
		assert_false(r.eight_bit);
		result_free(&r);
		text[i] = (char)0x80;
		r = feed(text, strlen(text), 0, 0, false);
		assert_true(r.eight_bit);
		assert_int_equal(r.fault, DATA_FINE);
		result_free(&r);
	}
}

/* Repeats piece until it has n bytes. */
static struct result feed_much(const char *piece, size_t n, uint64_t size_max)
{
	struct result r = {0};
	struct data d = {0};
	bool end;

	data_begin(&d, false, size_max, store, &r.stored);
	for (size_t sent = 0; sent < n; sent += strlen(piece))
		data_dot(&d, piece, strlen(piece), &end);
	data_dot(&d, "\r\n.\r\n", 5, &end);
	assert_true(end);
	r.fault = d.fault;
	assert_true(d.header.len <= DATA_HEADER_MAX + 4);
	data_free(&d);
	return r;
}

static void size_line_and_header_are_bounded(void **state)
{
	struct result r;

	(void)state;
	r = feed_much("A: b\r\n", 1200, 1000);
	assert_int_equal(r.fault, DATA_TOO_LARGE);
	assert_true(r.stored.len <= 1000);
	result_free(&r);

	r = feed_much("A: b\r\n", DATA_HEADER_MAX + 100, 10000000);
	assert_int_equal(r.fault, DATA_LARGE_HEADER);
	result_free(&r);

	r = feed_much("A: b\r\n\r\n", 2000000, 10000000);
	assert_int_equal(r.fault, DATA_FINE);
	result_free(&r);
}

static void long_lines_pass_up_to_a_bound(void **state)
{
	struct buf stored = BUF_INIT;
	struct data d = {0};
	char many[65536];
	bool end;

	(void)state;
	memset(many, 'x', sizeof(many));
	data_begin(&d, false, 100000000, store, &stored);
	data_dot(&d, "A: b\r\n\r\n", 8, &end);
	for (size_t n = 0; n + sizeof(many) <= DATA_LINE_MAX; n += sizeof(many))
		data_dot(&d, many, sizeof(many), &end);
	assert_int_equal(d.fault, DATA_FINE);
	data_dot(&d, "x", 1, &end);
	assert_int_equal(d.fault, DATA_LONG_LINE);
	data_free(&d);
	buf_free(&stored);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dots_are_unstuffed),
		cmocka_unit_test(nothing_but_the_true_end_ends_data),
		cmocka_unit_test(chunks_are_taken_as_they_are),
		cmocka_unit_test(the_header_is_kept_apart),
		cmocka_unit_test(the_refusal_names_the_line),
		cmocka_unit_test(bytes_over_127_are_seen),
		cmocka_unit_test(size_line_and_header_are_bounded),
		cmocka_unit_test(long_lines_pass_up_to_a_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
