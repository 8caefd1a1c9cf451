/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who may have a password checked next, and what is remembered of it. */
#include "relay/smtp/attempts.h"
#include "relay/smtp/proofs.h"
#include "relay/smtp/tally.h"
#include "relay/smtp/tickets.h"
#include "tests/unit/cmocka.h"

#include <stdio.h>
#include <string.h>

static struct addr source(unsigned n)
{
	char text[ADDR_STR_MAX];
	struct addr a;

	snprintf(text, sizeof(text), "10.%u.%u.%u", n >> 16 & 255, n >> 8 & 255, n & 255);
	assert_true(addr_parse(text, &a));
	return a;
}

static struct addr address(const char *text)
{
	struct addr a;

	assert_true(addr_parse(text, &a));
	return a;
}

static bool add(struct attempts *a, unsigned from, bool trusted, const char *item, uint64_t now_ms)
{
	struct addr s = source(from);

	return attempts_add(a, &s, trusted, (void *)item, now_ms);
}

static const char *next(struct attempts *a, uint64_t now_ms)
{
	uint64_t wait_ms;
	const char *item = attempts_next(a, now_ms, &wait_ms);

	return item ? item : "";
}

static void nothing(void *item)
{
	(void)item;
}

static void sources_take_turns(void **state)
{
	struct attempts *a = attempts_new();
	uint64_t wait_ms;

	(void)state;
	assert_null(attempts_next(a, 0, &wait_ms));
	assert_true(wait_ms == UINT64_MAX);
	for (int i = 0; i < 5; i++)
		assert_true(add(a, 1, false, "flood", 0));
	assert_true(add(a, 2, false, "one", 0));
	assert_true(add(a, 3, false, "other", 0));
	assert_string_equal(next(a, 0), "flood");
	assert_string_equal(next(a, 0), "one");
	assert_string_equal(next(a, 0), "other");
	assert_string_equal(next(a, 0), "flood");
	assert_true(add(a, 2, false, "one", 0));
	assert_string_equal(next(a, 0), "flood");
	assert_string_equal(next(a, 0), "one");
	assert_string_equal(next(a, 0), "flood");
	attempts_clear(a, nothing);
	assert_string_equal(next(a, 0), "");
	attempts_free(a);
}

static void the_trusted_have_every_other_turn(void **state)
{
	struct attempts *a = attempts_new();

	(void)state;
	for (unsigned i = 0; i < 100; i++)
		assert_true(add(a, 10 + i, false, "stranger", 0));
	assert_true(add(a, 1, true, "customer", 0));
	assert_true(add(a, 1, true, "customer", 0));
	assert_string_equal(next(a, 0), "customer");
	assert_string_equal(next(a, 0), "stranger");
	assert_string_equal(next(a, 0), "customer");
	assert_string_equal(next(a, 0), "stranger");
	assert_string_equal(next(a, 0), "stranger");
	attempts_clear(a, nothing);
	attempts_free(a);
}

static void failures_slow_a_source_and_nobody_else(void **state)
{
	struct attempts *a = attempts_new();
	struct addr bad = source(1);
	uint64_t wait_ms;

	(void)state;
	for (int i = 0; i < ATTEMPTS_SLOWED_AFTER; i++)
		attempts_failed(a, &bad, false, 1000);
	assert_true(add(a, 1, false, "bad", 1000));
	assert_true(add(a, 2, false, "good", 1000));
	assert_string_equal(next(a, 1000), "good");
	assert_null(attempts_next(a, 1000, &wait_ms));
	assert_int_equal(wait_ms, 1000);
	assert_string_equal(next(a, 1999), "");
	assert_string_equal(next(a, 2000), "bad");
	attempts_failed(a, &bad, false, 2000);
	assert_true(add(a, 1, false, "bad", 2000));
	assert_null(attempts_next(a, 2000, &wait_ms));
	assert_int_equal(wait_ms, 2000);
	attempts_clear(a, nothing);
	attempts_free(a);
}

static void many_failures_refuse_a_source_but_not_its_trusted(void **state)
{
	struct attempts *a = attempts_new();
	struct addr bad = source(1);

	(void)state;
	for (int i = 0; i < ATTEMPTS_REFUSED_AFTER; i++) {
		assert_true(add(a, 1, false, "bad", 1000));
		assert_string_equal(next(a, 1000000), "bad");
		attempts_failed(a, &bad, false, 1000);
	}
	assert_false(add(a, 1, false, "bad", 1000));
	assert_true(add(a, 1, true, "customer", 1000));
	assert_true(add(a, 2, false, "other", 1000));
	assert_string_equal(next(a, 1000), "customer");
	assert_string_equal(next(a, 1000), "other");
	/* By their own failures they are slowed, and no more. */
	for (int i = 0; i < 2 * ATTEMPTS_REFUSED_AFTER; i++)
		attempts_failed(a, &bad, true, 1000);
	assert_true(add(a, 1, true, "customer", 1000));
	assert_string_equal(next(a, 999 + ATTEMPTS_SLOWEST_MS), "");
	assert_string_equal(next(a, 1000 + ATTEMPTS_SLOWEST_MS), "customer");
	/* And forgiven in the end. */
	assert_false(add(a, 1, false, "bad", 1000 + ATTEMPTS_FORGOTTEN_MS));
	assert_true(add(a, 1, false, "bad", 1001 + ATTEMPTS_FORGOTTEN_MS));
	attempts_clear(a, nothing);
	attempts_free(a);
}

static void what_waits_is_bounded(void **state)
{
	struct attempts *a = attempts_new();
	unsigned n;

	(void)state;
	for (n = 0; add(a, 1, false, "flood", 0); n++)
		;
	assert_int_equal(n, ATTEMPTS_PER_SOURCE_MAX);
	for (unsigned i = 2; add(a, i, false, "flood", 0); i++)
		n++;
	assert_int_equal(n, ATTEMPTS_WAITING_MAX);
	/* The trusted wait apart, those of a flooding source too. */
	for (n = 0; add(a, 1, true, "customer", 0); n++)
		;
	assert_int_equal(n, ATTEMPTS_PER_SOURCE_MAX);
	assert_true(add(a, 2, true, "customer", 0));
	attempts_clear(a, nothing);
	/* More sources than there is room for: the oldest are forgotten, none is turned away. */
	for (unsigned i = 0; i < 3 * ATTEMPTS_SOURCES_MAX; i++) {
		assert_true(add(a, i, false, "many", i));
		assert_string_equal(next(a, i), "many");
	}
	attempts_free(a);
}

static void an_ipv6_source_is_its_64(void **state)
{
	struct attempts *a = attempts_new();
	struct addr one = address("2001:db8:1:2::1"), two = address("2001:db8:1:2:ffff::9"),
		    far = address("2001:db8:1:3::1");

	(void)state;
	for (int i = 0; i < ATTEMPTS_REFUSED_AFTER; i++)
		attempts_failed(a, i % 2 ? &one : &two, false, 0);
	assert_false(attempts_add(a, &one, false, "x", 0));
	assert_true(attempts_add(a, &far, false, "x", 0));
	attempts_clear(a, nothing);
	attempts_free(a);
}

static void a_proof_lives_for_a_while(void **state)
{
	struct proofs *p = proofs_new(64, 1000);
	struct proof_key key = proofs_key(p, "anna", 4, "secret", 6);
	struct proof_key other = proofs_key(p, "annas", 5, "ecret", 5);

	(void)state;
	assert_memory_not_equal(key.bytes, other.bytes, sizeof(key.bytes));
	assert_null(proofs_find(p, &key, 5));
	proofs_add(p, &key, "acme", 5);
	assert_string_equal(proofs_find(p, &key, 5), "acme");
	assert_string_equal(proofs_find(p, &key, 1004), "acme");
	assert_null(proofs_find(p, &key, 1005));
	assert_null(proofs_find(p, &other, 5));
	proofs_add(p, &key, "beta", 1006);
	assert_string_equal(proofs_find(p, &key, 1006), "beta");
	proofs_forget(p);
	assert_null(proofs_find(p, &key, 1006));
	proofs_free(p);
}

static void proofs_are_bounded_and_keyed_anew(void **state)
{
	struct proofs *p = proofs_new(64, 1000), *q = proofs_new(64, 1000);
	struct proof_key key = proofs_key(p, "a", 1, "b", 1), same = proofs_key(q, "a", 1, "b", 1);
	unsigned found = 0;

	(void)state;
	assert_memory_not_equal(key.bytes, same.bytes, sizeof(key.bytes));
	for (unsigned i = 0; i < 1000; i++) {
		key = proofs_key(p, &i, sizeof(i), "", 0);
		proofs_add(p, &key, "x", i);
		assert_non_null(proofs_find(p, &key, i));
	}
	for (unsigned i = 0; i < 1000; i++) {
		key = proofs_key(p, &i, sizeof(i), "", 0);
		found += proofs_find(p, &key, 999) != NULL;
	}
	assert_in_range(found, 32, 64);
	proofs_free(p);
	proofs_free(q);
}

static void a_ticket_is_good_once(void **state)
{
	struct tickets t = {0};
	int things[200];
	uint64_t numbers[200];

	(void)state;
	assert_null(tickets_take(&t, 0));
	for (size_t i = 0; i < 200; i++)
		numbers[i] = tickets_give(&t, &things[i]);
	assert_int_equal(tickets_count(&t), 200);
	assert_null(tickets_take(&t, 1000));
	assert_null(tickets_take(&t, numbers[7] + ((uint64_t)1 << 32)));
	assert_ptr_equal(tickets_take(&t, numbers[7]), &things[7]);
	assert_null(tickets_take(&t, numbers[7]));
	assert_int_not_equal(tickets_give(&t, &things[8]), numbers[7]);
	for (size_t n = tickets_count(&t); n > 0; n--)
		assert_non_null(tickets_take_any(&t));
	assert_null(tickets_take_any(&t));
	tickets_free(&t);
}

static void a_tally_counts_by_name(void **state)
{
	struct tally t = {0};
	char name[16];

	(void)state;
	assert_int_equal(tally_of(&t, "acme"), 0);
	tally_take(&t, "acme", 1);
	for (unsigned i = 0; i < 500; i++) {
		snprintf(name, sizeof(name), "n%u", i % 250);
		tally_add(&t, name, 1);
	}
	assert_int_equal(tally_of(&t, "n17"), 2);
	assert_int_equal(t.entries, 250);
	tally_take(&t, "n17", 1);
	assert_int_equal(tally_of(&t, "n17"), 1);
	tally_take(&t, "n17", 1);
	assert_int_equal(tally_of(&t, "n17"), 0);
	assert_int_equal(t.entries, 249);
	tally_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sources_take_turns),
		cmocka_unit_test(the_trusted_have_every_other_turn),
		cmocka_unit_test(failures_slow_a_source_and_nobody_else),
		cmocka_unit_test(many_failures_refuse_a_source_but_not_its_trusted),
		cmocka_unit_test(what_waits_is_bounded),
		cmocka_unit_test(an_ipv6_source_is_its_64),
		cmocka_unit_test(a_proof_lives_for_a_while),
		cmocka_unit_test(proofs_are_bounded_and_keyed_anew),
		cmocka_unit_test(a_ticket_is_good_once),
		cmocka_unit_test(a_tally_counts_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
