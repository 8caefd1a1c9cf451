/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fwrules/ranges.h"
#include "lib/buf.h"
#include "tests/unit/cmocka.h"

#include <stdlib.h>
#include <string.h>

/* "a-b c" as a set, not normalised. A lone address or prefix is a range too. */
static struct ranges parse(const char *text)
{
	struct ranges r = {0};
	char copy[512], *save = NULL;

	strcpy(copy, text);
	for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		struct addr first, last;
		struct prefix p;
		char *dash = strchr(word, '-');

		if (!dash) {
			assert_true(prefix_parse(word, &p));
			ranges_add_prefix(&r, &p);
			continue;
		}
		*dash = '\0';
		assert_true(addr_parse(word, &first));
		assert_true(addr_parse(dash + 1, &last));
		ranges_add(&r, &first, &last);
	}
	return r;
}

static void assert_ranges(const struct ranges *r, const char *expected)
{
	struct buf out = BUF_INIT;
	char first[ADDR_STR_MAX], last[ADDR_STR_MAX];

	for (size_t i = 0; i < r->n; i++)
		buf_printf(&out, "%s%s-%s", i ? " " : "", addr_format(&r->at[i].first, first),
			   addr_format(&r->at[i].last, last));
	assert_string_equal(buf_str(&out), expected);
	buf_free(&out);
}

static void normalising_sorts_and_merges(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{"", ""},
		{"192.0.2.9 192.0.2.1", "192.0.2.1-192.0.2.1 192.0.2.9-192.0.2.9"},
		{"192.0.2.2 192.0.2.1", "192.0.2.1-192.0.2.2"},
		{"192.0.2.0/24 192.0.2.64/26", "192.0.2.0-192.0.2.255"},
		{"192.0.2.128/25 192.0.2.0/25", "192.0.2.0-192.0.2.255"},
		{"::/0 0.0.0.0/0", "0.0.0.0-255.255.255.255 "
				   "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
		{"255.255.255.255 ::", "255.255.255.255-255.255.255.255 ::-::"},
		{"192.0.2.7/24", "192.0.2.0-192.0.2.255"},
		{"192.0.2.1-192.0.2.9 192.0.2.3-192.0.2.5 192.0.2.9-192.0.2.12",
		 "192.0.2.1-192.0.2.12"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct ranges r = parse(cases[i].in);
		ranges_normalise(&r);
		assert_ranges(&r, cases[i].out);
		ranges_free(&r);
	}
}

static void subtracting_leaves_what_is_beside(void **state)
{
	static const struct {
		const char *from, *less, *left;
	} cases[] = {
		{"192.0.2.0/24", "", "192.0.2.0-192.0.2.255"},
		{"192.0.2.0/24", "192.0.2.0/24", ""},
		{"192.0.2.0/24", "192.0.0.0/16", ""},
		{"192.0.2.0/24", "198.51.100.0/24 2001:db8::/32", "192.0.2.0-192.0.2.255"},
		{"192.0.2.0/24", "192.0.2.0", "192.0.2.1-192.0.2.255"},
		{"192.0.2.0/24", "192.0.2.255", "192.0.2.0-192.0.2.254"},
		{"192.0.2.0/24", "192.0.2.7 192.0.2.9",
		 "192.0.2.0-192.0.2.6 192.0.2.8-192.0.2.8 192.0.2.10-192.0.2.255"},
		{"0.0.0.0/0", "0.0.0.0 255.255.255.255", "0.0.0.1-255.255.255.254"},
		{"fc00::/7", "fd00::/8", "fc00::-fcff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
		{"192.0.2.0-192.0.2.9 192.0.2.20-192.0.2.29", "192.0.2.5-192.0.2.24",
		 "192.0.2.0-192.0.2.4 192.0.2.25-192.0.2.29"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct ranges r = parse(cases[i].from), less = parse(cases[i].less);
		ranges_normalise(&r);
		ranges_normalise(&less);
		ranges_subtract(&r, &less);
		assert_ranges(&r, cases[i].left);
		ranges_free(&r);
		ranges_free(&less);
	}
}

static bool naive_contains(const struct ranges *r, const struct addr *a)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->at[i].first.family == a->family && addr_cmp(&r->at[i].first, a) <= 0 &&
		    addr_cmp(a, &r->at[i].last) <= 0)
			return true;
	return false;
}

/* Against the plain meaning: an address is in A less B when it is in A and not in B. */
static void random_sets_mean_what_they_say(void **state)
{
	unsigned seed = 1;

	(void)state;
	for (int round = 0; round < 2000; round++) {
		struct ranges sets[2] = {{0}}, plain[2] = {{0}};
		for (int s = 0; s < 2; s++) {
			for (int n = rand_r(&seed) % 6; n > 0; n--) {
				struct addr first = {.family = AF_INET}, last = first;
				first.bytes[3] = (uint8_t)(rand_r(&seed) % 40);
				last.bytes[3] = (uint8_t)(first.bytes[3] + rand_r(&seed) % 9);
				ranges_add(&sets[s], &first, &last);
				ranges_add(&plain[s], &first, &last);
			}
			ranges_normalise(&sets[s]);
		}
		struct ranges left = {0};
		ranges_add_all(&left, &sets[0]);
		ranges_subtract(&left, &sets[1]);
		for (int i = 0; i < 64; i++) {
			struct addr a = {.family = AF_INET, .bytes = {[3] = (uint8_t)i}};
			bool in = naive_contains(&plain[0], &a),
			     out = naive_contains(&plain[1], &a);
			assert_int_equal(ranges_contain(&sets[0], &a), in);
			assert_int_equal(ranges_contain(&left, &a), in && !out);
		}
		ranges_free(&left);
		for (int s = 0; s < 2; s++) {
			ranges_free(&sets[s]);
			ranges_free(&plain[s]);
		}
	}
}

static void any_is_every_address_of_both_families(void **state)
{
	struct ranges r = {0}, half = parse("0.0.0.0/0");
	size_t n;

	(void)state;
	ranges_add_any(&r);
	ranges_normalise(&r);
	assert_true(ranges_are_any(&r));
	assert_false(ranges_are_any(&half));
	assert_non_null(ranges_family(&r, AF_INET6, &n));
	assert_int_equal(n, 1);
	assert_null(ranges_family(&half, AF_INET6, &n));
	assert_int_equal(n, 0);
	ranges_free(&r);
	ranges_free(&half);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(normalising_sorts_and_merges),
		cmocka_unit_test(subtracting_leaves_what_is_beside),
		cmocka_unit_test(random_sets_mean_what_they_say),
		cmocka_unit_test(any_is_every_address_of_both_families),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
