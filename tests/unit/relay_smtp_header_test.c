/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/smtp/header.h"
#include "tests/unit/cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* In memory of its own size, so that a read past it is seen. */
static struct header read_text(const char *text)
{
	size_t n = strlen(text);
	char *bytes = malloc(n ? n : 1);
	struct header h;

	memcpy(bytes, text, n);
	header_read(bytes, n, &h);
	free(bytes);
	return h;
}

static struct header from_field(const char *value)
{
	char text[2000];

	snprintf(text, sizeof(text), "To: x@y.example\r\nFrom: %s\r\nSubject: s\r\n", value);
	return read_text(text);
}

static void one_address_is_found(void **state)
{
	static const struct {
		const char *value, *address;
	} table[] = {
		{"a@b.example", "a@b.example"},
		{"<a@b.example>", "a@b.example"},
		{"Anna Bell <a@b.example>", "a@b.example"},
		{"\"Bell, Anna\" <a@b.example>", "a@b.example"},
		{"\"a@c.example\" <a@b.example>", "a@b.example"},
		{"a@b.example <a@b.example>", "a@b.example"},
		{"\"a \\\" <x@y.example>\" <a@b.example>", "a@b.example"},
		{"A. B. Bell <a@b.example>", "a@b.example"},
		{"=?utf-8?Q?B=2C?= =?utf-8?B?w7w=?= <a@b.example>", "a@b.example"},
		{"B\xc3\xbcro <a@b.example>", "a@b.example"},
		{"Anna\r\n Bell\r\n\t<a@b.example>", "a@b.example"},
		{"a@b.example (Anna, <x@y.example>, (deeper) \\) end)", "a@b.example"},
		{"(one) a (two) @ (three) b.example (four)", "a@b.example"},
		{"Anna <a (x) . z @ b . example>", "a.z@b.example"},
		{"\"anna\"@b.example", "anna@b.example"},
		{"\"an na\"@b.example", "\"an na\"@b.example"},
		{"a@[192.0.2.1]", "a@[192.0.2.1]"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		struct header h = from_field(table[i].value);

		if (h.status)
			fail_msg("%s: %s %s", table[i].value, h.status, h.text);
		assert_string_equal(h.from.text, table[i].address);
	}
}

static void anything_but_one_address_is_refused(void **state)
{
	static const struct {
		const char *value, *text;
	} table[] = {
		{"", "no address"},
		{"Anna", "no address"},
		{"Anna Bell", "no address"},
		{"<>", "no address"},
		{"a@b.example, c@d.example", "more than one"},
		{"Bell, Anna <a@b.example>", "more than one"},
		{"a@b.example,", "more than one"},
		{"<a@b.example>, <c@d.example>", "more than one"},
		{"Team: a@b.example;", "group"},
		{"Team:;", "group"},
		{"<a@b.example> <c@d.example>", "do not match"},
		{"<<a@b.example>>", "do not match"},
		{"<a@b.example", "do not match"},
		{"a@b.example>", "do not match"},
		{"<a@b.example> Anna", "follows"},
		{"c@d.example <a@b.example>", "outside"},
		{"<@c.example,@d.example:a@b.example>", "more than one"},
		{"<@c.example:a@b.example>", "group"},
		{"Anna a@b.example", "no address"},
		{"a b@c.example", "no address"},
		{"a@b@c.example", "not of the form"},
		{"a@", "empty label"},
		{"@b.example", "missing"},
		{"a..b@c.example", "dot"},
		{"\"a@b.example", "not closed"},
		{"a@b.example (", "not closed"},
		{"a@b.example (\\", "not closed"},
		{"a@[192.0.2.1", "not closed"},
		{"a@b.example \\", "alone"},
		{"a\x01@b.example", "control"},
		{"=?utf-8?Q?x=40bank.example?=@b.example", "encoded-word"},
		{"((((((((((((((((((x)))))))))))))))))) a@b.example", "too deep"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		struct header h = from_field(table[i].value);

		if (!h.status)
			fail_msg("%s: taken as %s", table[i].value, h.from.text);
		assert_string_equal(h.status, "550 5.7.1");
		if (!strstr(h.text, table[i].text))
			fail_msg("%s: '%s' lacks '%s'", table[i].value, h.text, table[i].text);
	}
}

static void one_from_field_is_demanded(void **state)
{
	static const struct {
		const char *text, *status, *says;
	} table[] = {
		{"", "550 5.7.1", "no From field"},
		{"Subject: x\r\n", "550 5.7.1", "no From field"},
		{"X-From: a@b.example\r\n", "550 5.7.1", "no From field"},
		{"From: a@b.example\r\nfrom: c@d.example\r\n", "550 5.7.1", "second"},
		{"From: a@b.example\r\nFrom : c@d.example\r\n", "550 5.7.1", "second"},
		{"From: a@b.example\r\nnonsense\r\n", "554 5.6.0", "nonsense: this line"},
		{"From a@b.example Mon Jan 1\r\nFrom: a@b.example\r\n", "554 5.6.0", "no header"},
		{" From: a@b.example\r\n", "554 5.6.0", "no header field"},
		{": x\r\n", "554 5.6.0", "no header field"},
		{"Fr\xc3\xb6m: a@b.example\r\n", "554 5.6.0", "Fr\\xC3\\xB6m"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		struct header h = read_text(table[i].text);

		assert_non_null(h.status);
		assert_string_equal(h.status, table[i].status);
		if (!strstr(h.text, table[i].says))
			fail_msg("'%s' lacks '%s'", h.text, table[i].says);
	}
	assert_string_equal(read_text("FROM :\r\n a@b.example").from.text, "a@b.example");
}

static void a_loop_is_seen(void **state)
{
	char text[10000] = "From: a@b.example\r\n";
	size_t n = strlen(text);

	(void)state;
	for (unsigned i = 0; i < HEADER_HOPS_MAX; i++)
		n += (size_t)sprintf(text + n, "Received: by %u\r\n", i);
	assert_null(read_text(text).status);
	strcpy(text + n, "received: once more\r\n");
	assert_string_equal(read_text(text).status, "554 5.4.6");
}

static void texts_are_decoded(void **state)
{
	static const struct {
		const char *value, *text;
	} table[] = {
		{"plain", "plain"},
		{"two\r\n  words", "two words"},
		{"=?utf-8?Q?a=C3=BC_b?=", "a\xc3\xbc b"},
		{"=?UTF-8?b?w7w=?=", "\xc3\xbc"},
		{"=?utf-8?Q?a?= =?utf-8?Q?b?= c", "ab c"},
		{"=?utf-8?Q?a?=\r\n =?iso-8859-1?Q?=FC?=", "a\xc3\xbc"},
		{"=?utf-8?Q?=C3?= =?utf-8?Q?=BC?=", "\xc3\xbc"},
		{"=?iso-8859-15?Q?=A4?= =?windows-1252?Q?=80=81?=",
		 "\xe2\x82\xac\xe2\x82\xac\xef\xbf\xbd"},
		{"=?utf-8*en?Q?a?=", "a"},
		{"=?koi8-r?Q?=C1?=", "=?koi8-r?Q?=C1?="},
		{"=?utf-8?Q?=C?=", "=?utf-8?Q?=C?="},
		{"=?utf-8?X?a?=", "=?utf-8?X?a?="},
		{"=?utf-8?Q?a b?=", "=?utf-8?Q?a b?="},
		{"=?utf-8?Q?a", "=?utf-8?Q?a"},
		{"=?", "=?"},
		{"a=", "a="},
		{"x=?utf-8?Q?y?=z", "xyz"},
		{"=?utf-8?Q?a=00=0D=0Ab?=", "a\xef\xbf\xbd  b"},
		{"raw \xfc", "raw \xef\xbf\xbd"},
		{"raw \xc3\xbc", "raw \xc3\xbc"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		size_t n = strlen(table[i].value);
		char *bytes = malloc(n), out[100];

		memcpy(bytes, table[i].value, n);
		header_decode(bytes, n, out, sizeof(out));
		free(bytes);
		assert_string_equal(out, table[i].text);
	}
}

static void texts_are_cut_between_characters(void **state)
{
	char out[6];

	(void)state;
	header_decode("abcdefgh", 8, out, sizeof(out));
	assert_string_equal(out, "abcde");
	header_decode("abcd\xc3\xbc", 6, out, sizeof(out));
	assert_string_equal(out, "abcd");
	header_decode("abcdefgh\xc3\xbc=?utf-8?Q?a?=", 24, out, sizeof(out));
	assert_string_equal(out, "abcde");
}

static void subject_and_message_id_are_taken_once(void **state)
{
	struct header h = read_text("From: a@b.example\r\nSubject: =?utf-8?Q?=C3=BC?=\r\n"
				    "Subject: other\r\nMessage-ID: <1@b.example>\r\n");

	(void)state;
	assert_null(h.status);
	assert_string_equal(h.subject, "\xc3\xbc");
	assert_string_equal(h.message_id, "<1@b.example>");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_address_is_found),
		cmocka_unit_test(anything_but_one_address_is_refused),
		cmocka_unit_test(one_from_field_is_demanded),
		cmocka_unit_test(a_loop_is_seen),
		cmocka_unit_test(texts_are_decoded),
		cmocka_unit_test(texts_are_cut_between_characters),
		cmocka_unit_test(subject_and_message_id_are_taken_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
