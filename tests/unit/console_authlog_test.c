/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is left of a syslog line, whatever was sent. */
#include "console/authlog.h"
#include "tests/unit/cmocka.h"

#include <string.h>

static void expect(const char *line, const char *text)
{
	size_t len;
	const char *got = authlog_text(line, strlen(line), &len);

	assert_int_equal(len, strlen(text));
	assert_memory_equal(got, text, len);
}

static void priority_and_time_are_cut_off(void **state)
{
	(void)state;
	expect("<38>Nov  4 01:02:03 dropbear[7]: Password auth succeeded for 'admin'",
	       "dropbear[7]: Password auth succeeded for 'admin'");
	expect("<38>Nov 24 01:02:03 dropbear[7]: Exit before auth\n",
	       "dropbear[7]: Exit before auth");
}

static void what_is_no_such_line_is_left_as_it_is(void **state)
{
	(void)state;
	expect("", "");
	expect("<", "<");
	expect("<38", "<38");
	expect("<38>", "");
	expect("hello", "hello");
	expect("<38>a b c d e f g h i j k l m n", "a b c d e f g h i j k l m n");
	expect("\n\n", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(priority_and_time_are_cut_off),
		cmocka_unit_test(what_is_no_such_line_is_left_as_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
