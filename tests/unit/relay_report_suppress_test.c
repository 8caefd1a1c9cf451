/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/report/lists.h"
#include "relay/report/suppress.h"
#include "tests/unit/cmocka.h"
#include "tests/unit/tmpdir.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void a_mark_is_of_one_account_and_one_address(void **state)
{
	uint64_t mark = suppress_mark("acme", "Bob@b.example");

	(void)state;
	assert_true(mark != 0);
	assert_true(mark == suppress_mark("acme", "bob@B.EXAMPLE"));
	assert_true(mark != suppress_mark("acme", "bob@b.example2"));
	assert_true(mark != suppress_mark("acm", "ebob@b.example"));
	assert_true(mark != suppress_mark("ACME", "bob@b.example"));
}

/* Marks that lie close together collide, which is what makes holes. */
static void a_set_does_what_a_plain_table_does(void **state)
{
	enum { RANGE = 97, STEPS = 200000 };
	struct suppress_set *s = suppress_set_new();
	bool plain[RANGE + 1] = {false};
	size_t count = 0;

	(void)state;
	srand(1);
	for (int i = 0; i < STEPS; i++) {
		uint64_t mark = 1 + (uint64_t)rand() % RANGE;
		if (rand() % 2) {
			suppress_set_add(s, mark);
			count += !plain[mark];
			plain[mark] = true;
		} else {
			suppress_set_remove(s, mark);
			count -= plain[mark];
			plain[mark] = false;
		}
		uint64_t other = 1 + (uint64_t)rand() % RANGE;
		assert_int_equal(suppress_set_has(s, other), plain[other]);
		assert_int_equal(suppress_set_count(s), count);
	}
	for (uint64_t mark = 1; mark <= RANGE; mark++)
		assert_int_equal(suppress_set_has(s, mark), plain[mark]);
	suppress_set_free(s);
}

static void count_one(const char *account, const char *address, void *arg)
{
	assert_string_equal(account, "acme");
	assert_string_equal(address, "bob@b.example");
	++*(size_t *)arg;
}

/* Where no file can be made, who unsubscribed is remembered all the same, and written later. */
static void what_the_disk_does_not_take_is_owed_to_it(void **state)
{
	struct lists *l = lists_open("later/lists.db");
	size_t count = 0;
	bool more;

	(void)state;
	assert_int_equal(lists_suppress(l, "acme", "x@y.example", "", 0, 1), LISTS_FAILED);
	assert_int_equal(lists_suppress_owing(l, "acme", "bob@b.example", "", 7, 1), LISTS_CHANGED);
	assert_int_equal(lists_suppress_owing(l, "acme", "BOB@b.example", "", 7, 1), LISTS_NOTHING);
	assert_false(lists_save(l));
	lists_each(l, count_one, &count);
	assert_int_equal(count, 1);
	assert_int_equal(lists_allow(l, "acme", "bob@b.example"), LISTS_FAILED);
	assert_int_equal(mkdir("later", 0700), 0);
	assert_true(lists_save(l));
	lists_close(l);

	l = lists_open("later/lists.db");
	json_t *rows = lists_suppressed(l, NULL, NULL, 10, &more);
	assert_int_equal(json_array_size(rows), 1);
	assert_false(more);
	json_decref(rows);
	assert_int_equal(lists_allow(l, "acme", "Bob@b.example"), LISTS_CHANGED);
	assert_int_equal(lists_allow(l, "acme", "Bob@b.example"), LISTS_NOTHING);
	lists_close(l);
	unlink("later/lists.db");
	assert_int_equal(rmdir("later"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mark_is_of_one_account_and_one_address),
		cmocka_unit_test(a_set_does_what_a_plain_table_does),
		tmpdir_test(what_the_disk_does_not_take_is_owed_to_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
