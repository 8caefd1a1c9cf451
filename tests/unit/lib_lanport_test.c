/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The LAN port's settings: what is taken, what is refused and how, what a refusal leaves. */
#include "lib/lanport.h"
#include "tests/unit/cmocka.h"

static const char *address_of(const struct lanport *s)
{
	static char text[PREFIX_STR_MAX];

	return prefix_format(&s->address, text);
}

static void parse(struct lanport *s, const char *text, const char *complaint)
{
	struct buf error = BUF_INIT;

	lanport_default(s);
	assert_int_equal(lanport_parse(s, text, &error), !*complaint);
	assert_string_equal(buf_str(&error), complaint);
	buf_free(&error);
}

static void nothing_said_means_the_defaults(void **state)
{
	struct lanport s;

	(void)state;
	parse(&s, "", "");
	assert_string_equal(address_of(&s), "192.168.77.1/24");
	assert_true(s.dhcp);
	parse(&s, "# address 10.0.0.1/24\n\n   \r\n", "");
	assert_string_equal(address_of(&s), "192.168.77.1/24");
}

static void each_setting_is_taken(void **state)
{
	struct lanport s;

	(void)state;
	parse(&s, "address 10.1.2.2/30\ndhcp off\n", "");
	assert_string_equal(address_of(&s), "10.1.2.2/30");
	assert_false(s.dhcp);
	parse(&s, "  dhcp\ton\r\naddress\t172.16.0.9/12", "");
	assert_string_equal(address_of(&s), "172.16.0.9/12");
	assert_true(s.dhcp);
}

static void a_bad_line_is_quoted_and_costs_only_itself(void **state)
{
	struct lanport s;

	(void)state;
	parse(&s, "address 10.1.2.300/24\ndhcp off\n",
	      "\"address 10.1.2.300/24\": address takes an IPv4 address and a length of 8 to 30, "
	      "as "
	      "192.168.77.1/24\n");
	assert_string_equal(address_of(&s), "192.168.77.1/24");
	assert_false(s.dhcp);
	parse(&s, "dhcp maybe\n", "\"dhcp maybe\": dhcp takes on or off\n");
	parse(&s, "dhcp\n", "\"dhcp \": dhcp takes on or off\n");
	parse(&s, "dhcp on off\n", "\"dhcp on off\": dhcp takes on or off\n");
	parse(&s, "router 10.0.0.1\n",
	      "\"router\": no such setting of the LAN port; there are address and dhcp\n");
}

static void an_address_must_be_one_that_a_port_can_have(void **state)
{
	static const char *const bad[] = {"10.0.0.1",         "10.0.0.0/24",   "10.0.0.255/24",
					  "127.0.0.1/8",      "224.0.0.1/24",  "0.1.2.3/24",
					  "10.0.0.1/31",      "10.0.0.1/7",    "fe80::1/64",
					  "255.255.255.1/24", "10.0.0.1/24/1", ""};
	struct prefix p;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (lanport_address(bad[i], &p))
			fail_msg("taken: %s", bad[i]);
	assert_true(lanport_address("10.0.0.1/30", &p));
}

static void what_is_printed_says_the_same(void **state)
{
	struct lanport s, again;
	struct buf text = BUF_INIT;

	(void)state;
	parse(&s, "address 10.1.2.2/30\ndhcp off\n", "");
	lanport_print(&s, &text);
	assert_string_equal(buf_str(&text), "address 10.1.2.2/30\ndhcp off\n");
	parse(&again, buf_str(&text), "");
	assert_string_equal(address_of(&again), "10.1.2.2/30");
	assert_false(again.dhcp);
	buf_free(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_said_means_the_defaults),
		cmocka_unit_test(each_setting_is_taken),
		cmocka_unit_test(a_bad_line_is_quoted_and_costs_only_itself),
		cmocka_unit_test(an_address_must_be_one_that_a_port_can_have),
		cmocka_unit_test(what_is_printed_says_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
