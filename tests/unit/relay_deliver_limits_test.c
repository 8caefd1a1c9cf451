/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How much a provider is asked: it grows, shrinks, waits; new addresses; what comes back too often.
 */
#include "relay/deliver/limits.h"

#include "relay/config.h"
#include "relay/deliver/outcomes.h"
#include "relay/deliver/provider.h"
#include "relay/deliver/ramp.h"
#include "tests/unit/cmocka.h"

#include <string.h>

static const struct limits_rules rules = {
	.connections = 20, .back_off_first_ms = 60000, .back_off_longest_ms = 1800000};

static unsigned sessions_now(const struct limits *l, uint64_t now_ms)
{
	unsigned n = 0;

	while (n < 1000 && limits_may_open(l, n, now_ms))
		n++;
	return n;
}

static void sessions_grow_while_it_goes_well(void **state)
{
	struct limits l;
	unsigned deliveries = 0;

	(void)state;
	limits_init(&l, &rules);
	assert_int_equal(sessions_now(&l, 0), LIMITS_FIRST);
	while (sessions_now(&l, 0) < 20 && deliveries < 10000) {
		limits_delivered(&l, &rules);
		deliveries++;
	}
	/* One for each round: 4 + 5 + ... + 19. */
	assert_int_equal(deliveries, 184);
	for (unsigned i = 0; i < 100; i++)
		limits_delivered(&l, &rules);
	assert_int_equal(sessions_now(&l, 0), 20);
}

static void a_421_halves_them_and_opens_none_for_a_while(void **state)
{
	struct limits l;

	(void)state;
	limits_init(&l, &rules);
	for (unsigned i = 0; i < 184; i++)
		limits_delivered(&l, &rules);
	assert_true(limits_troubled(&l, &rules, LIMITS_BUSY, 15, 1000, UINT32_MAX / 2));
	assert_int_equal(sessions_now(&l, 1000), 0);
	assert_true(limits_backs_off(&l, 60000));
	/* The other sessions' 421 of the same moment is the same trouble. */
	assert_false(limits_troubled(&l, &rules, LIMITS_BUSY, 14, 1001, 0));
	/* Then one tries; and when that goes well, half of what there was. */
	assert_int_equal(sessions_now(&l, 62000), 1);
	limits_delivered(&l, &rules);
	assert_int_equal(sessions_now(&l, 62000), 10);
}

static void back_offs_double_up_to_a_bound_and_are_spread(void **state)
{
	static const struct {
		uint32_t random;
		uint64_t least_ms, most_ms;
	} table[] = {
		{0, 48000, 48000},
		{UINT32_MAX, 144000, 144000},
		{UINT32_MAX / 2, 239000, 240000},
		{UINT32_MAX / 2, 479000, 480000},
		{UINT32_MAX / 2, 959000, 960000},
		{UINT32_MAX / 2, 1799000, 1800000},
		{UINT32_MAX, 2160000, 2160000},
	};
	uint64_t now_ms = 5000;
	struct limits l;

	(void)state;
	limits_init(&l, &rules);
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		assert_int_equal(limits_shut(&l, now_ms), false);
		limits_troubled(&l, &rules, LIMITS_BUSY, 0, now_ms, table[i].random);
		uint64_t wait_ms = l.back_off_end_ms - now_ms;
		assert_in_range(wait_ms, table[i].least_ms, table[i].most_ms);
		assert_int_equal(limits_shut(&l, now_ms), i + 1 >= LIMITS_SHUT_AFTER);
		now_ms = l.back_off_end_ms;
		assert_int_equal(sessions_now(&l, now_ms), 1);
	}
	limits_forgive(&l);
	assert_true(limits_blank(&l, now_ms));
}

static void a_greylisted_recipient_is_not_the_providers_wish(void **state)
{
	struct limits l;

	(void)state;
	limits_init(&l, &rules);
	for (unsigned i = 0; i < 100; i++) {
		assert_false(limits_troubled(&l, &rules, LIMITS_REFUSED, 1, 0, 0));
		assert_false(limits_troubled(&l, &rules, LIMITS_REFUSED, 1, 0, 0));
		limits_delivered(&l, &rules);
	}
	assert_false(limits_troubled(&l, &rules, LIMITS_REFUSED, 1, 0, 0));
	assert_false(limits_troubled(&l, &rules, LIMITS_REFUSED, 1, 0, 0));
	assert_true(limits_troubled(&l, &rules, LIMITS_REFUSED, 1, 0, 0));
}

static void a_broken_session_among_others_shrinks_only(void **state)
{
	struct limits l;

	(void)state;
	limits_init(&l, &rules);
	assert_false(limits_troubled(&l, &rules, LIMITS_UNREACHABLE, 3, 0, 0));
	assert_int_equal(sessions_now(&l, 0), 2);
	assert_true(limits_troubled(&l, &rules, LIMITS_UNREACHABLE, 0, 0, 0));
	assert_int_equal(sessions_now(&l, 0), 0);
}

static void replies_that_ask_for_less(void **state)
{
	static const struct {
		const char *reply;
		enum limits_trouble trouble;
	} table[] = {
		{"421 4.7.0 [TSS04] deferred", LIMITS_BUSY},
		{"421 too many connections", LIMITS_BUSY},
		{"450 4.7.1 greylisted", LIMITS_REFUSED},
		{"451 4.7.500 server busy", LIMITS_REFUSED},
		{"450 4.2.1 busy", LIMITS_NO_TROUBLE},
		{"451 4.3.0 4.7.1", LIMITS_NO_TROUBLE},
		{"550 5.7.1 blocked", LIMITS_NO_TROUBLE},
		{"4.7.1 ours", LIMITS_NO_TROUBLE},
		{"", LIMITS_NO_TROUBLE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		assert_int_equal(limits_of_reply(table[i].reply), table[i].trouble);
}

static unsigned taken(struct limits *l, const struct limits_rules *r, uint64_t *now_ms,
		      uint64_t until_ms)
{
	uint64_t wait_ms;
	unsigned n = 0;

	while (*now_ms < until_ms) {
		if (limits_take(l, r, *now_ms, &wait_ms)) {
			n++;
			continue;
		}
		assert_true(wait_ms > 0 && wait_ms <= 60001);
		*now_ms += wait_ms;
	}
	return n;
}

static void a_rate_is_kept(void **state)
{
	static const struct {
		uint32_t count, per_s;
		unsigned least, most; /* in ten minutes */
	} table[] = {
		{10, 1, 6000, 6011}, {600, 60, 6000, 6011}, {6, 60, 60, 61}, {60, 3600, 10, 11}};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		struct limits_rules r = rules;
		uint64_t now_ms = 1000;
		struct limits l;

		r.rate_count = table[i].count;
		r.rate_per_s = table[i].per_s;
		limits_init(&l, &r);
		assert_in_range(taken(&l, &r, &now_ms, 601000), table[i].least, table[i].most);
	}
}

static void hosts_of_one_provider_are_one(void **state)
{
	static const struct {
		const char *host, *provider;
	} table[] = {
		{"aspmx.l.google.com", "google"},
		{"alt1.aspmx.l.google.com", "google"},
		{"gmail-smtp-in.l.google.com", "google"},
		{"contoso-com.mail.protection.outlook.com", "microsoft"},
		{"mta5.am0.yahoodns.net", "yahoo"},
		{"mx01.mail.icloud.com", "apple"},
		{"notgoogle.com", "notgoogle.com"},
		{"google.com.evil.example", "google.com.evil.example"},
		{"mx.big.example", "big"},
		{"big.example", "big"},
		{"mx.small.example", "mx.small.example"},
	};
	char *mx[] = {"big.example"};
	struct config_provider providers[] = {
		{.name = "big", .mx = {mx, 1}, .connections = 3},
		{.name = "google", .connections = 7},
		{.name = PROVIDER_DEFAULT, .connections = 2},
	};
	struct relay_config c = {.providers = providers, .provider_count = 3};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		assert_string_equal(provider_of(&c, table[i].host), table[i].provider);
	assert_int_equal(provider_rules(&c, "google")->connections, 7);
	assert_int_equal(provider_rules(&c, "mx.small.example")->connections, 2);
	c.provider_count = 2;
	assert_null(provider_rules(&c, "mx.small.example"));
}

static void save(const struct addr *source, const char *provider, uint32_t sent, void *arg)
{
	ramp_add(arg, source, provider, 100, sent);
}

static void a_new_address_sends_what_its_day_allows(void **state)
{
	static const uint32_t days[] = {50, 100, 500};
	struct ramp r = {0}, again = {0};
	struct addr a, b;

	(void)state;
	assert_int_equal(ramp_allowance(days, 3, 100, 99), 50);
	assert_int_equal(ramp_allowance(days, 3, 100, 100), 50);
	assert_int_equal(ramp_allowance(days, 3, 100, 102), 500);
	assert_int_equal(ramp_allowance(days, 3, 100, 103), RAMP_NO_BOUND);
	addr_parse("192.0.2.1", &a);
	addr_parse("192.0.2.2", &b);
	for (unsigned i = 0; i < 200; i++) {
		char provider[32];

		snprintf(provider, sizeof(provider), "mx%u.example", i);
		ramp_add(&r, &a, provider, 100, i);
		assert_int_equal(ramp_sent(&r, &a, provider, 100), i);
		assert_int_equal(ramp_sent(&r, &b, provider, 100), 0);
	}
	ramp_save(&r, 150, save, &again);
	assert_int_equal(ramp_sent(&again, &a, "mx199.example", 100), 199);
	assert_int_equal(ramp_sent(&again, &a, "mx149.example", 100), 0);
	/* Another day begins at nothing. */
	assert_int_equal(ramp_sent(&r, &a, "mx199.example", 101), 0);
	ramp_free(&r);
	ramp_free(&again);
}

static void too_many_hard_bounces_among_the_last(void **state)
{
	const struct outcomes_rules r = {10, 3, 100};
	struct outcomes o = {0};

	(void)state;
	for (unsigned i = 0; i < 99; i++)
		outcomes_add(&o, i < 20 ? OUTCOME_BOUNCED : OUTCOME_DELIVERED);
	assert_int_equal(outcomes_verdict(&o, &r), OUTCOME_NONE);
	outcomes_add(&o, OUTCOME_DELIVERED);
	assert_int_equal(outcomes_verdict(&o, &r), OUTCOME_BOUNCED);
	/* The good ones after them push them out of sight: 20 of 201, then of the last 1,000. */
	for (unsigned i = 0; i < 101; i++)
		outcomes_add(&o, OUTCOME_DELIVERED);
	assert_int_equal(outcomes_verdict(&o, &r), OUTCOME_NONE);
	for (unsigned i = 0; i < 800; i++)
		outcomes_add(&o, OUTCOME_DELIVERED);
	assert_int_equal(o.seen, OUTCOMES_MAX);
	assert_int_equal(o.bounced, 19);
	for (unsigned i = 0; i < 100; i++)
		outcomes_add(&o, OUTCOME_BOUNCED);
	assert_int_equal(o.bounced, 100);
	assert_int_equal(outcomes_verdict(&o, &r), OUTCOME_BOUNCED);
	assert_int_equal(outcomes_verdict(&o, &(struct outcomes_rules){0, 0, 100}), OUTCOME_NONE);
}

static void complaints_come_later_and_count_more(void **state)
{
	const struct outcomes_rules r = {10, 3, 100};
	struct outcomes o = {0};

	(void)state;
	for (unsigned i = 0; i < 1000; i++)
		outcomes_add(&o, OUTCOME_DELIVERED);
	outcomes_complain(&o);
	outcomes_complain(&o);
	assert_int_equal(outcomes_verdict(&o, &r), OUTCOME_NONE);
	outcomes_complain(&o);
	assert_int_equal(outcomes_verdict(&o, &r), OUTCOME_COMPLAINED);
	assert_int_equal(o.complained, 3);
	for (unsigned i = 0; i < 1000; i++)
		outcomes_add(&o, OUTCOME_DELIVERED);
	assert_int_equal(o.complained, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sessions_grow_while_it_goes_well),
		cmocka_unit_test(a_421_halves_them_and_opens_none_for_a_while),
		cmocka_unit_test(back_offs_double_up_to_a_bound_and_are_spread),
		cmocka_unit_test(a_greylisted_recipient_is_not_the_providers_wish),
		cmocka_unit_test(a_broken_session_among_others_shrinks_only),
		cmocka_unit_test(replies_that_ask_for_less),
		cmocka_unit_test(a_rate_is_kept),
		cmocka_unit_test(hosts_of_one_provider_are_one),
		cmocka_unit_test(a_new_address_sends_what_its_day_allows),
		cmocka_unit_test(too_many_hard_bounces_among_the_last),
		cmocka_unit_test(complaints_come_later_and_count_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
