/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/pace.h"

#include "tests/unit/cmocka.h"

/* So many turns, that long apart; how often it changed its mind. */
static unsigned turns(struct pace *p, ev_tstamp *now, unsigned count, double apart_s)
{
	unsigned changes = 0;

	while (count--) {
		*now += apart_s;
		changes += pace_turn(p, *now);
	}
	return changes;
}

static void a_calm_process_never_waits(void **state)
{
	struct pace p = {.since = 1000};
	ev_tstamp now = 1000;

	(void)state;
	assert_int_equal(turns(&p, &now, 10 * PACE_TURNS, 2 / PACE_BUSY), 0);
	assert_false(p.waits);
}

static void a_busy_one_waits_until_it_is_calm_again(void **state)
{
	struct pace p = {.since = 1000};
	ev_tstamp now = 1000;

	(void)state;
	assert_int_equal(turns(&p, &now, PACE_TURNS, 0.5 / PACE_BUSY), 1);
	assert_true(p.waits);
	/* As many turns as the wait leaves: still busy. */
	assert_int_equal(turns(&p, &now, 10 * PACE_TURNS, PACE_WAIT_S), 0);
	assert_true(p.waits);
	assert_int_equal(turns(&p, &now, PACE_TURNS, 2 / PACE_CALM), 1);
	assert_false(p.waits);
}

static void a_clock_that_stands_still_or_goes_back_is_no_matter(void **state)
{
	struct pace p = {.since = 1000};
	ev_tstamp now = 1000;

	(void)state;
	turns(&p, &now, PACE_TURNS, 0);
	assert_true(p.waits);
	turns(&p, &now, PACE_TURNS, -1);
	assert_true(p.waits);
	turns(&p, &now, PACE_TURNS, 1);
	assert_false(p.waits);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_calm_process_never_waits),
		cmocka_unit_test(a_busy_one_waits_until_it_is_calm_again),
		cmocka_unit_test(a_clock_that_stands_still_or_goes_back_is_no_matter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
