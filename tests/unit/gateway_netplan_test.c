/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a netplan refuses, and what it leaves out. (What it asks for: tests/golden/policy.) */
#include "gateway/net_dummy.h"
#include "gateway/netplan.h"
#include "model/model.h"
#include "model/text.h"
#include "tests/unit/cmocka.h"

#include <string.h>

static struct model *model;

static struct netplan *plan_of(const char *text, struct buf *error)
{
	struct lyd_node *conf = NULL;

	if (!text_parse(model, text, strlen(text), &conf, error) ||
	    !model_validate(model, &conf, error))
		fail_msg("%s", buf_str(error));
	struct netplan *plan = netplan_compile(conf, error);
	conf_free(conf);
	return plan;
}

static void faults_quote_what_is_wrong_and_say_what_would_be_right(void **state)
{
	static const struct {
		const char *config, *error;
	} cases[] = {
		{"interfaces { dmz { device eth1; address 203.0.113.1/26; } }\n"
		 "relay { host-name r.example; pool p { source 203.0.113.77; } }",
		 "relay pool p source 203.0.113.77: in no network of interfaces wan or dmz; give "
		 "one "
		 "of them an address beside it\n"},
		{"interfaces { wan { device eth0; address 198.51.100.2/30;"
		 " proxy-neighbour [ 203.0.113.0/24 203.0.0.0/19 ]; } }",
		 "interfaces wan proxy-neighbour 203.0.0.0/19: more than 4096 addresses to answer "
		 "for; have the block routed to this box instead\n"},
		{"interfaces { wan { device eth0; address 198.51.100.2/16; } dmz { device eth1; } "
		 "}\n"
		 "nat { prefix p { outside 198.51.104.0/21; inside 10.0.0.0/21; } }",
		 "nat: more than 1024 addresses outside are on the uplink's own wire; have their "
		 "network routed to this box instead\n"},
		{"interfaces { wan { device enp0s31f6x99; vlan 4000; address 192.0.2.1/24; } }",
		 "interfaces wan device enp0s31f6x99: with vlan 4000 the port's name is longer "
		 "than "
		 "15 characters\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct buf error = BUF_INIT;
		assert_null(plan_of(cases[i].config, &error));
		assert_string_equal(buf_str(&error), cases[i].error);
		buf_free(&error);
	}
}

static bool has_line(const struct netplan *plan, const char *line)
{
	struct buf out = BUF_INIT;

	net_dummy_apply(plan, &out);
	bool found = strstr(buf_str(&out), line) != NULL;
	buf_free(&out);
	return found;
}

static void a_pool_address_stands_where_the_longest_prefix_holds_it(void **state)
{
	struct buf error = BUF_INIT;
	struct netplan *plan = plan_of(
		"interfaces { wan { device eth0; address [ 203.0.113.2/24 192.0.2.9/24 ]; }\n"
		"dmz { device eth1; address 203.0.113.65/26; } }\n"
		"relay { host-name r.example;\n"
		"pool p { source [ 203.0.113.70 203.0.113.7 192.0.2.9 ]; } }",
		&error);

	(void)state;
	assert_non_null(plan);
	assert_true(has_line(plan, "ip address add 203.0.113.70/32 dev eth1\n"));
	assert_true(has_line(plan, "ip address add 203.0.113.7/32 dev eth0\n"));
	assert_false(has_line(plan, "192.0.2.9/32"));
	netplan_free(plan);
	buf_free(&error);
}

static void a_relay_alone_asks_for_no_addresses(void **state)
{
	struct buf error = BUF_INIT;
	struct netplan *plan =
		plan_of("relay { host-name r.example; pool p { source 203.0.113.70; } }", &error);

	(void)state;
	assert_non_null(plan);
	assert_int_equal(plan->addresses_n, 0);
	assert_true(has_line(plan, "sysctl -w net/ipv4/ip_forward=0\n"));
	netplan_free(plan);
	buf_free(&error);
}

static void nobody_answers_for_the_gateway_or_for_the_box_itself(void **state)
{
	struct buf error = BUF_INIT;
	struct netplan *plan = plan_of(
		"interfaces { wan { device eth0; address [ 203.0.113.2/29 2001:db8::2/64 ];\n"
		"gateway [ 203.0.113.1 2001:db8::1 ];\n"
		"proxy-neighbour [ 203.0.113.0/29 2001:db8::/126 ]; }\n"
		"dmz { device eth1; address [ 203.0.113.5/30 2001:db8::3/128 ]; } }",
		&error);

	(void)state;
	assert_non_null(plan);
	assert_true(has_line(plan, "proxy 203.0.113.4 "));
	assert_false(has_line(plan, "proxy 203.0.113.1 "));
	assert_false(has_line(plan, "proxy 203.0.113.2 "));
	assert_false(has_line(plan, "proxy 203.0.113.5 "));
	assert_false(has_line(plan, "proxy 2001:db8::1 "));
	assert_false(has_line(plan, "proxy 2001:db8::2 "));
	/* The kernel answers ND for an address on the port that has it, and on no other. */
	assert_true(has_line(plan, "proxy 2001:db8::3 "));
	netplan_free(plan);
	buf_free(&error);
}

static void an_address_is_answered_for_once(void **state)
{
	struct buf error = BUF_INIT;
	struct netplan *plan =
		plan_of("interfaces { wan { device eth0; address 198.51.100.2/30;\n"
			"proxy-neighbour [ 203.0.113.8/30 203.0.113.8/29 203.0.113.9/32 ]; } }",
			&error);

	(void)state;
	assert_non_null(plan);
	assert_int_equal(plan->neighbours_n, 8);
	netplan_free(plan);
	buf_free(&error);
}

static int open_model(void **state)
{
	struct buf error = BUF_INIT;

	(void)state;
	model = model_open("model", false, &error);
	buf_free(&error);
	return model ? 0 : -1;
}

static int close_model(void **state)
{
	(void)state;
	model_close(model);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(faults_quote_what_is_wrong_and_say_what_would_be_right),
		cmocka_unit_test(a_pool_address_stands_where_the_longest_prefix_holds_it),
		cmocka_unit_test(a_relay_alone_asks_for_no_addresses),
		cmocka_unit_test(nobody_answers_for_the_gateway_or_for_the_box_itself),
		cmocka_unit_test(an_address_is_answered_for_once),
	};

	return cmocka_run_group_tests(tests, open_model, close_model);
}
