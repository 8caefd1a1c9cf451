/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/monitor.h"
#include "cli/support.h"
#include "tests/unit/cmocka.h"

#include <stdlib.h>
#include <string.h>

static const struct {
	const char *text, *hidden;
} texts[] = {
	{"nothing to hide: $5 and $x$ and -----BEGIN CERTIFICATE-----",
	 "nothing to hide: $5 and $x$ and -----BEGIN CERTIFICATE-----"},
	{"password s3cret!; s3cret", "password (hidden); s3cret"},
	{"admin:$y$j9T$aaaaaaaaaaaaaaaa$bbbbbbbbbbbb:1", "admin:(hidden):1"},
	{"\"$6$salt$0123456789./abcdefXYZ\"", "\"(hidden)\""},
	{"a -----BEGIN EC PRIVATE KEY-----\nMIGH\n-----END EC PRIVATE KEY-----\nb",
	 "a (hidden)\nb"},
	{"a -----BEGIN PRIVATE KEY-----\nMIGH, cut off", "a (hidden)"},
	{"s3cret!s3cret!", "(hidden)(hidden)"},
	{"", ""},
};

static void no_secret_is_left(void **state)
{
	static char secret[] = "s3cret!";
	char *const secrets[] = {secret};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct buf text = BUF_INIT;

		buf_appends(&text, texts[i].text);
		support_hide(&text, secrets, 1);
		assert_string_equal(buf_str(&text), texts[i].hidden);
		buf_free(&text);
	}
}

static void rates_are_what_moved_in_a_second(void **state)
{
	json_t *before =
		json_loads("[{\"n\":\"a\",\"x\":100,\"s\":\"t\"},{\"n\":\"b\",\"x\":90}]", 0, NULL);
	json_t *now = json_loads("[{\"n\":\"a\",\"x\":300,\"s\":\"t\"},{\"n\":\"b\",\"x\":10},"
				 "{\"n\":\"c\",\"x\":5}]",
				 0, NULL);

	(void)state;
	monitor_rates(now, before, "n", 2.0);
	char *text = json_dumps(now, JSON_COMPACT);
	assert_string_equal(text, "[{\"n\":\"a\",\"x\":300,\"s\":\"t\",\"x_rate\":100},"
				  "{\"n\":\"b\",\"x\":10,\"x_rate\":5},{\"n\":\"c\",\"x\":5}]");
	free(text);
	json_decref(before);
	json_decref(now);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_secret_is_left),
		cmocka_unit_test(rates_are_what_moved_in_a_second),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
