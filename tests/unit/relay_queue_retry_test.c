/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Waits double up to a bound, are spread, and never pass the expiry. */
#include "relay/queue/retry.h"
#include "tests/unit/cmocka.h"

static const struct retry_rules rules = {.first_s = 300, .longest_s = 14400, .expire_s = 432000};

static void the_wait_doubles_up_to_the_longest(void **state)
{
	const uint64_t middle_s[] = {300, 600, 1200, 2400, 4800, 9600, 14400, 14400};

	(void)state;
	for (uint32_t i = 0; i < 8; i++) {
		assert_int_equal(retry_wait_ms(&rules, i + 1, 0), middle_s[i] * 800);
		assert_int_equal(retry_wait_ms(&rules, i + 1, UINT32_MAX), middle_s[i] * 1200);
	}
	assert_int_equal(retry_wait_ms(&rules, UINT32_MAX, 0), 14400 * 800);
}

/* REGRESSIONS: retries clump after a pause. */
static void what_failed_together_is_spread(void **state)
{
	unsigned per_bucket[10] = {0};
	uint32_t random = 1;

	(void)state;
	for (int i = 0; i < 10000; i++) {
		random = random * 1664525 + 1013904223;
		uint64_t wait_ms = retry_wait_ms(&rules, 1, random);
		per_bucket[(wait_ms - 240000) * 10 / 120001]++;
	}
	for (int i = 0; i < 10; i++)
		assert_in_range(per_bucket[i], 800, 1200);
}

static void the_last_attempt_is_made_at_the_expiry(void **state)
{
	uint64_t accepted = 1000000, expiry = accepted + UINT64_C(432000000);

	(void)state;
	assert_int_equal(retry_next_ms(&rules, accepted, expiry - 1000, 40, 5), expiry);
	assert_false(retry_expired(&rules, accepted, expiry - 1));
	assert_true(retry_expired(&rules, accepted, expiry));
	assert_int_equal(retry_next_ms(&rules, accepted, accepted, 1, 0), accepted + 240000);
}

static void a_delay_is_told_once(void **state)
{
	const struct retry_rules quick = {.first_s = 1, .longest_s = 1, .expire_s = 400};
	uint64_t now = 0, next;
	unsigned told = 0;

	(void)state;
	for (uint32_t i = 1; i < 30; i++, now = next) {
		next = retry_next_ms(&rules, 0, now, i, i * 77777777);
		if (retry_tell_delay(&rules, 0, now, next)) {
			told++;
			assert_in_range(next, 4 * 3600000, 8 * 3600000);
		}
	}
	assert_int_equal(told, 1);
	assert_true(retry_tell_delay(&quick, 5000, 104000, 105000));
	assert_false(retry_tell_delay(&quick, 5000, 105000, 106000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_wait_doubles_up_to_the_longest),
		cmocka_unit_test(what_failed_together_is_spread),
		cmocka_unit_test(the_last_attempt_is_made_at_the_expiry),
		cmocka_unit_test(a_delay_is_told_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
