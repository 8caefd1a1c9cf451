/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/addr.h"
#include "tests/unit/cmocka.h"

static void parse_refuses_what_is_not_exactly_one_address(void **state)
{
	static const char *const bad[] = {"",
					  "192.0.2",
					  "192.0.2.256",
					  "192.0.2.1 ",
					  "192.0.2.01",
					  "2001:db8::1%1",
					  "192.0.2.1/33",
					  "192.0.2.1/",
					  "192.0.2.1/+1",
					  "192.0.2.1/08",
					  "2001:db8::/129",
					  "any"};
	struct prefix p;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_false(prefix_parse(bad[i], &p));
}

static void prefix_prints_as_it_was_written(void **state)
{
	static const char *const texts[] = {"192.0.2.7/24", "0.0.0.0/0", "2001:db8::1/64", "::/0"};
	char out[PREFIX_STR_MAX];
	struct prefix p;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		assert_true(prefix_parse(texts[i], &p));
		assert_string_equal(prefix_format(&p, out), texts[i]);
	}
}

static void prefix_knows_its_bounds(void **state)
{
	char out[ADDR_STR_MAX], net[PREFIX_STR_MAX];
	struct prefix p, network;
	struct addr inside, outside, last;

	(void)state;
	assert_true(prefix_parse("203.0.113.77/26", &p));
	assert_true(addr_parse("203.0.113.64", &inside));
	assert_true(addr_parse("203.0.113.63", &outside));
	assert_true(prefix_contains(&p, &inside));
	assert_false(prefix_contains(&p, &outside));
	network = prefix_network(&p);
	last = prefix_last(&p);
	assert_string_equal(prefix_format(&network, net), "203.0.113.64/26");
	assert_string_equal(addr_format(&last, out), "203.0.113.127");
}

static void mapped_address_from_a_socket_is_ipv4(void **state)
{
	struct addr six = {.family = AF_INET6, .bytes = {[10] = 0xff, [11] = 0xff, 192, 0, 2, 9}};
	struct sockaddr_storage ss;
	struct addr got;
	uint16_t port;
	char out[ADDR_STR_MAX];

	(void)state;
	addr_to_sockaddr(&six, 25, &ss);
	assert_true(addr_from_sockaddr((struct sockaddr *)&ss, &got, &port));
	assert_int_equal(port, 25);
	assert_string_equal(addr_format(&got, out), "192.0.2.9");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parse_refuses_what_is_not_exactly_one_address),
		cmocka_unit_test(prefix_prints_as_it_was_written),
		cmocka_unit_test(prefix_knows_its_bounds),
		cmocka_unit_test(mapped_address_from_a_socket_is_ipv4),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
