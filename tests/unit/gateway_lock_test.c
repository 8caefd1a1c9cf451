/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gateway/lock.h"
#include "tests/unit/cmocka.h"

#include <string.h>

static const struct peer alice = {.who = "alice", .session = 1, .terminal = "/dev/pts/3"};
static const struct peer bob = {.who = "bob", .session = 2};

static void test_one_holder_at_a_time(void **state)
{
	struct edit_lock l = {0};
	struct buf error = BUF_INIT;

	(void)state;
	assert_true(lock_allows(&l, &bob, &error)); /* nobody edits: scripts may commit */
	assert_true(lock_take(&l, &alice, 1700000000, &error));
	assert_true(lock_take(&l, &alice, 1700000099, &error));
	assert_int_equal(l.since_s, 1700000000);
	assert_false(lock_take(&l, &bob, 1700000001, &error));
	assert_string_equal(buf_str(&error),
			    "alice edits the config at /dev/pts/3 since 2023-11-14 22:13:20 UTC; "
			    "an administrator can break the lock\n");
	assert_false(lock_allows(&l, &bob, &error));
	assert_false(lock_release(&l, bob.session));
	assert_true(lock_release(&l, alice.session));
	assert_true(lock_take(&l, &bob, 1700000002, &error));
	buf_free(&error);
}

static void test_who_lost_it_must_take_it_again(void **state)
{
	struct edit_lock l = {0};
	struct buf error = BUF_INIT;

	(void)state;
	assert_true(lock_take(&l, &alice, 1, &error));
	lock_break(&l, &bob, 2);
	assert_true(lock_allows(&l, &bob, &error));
	assert_false(lock_allows(&l, &alice, &error));
	assert_non_null(strstr(buf_str(&error), "bob broke your lock"));
	assert_true(lock_release(&l, bob.session));
	assert_false(lock_allows(&l, &alice, &error));
	assert_true(lock_take(&l, &alice, 3, &error));
	assert_true(lock_allows(&l, &alice, &error));
	buf_free(&error);
}

static void test_breaking_ones_own_or_none_loses_nothing(void **state)
{
	struct edit_lock l = {0};
	struct buf error = BUF_INIT;

	(void)state;
	lock_break(&l, &alice, 1);
	lock_break(&l, &alice, 2);
	assert_true(lock_allows(&l, &alice, &error));
	assert_int_equal(l.since_s, 1);
	assert_int_equal(l.lost_by, 0);
	buf_free(&error);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_holder_at_a_time),
		cmocka_unit_test(test_who_lost_it_must_take_it_again),
		cmocka_unit_test(test_breaking_ones_own_or_none_loses_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
