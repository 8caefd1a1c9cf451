/* SPDX-License-Identifier: GPL-2.0-or-later */
/* DNS answers as bytes, and the order of mail hosts. */
#include "relay/deliver/resolve.h"
#include "tests/unit/cmocka.h"

#include <stdlib.h>
#include <string.h>

#define HEAD(answers)                                 \
	"\x12\x34\x81\x80\0\x01\0" answers "\0\0\0\0" \
	"\x01"                                        \
	"b\x07"                                       \
	"example\0"                                   \
	"\0\x0f\0\x01"
#define OWNER "\xc0\x0c"

static void an_answer_is_read(void **state)
{
	const char m[] = HEAD("\x03") OWNER "\0\x05\0\x01\0\0\0\x3c\0\x02\xc0\x0c" /* CNAME */
		OWNER "\0\x0f\0\x01\0\0\0\x3c\0\x07\0\x0a\x02MX\xc0\x0c" OWNER
					    "\0\x0f\0\x01\0\0\0\x3c\0\x05\0\x14\x01\x2e\0";
	struct dns_record r[4];
	size_t count;
	unsigned rcode;

	(void)state;
	assert_true(dnsmsg_read(m, sizeof(m) - 1, DNS_MX, r, 4, &count, &rcode));
	assert_int_equal(rcode, 0);
	assert_int_equal(count, 2);
	assert_string_equal(r[0].name, "mx.b.example");
	assert_int_equal(r[0].preference, 10);
	assert_int_equal(r[0].ttl_s, 60);
	/* A dot inside a label does not become one between labels. */
	assert_string_equal(r[1].name, "\\046");
	assert_true(dnsmsg_read(m, sizeof(m) - 1, DNS_MX, r, 1, &count, &rcode));
	assert_int_equal(count, 1);
}

static void a_damaged_answer_is_refused(void **state)
{
	const char good[] = HEAD("\x01") OWNER "\0\x0f\0\x01\0\0\0\x3c\0\x07\0\x0a\x02mx\xc0\x0c";
	const char loop[] = HEAD("\x01") OWNER "\0\x0f\0\x01\0\0\0\x3c\0\x04\0\x0a\xc0\x29";
	const char lies[] = HEAD("\x01") OWNER "\0\x0f\0\x01\0\0\0\x3c\0\x06\0\x0a\x02mx\xc0\x0c";
	const char v4[] = HEAD("\x01") OWNER "\0\x01\0\x01\0\0\0\x3c\0\x03\x7f\0\0";
	struct dns_record r[4];
	size_t count;
	unsigned rcode;

	(void)state;
	assert_true(dnsmsg_read(good, sizeof(good) - 1, DNS_MX, r, 4, &count, &rcode));
	for (size_t n = 0; n < sizeof(good) - 1; n++) {
		char *cut = malloc(n ? n : 1); /* so that reading behind it is noticed */

		memcpy(cut, good, n);
		assert_false(dnsmsg_read(cut, n, DNS_MX, r, 4, &count, &rcode));
		free(cut);
	}
	assert_false(dnsmsg_read(loop, sizeof(loop) - 1, DNS_MX, r, 4, &count, &rcode));
	assert_false(dnsmsg_read(lies, sizeof(lies) - 1, DNS_MX, r, 4, &count, &rcode));
	assert_false(dnsmsg_read(v4, sizeof(v4) - 1, DNS_A, r, 4, &count, &rcode));
}

static uint32_t seed;

static uint32_t some_number(void)
{
	return seed = seed * 1664525 + 1013904223, seed >> 8;
}

static void hosts_are_ordered_and_equals_shuffled(void **state)
{
	unsigned first[3] = {0};

	(void)state;
	for (int i = 0; i < 3000; i++) {
		struct dns_record mx[] = {{.preference = 20, .name = "z"},
					  {.preference = 10, .name = "0"},
					  {.preference = 10, .name = "1"},
					  {.preference = 30, .name = "y"},
					  {.preference = 10, .name = "2"}};

		resolve_order(mx, 5, some_number);
		assert_int_equal(mx[2].preference, 10);
		assert_string_equal(mx[3].name, "z");
		assert_string_equal(mx[4].name, "y");
		first[mx[0].name[0] - '0']++;
	}
	for (int i = 0; i < 3; i++)
		assert_in_range(first[i], 850, 1150);
}

static bool is_us(const char *host, const struct addr *addr, void *arg)
{
	(void)addr;
	(void)arg;
	return host && strcmp(host, "us.example") == 0;
}

static void only_hosts_better_than_ourselves_are_left(void **state)
{
	const struct dns_record mx[] = {{.preference = 5, .name = "a"},
					{.preference = 10, .name = "b"},
					{.preference = 10, .name = "us.example"},
					{.preference = 20, .name = "c"}};

	(void)state;
	assert_int_equal(resolve_before_us(mx, 4, is_us, NULL), 1);
	assert_int_equal(resolve_before_us(mx, 2, is_us, NULL), 2);
	assert_int_equal(resolve_before_us(mx + 2, 2, is_us, NULL), 0);
	assert_int_equal(resolve_before_us(mx, 4, NULL, NULL), 4);
}

static void literals_and_names_are_told_apart(void **state)
{
	struct addr a;
	char name[300];

	(void)state;
	assert_true(resolve_literal("[192.0.2.1]", &a) && a.family == AF_INET);
	assert_true(resolve_literal("[IPv6:2001:db8::1]", &a) && a.family == AF_INET6);
	assert_false(resolve_literal("[2001:db8::1]", &a));
	assert_false(resolve_literal("[IPv6:192.0.2.1]", &a));
	assert_false(resolve_literal("[]", &a));
	assert_false(resolve_literal("[192.0.2.1", &a));
	assert_true(resolve_domain_valid("b.example"));
	assert_true(resolve_domain_valid("_x-1.b.example"));
	assert_false(resolve_domain_valid("a..b"));
	assert_false(resolve_domain_valid(".a"));
	assert_false(resolve_domain_valid("a."));
	assert_false(resolve_domain_valid(""));
	assert_false(resolve_domain_valid("a b"));
	memset(name, 'a', sizeof(name));
	name[64] = '\0';
	assert_false(resolve_domain_valid(name));
	name[63] = '\0';
	assert_true(resolve_domain_valid(name));
	for (int i = 1; i < 290; i += 2)
		memcpy(name + i, ".a", 3);
	assert_false(resolve_domain_valid(name));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_is_read),
		cmocka_unit_test(a_damaged_answer_is_refused),
		cmocka_unit_test(hosts_are_ordered_and_equals_shuffled),
		cmocka_unit_test(only_hosts_better_than_ourselves_are_left),
		cmocka_unit_test(literals_and_names_are_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
