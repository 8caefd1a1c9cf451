/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/table.h"
#include "tests/unit/cmocka.h"

#include <stdbool.h>
#include <stdlib.h>

enum { MANY = 5000 };

struct thing {
	struct table_node node; /* first */
	unsigned number;
	bool seen;
};

static struct thing *find(const struct table *t, uint32_t hash, unsigned number)
{
	for (struct table_node *n = table_first(t, hash); n; n = table_next(n))
		if (((struct thing *)n)->number == number)
			return (struct thing *)n;
	return NULL;
}

/* Seven things to a hash, and hashes that share slots. */
static uint32_t hash_of(unsigned number)
{
	return number / 7 * 0x10001;
}

static void what_is_added_is_found_until_it_is_removed(void **state)
{
	struct thing *things = calloc(MANY, sizeof(*things));
	struct table t = {0};

	(void)state;
	assert_null(find(&t, 0, 0));
	for (unsigned i = 0; i < MANY; i++) {
		things[i].number = i;
		table_add(&t, &things[i].node, hash_of(i));
	}
	assert_int_equal(t.count, MANY);
	assert_true(t.size >= MANY);
	for (unsigned i = 0; i < MANY; i += 2)
		table_remove(&t, &things[i].node);
	for (unsigned i = 0; i < MANY; i++)
		assert_ptr_equal(find(&t, hash_of(i), i), i % 2 ? &things[i] : NULL);
	assert_int_equal(t.count, MANY / 2);
	free(t.slots);
	free(things);
}

static void each_is_seen_once_though_some_are_removed_meanwhile(void **state)
{
	struct thing *things = calloc(MANY, sizeof(*things));
	struct table t = {0};
	size_t seen = 0;

	(void)state;
	TABLE_EACH (&t, n)
		fail();
	for (unsigned i = 0; i < MANY; i++) {
		things[i].number = i;
		table_add(&t, &things[i].node, hash_of(i));
	}
	TABLE_EACH (&t, n) {
		struct thing *thing = (struct thing *)n;

		assert_false(thing->seen);
		thing->seen = true;
		seen++;
		if (thing->number % 3 == 0)
			table_remove(&t, n);
	}
	assert_int_equal(seen, MANY);
	for (unsigned i = 0; i < MANY; i++)
		assert_ptr_equal(find(&t, hash_of(i), i), i % 3 ? &things[i] : NULL);
	free(t.slots);
	free(things);
}

static void bytes_hash_as_published(void **state)
{
	(void)state;
	/* The authors' test vectors for 32 bits. */
	assert_int_equal(table_hash("", 0), 0x811c9dc5);
	assert_int_equal(table_hash("a", 1), 0xe40c292c);
	assert_int_equal(table_hash("foobar", 6), 0xbf9cf968);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_added_is_found_until_it_is_removed),
		cmocka_unit_test(each_is_seen_once_though_some_are_removed_meanwhile),
		cmocka_unit_test(bytes_hash_as_published),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
