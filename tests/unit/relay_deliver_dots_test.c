/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What leaves behind DATA ends where we mean it to, however the message is cut into pieces. */
#include "relay/deliver/dots.h"
#include "tests/unit/cmocka.h"

#include <string.h>

static void check(const char *in, size_t n, const char *out)
{
	for (size_t step = 1; step <= n + 1; step++) {
		struct dots d = {0};
		struct buf b = BUF_INIT;

		for (size_t at = 0; at < n; at += step)
			dots_add(&d, in + at, n - at < step ? n - at : step, &b);
		dots_end(&d, &b);
		assert_string_equal(buf_str(&b), out);
		buf_free(&b);
	}
}

#define CHECK(in, out) check(in, sizeof(in) - 1, out)

static void dots_are_doubled(void **state)
{
	(void)state;
	CHECK("", ".\r\n");
	CHECK("a\r\n", "a\r\n.\r\n");
	CHECK(".\r\n", "..\r\n.\r\n");
	CHECK("a\r\n.\r\nb\r\n", "a\r\n..\r\nb\r\n.\r\n");
	CHECK("..a\r\n...\r\n", "...a\r\n....\r\n.\r\n");
	CHECK("a.b\r\n\r\n.c", "a.b\r\n\r\n..c\r\n.\r\n");
}

/* CVE-2023-51764 and its family, seen from the sending side. */
static void no_other_line_end_leaves(void **state)
{
	(void)state;
	CHECK("a\n.\r\nb\r\n", "a\r\n..\r\nb\r\n.\r\n");
	CHECK("a\r\n.\nb\r\n", "a\r\n..\r\nb\r\n.\r\n");
	CHECK("a\r.\rb\r\n", "a\r\n..\r\nb\r\n.\r\n");
	CHECK("a\r\r\n.\r\r\nb", "a\r\n\r\n..\r\n\r\nb\r\n.\r\n");
	CHECK("a\r", "a\r\n.\r\n");
	CHECK("\n.\n", "\r\n..\r\n.\r\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dots_are_doubled),
		cmocka_unit_test(no_other_line_end_leaves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
