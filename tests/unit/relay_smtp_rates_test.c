/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/smtp/rates.h"

#include "tests/unit/cmocka.h"

#include <string.h>

#define START_MS ((uint64_t)5000000)

static struct config_account account(uint32_t count, uint32_t unit_s)
{
	return (struct config_account){.name = "acme", .rate = {.count = count, .unit_s = unit_s}};
}

static unsigned taken_at(struct rates *r, const struct config_account *a, uint64_t now_ms)
{
	unsigned n = 0;

	while (n < 10000 && rates_wait_ms(r, a, 1, now_ms) == 0) {
		rates_take(r, a, 1, now_ms);
		n++;
	}
	return n;
}

static void a_bucket_is_full_at_first_and_fills_evenly(void **state)
{
	struct config_account a = account(60, 3600);
	struct rates r = {0};

	(void)state;
	assert_int_equal(taken_at(&r, &a, START_MS), 60);
	assert_int_equal(rates_wait_ms(&r, &a, 1, START_MS), 60000);
	assert_int_equal(rates_wait_ms(&r, &a, 2, START_MS), 120000);
	assert_int_equal(taken_at(&r, &a, START_MS + 59999), 0);
	assert_int_equal(taken_at(&r, &a, START_MS + 60000), 1);
	assert_int_equal(taken_at(&r, &a, START_MS + 60000 + 10 * 60000), 10);
	/* Never more than one bucket, however long nothing was sent. */
	assert_int_equal(taken_at(&r, &a, START_MS + 100 * 3600000), 60);
	rates_free(&r);
}

static void what_was_not_sent_is_given_back(void **state)
{
	struct config_account a = account(10, 60);
	struct rates r = {0};

	(void)state;
	rates_take(&r, &a, 10, START_MS);
	rates_give_back(&r, &a, 4, START_MS);
	assert_int_equal(taken_at(&r, &a, START_MS), 4);
	rates_give_back(&r, &a, 1000, START_MS);
	assert_int_equal(taken_at(&r, &a, START_MS), 10);
	rates_free(&r);
}

static void accounts_are_apart_and_one_without_a_rate_is_free(void **state)
{
	struct config_account a = account(2, 1), b = account(2, 1), free_one = account(0, 0);
	struct rates r = {0};

	(void)state;
	b.name = "beta";
	assert_int_equal(taken_at(&r, &a, START_MS), 2);
	assert_int_equal(taken_at(&r, &b, START_MS), 2);
	free_one.name = "free";
	assert_int_equal(taken_at(&r, &free_one, START_MS), 10000);
	rates_free(&r);
}

static void another_rate_is_in_force_at_once(void **state)
{
	struct config_account slow = account(1, 3600), quick = account(10, 1);
	struct rates r = {0};

	(void)state;
	assert_int_equal(taken_at(&r, &slow, START_MS), 1);
	assert_int_equal(taken_at(&r, &quick, START_MS), 0);
	assert_int_equal(taken_at(&r, &quick, START_MS + 1000), 10);
	rates_free(&r);
}

static void the_largest_rate_does_not_overflow(void **state)
{
	struct config_account a = account(999999999, 1);
	struct rates r = {0};

	(void)state;
	rates_take(&r, &a, 1000, START_MS);
	assert_int_equal(rates_wait_ms(&r, &a, 1000, START_MS), 0);
	assert_true(rates_wait_ms(&r, &a, UINT32_MAX, START_MS) > 0);
	rates_free(&r);
}

static void the_text_says_the_limit_and_when_to_come_back(void **state)
{
	struct config_account a = account(1000, 3600), one = account(1, 60);
	char text[RATES_TEXT_MAX];

	(void)state;
	rates_explain(&a, 3501, text);
	assert_string_equal(text, "account acme may send to 1000 recipients an hour: try again in "
				  "4 seconds");
	rates_explain(&one, 1000, text);
	assert_string_equal(text,
			    "account acme may send to 1 recipient a minute: try again in 1 second");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bucket_is_full_at_first_and_fills_evenly),
		cmocka_unit_test(what_was_not_sent_is_given_back),
		cmocka_unit_test(accounts_are_apart_and_one_without_a_rate_is_free),
		cmocka_unit_test(another_rate_is_in_force_at_once),
		cmocka_unit_test(the_largest_rate_does_not_overflow),
		cmocka_unit_test(the_text_says_the_limit_and_when_to_come_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
