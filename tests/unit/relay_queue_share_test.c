/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Nobody can hold everything, however long things are held; and what is due comes in time. */
#include "relay/queue/share.h"
#include "relay/queue/timeline.h"
#include "tests/unit/cmocka.h"

#include <stdlib.h>

static struct share_item *want(struct share *s, uint32_t account, size_t n, uint64_t units)
{
	struct share_item *items = calloc(n, sizeof(*items));

	for (size_t i = 0; i < n; i++)
		share_want(s, &items[i], account, 10, units);
	return items;
}

static void one_account_alone_leaves_room(void **state)
{
	struct share s;
	size_t given = 0;

	(void)state;
	share_init(&s, 240, true);
	struct share_item *a = want(&s, 1, 1000, 1);
	while (share_next(&s))
		given++;
	assert_in_range(given, 150, 170);
	/* Nothing comes back, and yet the next account gets its share, and the third. */
	struct share_item *b = want(&s, 2, 1000, 1);
	for (given = 0; share_next(&s);)
		given++;
	assert_in_range(given, 40, 60);
	struct share_item *c = want(&s, 3, 1000, 1);
	for (given = 0; share_next(&s);)
		given++;
	assert_in_range(given, 12, 25);
	assert_true(s.used <= 240);
	share_free(&s);
	free(a);
	free(b);
	free(c);
}

static void what_comes_back_is_given_again(void **state)
{
	struct share s;
	size_t given = 0, order[3] = {0};
	uint32_t who = 1;

	(void)state;
	share_init(&s, 30, true);
	struct share_item *a = want(&s, 1, 500, 1), *b = want(&s, 2, 500, 1);
	while (given < 1000) {
		struct share_item *item = share_next(&s);

		if (item) {
			given++;
			order[item->account]++;
			if (given == 400)
				assert_in_range(order[1], 190, 230);
		} else {
			assert_true(s.used > 0);
			who = share_held(&s, 3 - who) ? 3 - who : who;
			share_return(&s, who, 1);
		}
	}
	assert_int_equal(order[1], 500);
	assert_int_equal(order[2], 500);
	share_free(&s);
	free(a);
	free(b);
}

static void a_thing_larger_than_everything_passes(void **state)
{
	struct share s;

	(void)state;
	share_init(&s, 100, false);
	struct share_item *large = want(&s, 1, 2, 5000), *small = want(&s, 2, 2, 10);
	assert_ptr_equal(share_next(&s), &large[0]);
	/* It takes up all there is, and still the others get one each. */
	assert_ptr_equal(share_next(&s), &small[0]);
	assert_null(share_next(&s));
	share_return(&s, 1, 5000);
	assert_ptr_equal(share_next(&s), &large[1]);
	assert_null(share_next(&s));
	share_return(&s, 2, 10);
	assert_ptr_equal(share_next(&s), &small[1]);
	share_free(&s);
	free(large);
	free(small);
}

static void who_holds_nothing_need_not_queue(void **state)
{
	struct share s;
	struct share_item queued = {0}, taken = {0}, more = {0};

	(void)state;
	share_init(&s, 100, false);
	share_want(&s, &queued, 1, 1, 40);
	assert_true(share_take(&s, &taken, 2, 30));
	assert_int_equal(share_held(&s, 2), 30);
	assert_false(share_take(&s, &more, 2, 1));
	assert_ptr_equal(share_next(&s), &queued);
	assert_int_equal(s.used, 70);
	share_return(&s, 2, 30);
	assert_int_equal(s.used, 40);
	assert_true(share_take(&s, &more, 2, 500)); /* a thing larger than everything passes */
	share_free(&s);
	share_init(&s, 100, true);
	assert_false(share_take(&s, &more, 2, 500));
	assert_true(share_take(&s, &more, 2, 100));
	share_free(&s);
}

static void what_waits_can_be_taken_away(void **state)
{
	struct share s;
	size_t left = 0;

	(void)state;
	share_init(&s, 10, true);
	struct share_item *a = want(&s, 1, 100, 1);
	while (share_next(&s))
		left++;
	for (int i = 0; i < 100; i += 2)
		if (share_waits(&a[i]))
			share_remove(&s, &a[i]);
	for (size_t back = left; back > 0; back--)
		share_return(&s, 1, 1);
	for (struct share_item *item; (item = share_next(&s)); left++) {
		assert_int_equal((item - a) % 2, 1);
		share_return(&s, 1, 1);
	}
	assert_in_range(left, 50, 56);
	assert_int_equal(s.used, 0);
	share_free(&s);
	free(a);
}

static void times_come_in_order(void **state)
{
	struct timeline h = TIMELINE_INIT;
	struct timeline_item *items = calloc(2000, sizeof(*items));
	uint64_t last = 0;
	size_t removed = 0, taken = 0;

	(void)state;
	srand(3);
	for (int i = 0; i < 2000; i++)
		timeline_add(&h, &items[i], (uint64_t)rand() % 1000);
	for (int i = 0; i < 2000; i += 3, removed++)
		timeline_remove(&h, &items[i]);
	timeline_remove(&h, &items[0]);
	timeline_add(&h, &items[1], 5000); /* a second time moves it */
	for (struct timeline_item *item; (item = timeline_first(&h)); taken++) {
		assert_true(item->at_ms >= last);
		last = item->at_ms;
		timeline_remove(&h, item);
	}
	assert_int_equal(last, 5000);
	assert_int_equal(taken + removed, 2000);
	timeline_free(&h);
	free(items);
}

/* A has a thousand destinations that never answer: each of its connections is held for minutes. */
static void dead_destinations_leave_connections_to_others(void **state)
{
	struct share s;
	size_t others = 0;

	(void)state;
	share_init(&s, 256, true);
	struct share_item *dead = want(&s, 1, 1000, 1);
	while (share_next(&s))
		;
	assert_true(s.used < 256);
	/* Nothing of A's comes back; others come, one after another, and each is served at once. */
	for (uint32_t account = 2; account < 1000; account++) {
		struct share_item *one = want(&s, account, 1, 1);

		assert_ptr_equal(share_next(&s), one);
		others++;
		share_return(&s, account, 1);
		free(one);
		while (share_next(&s))
			;
	}
	assert_int_equal(others, 998);
	share_free(&s);
	free(dead);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dead_destinations_leave_connections_to_others),
		cmocka_unit_test(one_account_alone_leaves_room),
		cmocka_unit_test(what_comes_back_is_given_again),
		cmocka_unit_test(a_thing_larger_than_everything_passes),
		cmocka_unit_test(who_holds_nothing_need_not_queue),
		cmocka_unit_test(what_waits_can_be_taken_away),
		cmocka_unit_test(times_come_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
