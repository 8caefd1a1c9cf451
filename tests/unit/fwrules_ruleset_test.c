/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ruleset, run by a small machine of our own instead of the kernel, does what the policy says:
 * for random configs and random packets that begin a connection.
 */
#include "fwrules/decide.h"
#include "fwrules/policy.h"
#include "fwrules/ruleset.h"
#include "model/model.h"
#include "model/text.h"
#include "tests/unit/cmocka.h"
#include "tests/unit/fwrules_machine.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static struct model *model;

static struct lyd_node *load(const char *text)
{
	struct buf error = BUF_INIT;
	struct lyd_node *conf = NULL;

	if (!text_parse(model, text, strlen(text), &conf, &error) ||
	    !model_validate(model, &conf, &error))
		fail_msg("%s\n%s", buf_str(&error), text);
	buf_free(&error);
	return conf;
}

static struct policy *policy_of(const char *text)
{
	struct buf error = BUF_INIT;
	struct lyd_node *conf = load(text);
	struct policy *p = policy_compile(conf, &error);

	if (!p)
		fail_msg("%s", buf_str(&error));
	conf_free(conf);
	buf_free(&error);
	return p;
}

/* ---- random configs ---- */

static unsigned seed;

static unsigned pick(unsigned n)
{
	return (unsigned)rand_r(&seed) % n;
}

static const char *const addresses[] = {
	"198.51.100.130",  "198.51.100.77",  "192.0.2.10",     "192.0.2.200",    "10.1.1.1",
	"8.8.8.8",         "203.0.113.10",   "203.0.113.11",   "203.0.113.12",   "203.0.113.30",
	"203.0.113.1",     "198.51.100.2",   "203.0.113.5",    "2001:db8:7::1",  "2001:db8:99::1",
	"fc00::1",         "2001:db8:d::10", "2001:db8:d::11", "2001:db8:d::12", "2001:db8:d::1",
	"2001:db8:0:1::2", "2001:db8:d::77", "198.51.100.9",   "198.51.100.17",  "192.0.2.65",
	"2001:db8:e::10",
};
static const unsigned ports[] = {1, 22, 25, 53, 80, 443, 587, 1000, 1100, 1255, 1256, 2000, 65535};

static const char *endpoint(void)
{
	static const char *const all[] = {
		"any",
		"office",
		"mixed",
		"nobody",
		"web0",
		"web1",
		"192.0.2.0/24",
		"8.8.8.8",
		"198.51.100.128/25",
		"2001:db8:7::/48",
		"2001:db8:99::1",
		"203.0.113.0/26",
		"10.0.0.0/8",
	};

	return all[pick(sizeof(all) / sizeof(*all))];
}

static void add_port_list(struct buf *b, const char *proto)
{
	unsigned a = ports[pick(sizeof(ports) / sizeof(*ports))];
	unsigned z = ports[pick(sizeof(ports) / sizeof(*ports))];

	if (a > z) {
		unsigned swap = a;
		a = z;
		z = swap;
	}
	if (pick(2))
		buf_printf(b, "%s %u-%u,%u; ", proto, a, z, ports[pick(8)]);
	else
		buf_printf(b, "%s %u,%u; ", proto, a, ports[pick(8)]);
}

static void add_endpoints(struct buf *b, const char *leaf)
{
	buf_printf(b, "%s [ %s", leaf, endpoint());
	/* The same endpoint twice would not validate. */
	buf_printf(b, " 192.0.2.%u/32 ]; ", pick(250) + 1);
}

static void add_server(struct buf *b, unsigned i)
{
	buf_printf(b, "web%u { address [ 203.0.113.%u 2001:db8:d::%u ]; ", i, 10 + i, 10 + i);
	for (unsigned a = 0; a < pick(5); a++) {
		buf_printf(b, "allow s%u { ", a);
		bool tcp = pick(3) != 0;
		if (tcp)
			add_port_list(b, "tcp");
		if (pick(3) == 0)
			add_port_list(b, "udp");
		if (!tcp || pick(3) == 0)
			buf_appends(b, "icmp; ");
		add_endpoints(b, "from");
		if (pick(3) == 0)
			buf_printf(b, "limit %u/%s; ", pick(50) + 1, pick(2) ? "second" : "hour");
		buf_appends(b, pick(3) ? "} " : "log; } ");
	}
	buf_appends(b, "}\n");
}

/* Of each kind in about half of the configs. */
static void add_nat(struct buf *b)
{
	buf_appends(b, "nat { ");
	if (pick(2)) {
		buf_printf(b, "forward f { address 198.51.100.9; to 203.0.113.%u; ", 10 + pick(4));
		buf_printf(b, "tcp %u,%u-%u; ", 22 + pick(4), 80 + pick(2), 443 + pick(500));
		buf_printf(b, "} forward g { address 198.51.100.2; to 203.0.113.10; to-port %u; ",
			   ports[pick(8)]);
		buf_printf(b, "%s 80-83; } ", pick(2) ? "tcp" : "udp");
	}
	if (pick(2))
		buf_printf(b,
			   "one-to-one a { outside 198.51.100.%u; inside 203.0.113.11; } "
			   "one-to-one b { outside 2001:db8:e::10; inside 2001:db8:d::%u; } ",
			   pick(2) ? 9 : 17, 10 + pick(3));
	if (pick(2))
		buf_appends(b, "prefix p { outside 198.51.100.16/29; inside 203.0.113.8/29; } "
			       "prefix q { outside 192.0.2.64/28; inside 203.0.113.48/28; } ");
	if (pick(2))
		buf_printf(b,
			   "source s { from %s; address 198.51.100.2; } "
			   "source t { from 2001:db8:d::/64; address 2001:db8:0:1::2; } ",
			   pick(2) ? "any" : "203.0.113.0/28");
	buf_appends(b, "}\n");
}

static void random_config(struct buf *b)
{
	buf_appends(b, "interfaces {\n"
		       "wan { device eth0; address [ 198.51.100.2/30 2001:db8:0:1::2/64 ]; }\n"
		       "dmz { device eth1; address [ 203.0.113.1/26 2001:db8:d::1/64 ]; } }\n"
		       "groups { office { 192.0.2.0/25; 2001:db8:7::/48; } nobody { }\n"
		       "mixed { 198.51.100.77/32; 2001:db8:99::1/128; 192.0.2.128/25; } }\n"
		       "servers {\n");
	for (unsigned i = 0; i < 3; i++)
		add_server(b, i);
	buf_appends(b, "}\n");
	add_nat(b);
	bool relay = pick(2);
	buf_printf(b, "policy { dmz-outbound { %s", relay && pick(2) ? "redirect-smtp; " : "");
	if (pick(4))
		add_endpoints(b, "allow");
	if (pick(2)) {
		buf_appends(b, "deny { ");
		if (pick(3))
			add_port_list(b, "tcp");
		if (pick(2))
			add_endpoints(b, "to");
		buf_appends(b, "} ");
	}
	buf_appends(b, "} dmz-internal { ");
	if (pick(2))
		add_endpoints(b, "allow");
	buf_appends(b, "} box { ");
	if (pick(2))
		add_endpoints(b, "ping");
	buf_appends(b, "} }\n");
	if (pick(2)) {
		buf_appends(b, "system { ssh { ");
		add_endpoints(b, "allow");
		buf_appends(b, "} }\n");
	}
	if (relay)
		buf_printf(b,
			   "relay { host-name r.example; pool p { source 203.0.113.5; } "
			   "account a { networks 203.0.113.0/26; from \"*@a.example\"; } %s}\n",
			   pick(2) ? "listen a { address 203.0.113.1; port 1000; } "
				     "listen b { port 1000; } "
				   : "");
}

static void random_flow(struct flow *f)
{
	static const uint8_t protos[] = {IPPROTO_TCP, IPPROTO_TCP, IPPROTO_UDP, 0, 47};
	size_t n = sizeof(addresses) / sizeof(*addresses);

	*f = (struct flow){.proto = protos[pick(5)]};
	do {
		addr_parse(addresses[pick((unsigned)n)], &f->from);
		addr_parse(addresses[pick((unsigned)n)], &f->to);
	} while (f->from.family != f->to.family || !addr_cmp(&f->from, &f->to));
	if (!f->proto) {
		bool six = f->from.family == AF_INET6;
		f->proto = six ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
		f->icmp_type = pick(3) ? (six ? 128 : 8) : 13;
	} else if (f->proto != 47) {
		f->to_port = (uint16_t)(ports[pick(sizeof(ports) / sizeof(*ports))] + pick(3) - 1);
	}
}

static bool same_flow(const struct flow *a, const struct nat_flow *b)
{
	return !addr_cmp(&a->from, &b->from) && !addr_cmp(&a->to, &b->to) &&
	       a->to_port == b->to_port;
}

static void ruleset_does_what_the_policy_says(void **state)
{
	static const struct ruleset_caps caps[] = {{false}, {true}};
	unsigned allowed = 0, denied = 0, changed = 0;

	(void)state;
	for (seed = 1; seed <= 400; seed++) {
		struct buf text = BUF_INIT;
		unsigned kept = seed;
		random_config(&text);
		struct policy *p = policy_of(buf_str(&text));
		struct ruleset *rs = ruleset_compile(p, &caps[kept % 2]);
		for (int i = 0; i < 300; i++) {
			struct flow flow;
			struct buf why = BUF_INIT;
			random_flow(&flow);
			enum zone from = policy_zone(p, &flow.from);
			if (from == ZONE_BOX)
				continue;
			struct packet packet = {.flow = flow, .iif = device_of(from)};
			struct nat_flow led = {flow.from, flow.to, flow.proto, flow.to_port};
			bool changes = policy_translate(p, &led);
			bool meant = policy_allows(p, &flow, &why);
			bool is = passes(p, rs, &packet, NULL);
			if (is != meant || (is && !same_flow(&packet.flow, &led))) {
				char a[ADDR_STR_MAX], b[ADDR_STR_MAX];
				fail_msg(
					"%s -> %s proto %u port %u: policy %s (%s), ruleset %s\n%s",
					addr_format(&flow.from, a), addr_format(&flow.to, b),
					flow.proto, flow.to_port, meant ? "allows" : "denies",
					buf_str(&why), is ? "allows" : "denies", buf_str(&text));
			}
			meant ? allowed++ : denied++;
			changed += meant && changes;
			buf_free(&why);
		}
		ruleset_free(rs);
		policy_free(p);
		buf_free(&text);
		seed = kept;
	}
	assert_true(allowed > 4000 && denied > 5000 && changed > 1000);
}

/* ---- what must hold of every ruleset ---- */

static void elements_are_unique_and_intervals_disjoint(void **state)
{
	(void)state;
	for (seed = 1; seed <= 200; seed++) {
		struct buf text = BUF_INIT;
		unsigned kept = seed;
		random_config(&text);
		struct policy *p = policy_of(buf_str(&text));
		struct ruleset *rs = ruleset_compile(p, &(struct ruleset_caps){false});
		for (size_t i = 0; i < rs->sets_n; i++) {
			const struct set *set = &rs->sets[i];
			assert_true(set->dynamic || set->n > 0);
			for (size_t j = 1; j < set->n; j++)
				assert_true(memcmp(set->interval ? set->elements[j - 1].last
								 : set->elements[j - 1].key,
						   set->elements[j].key, KEY_BYTES_MAX) < 0);
		}
		ruleset_free(rs);
		policy_free(p);
		buf_free(&text);
		seed = kept;
	}
}

#define PORTS                                                        \
	"interfaces { wan { device eth0; address 198.51.100.2/30; }" \
	" dmz { device eth1; address 203.0.113.1/26; } }\n"

static bool logged_from(const char *source, uint16_t port)
{
	struct policy *p = policy_of(
		PORTS
		"servers { web1 { address 203.0.113.10;"
		" allow a { tcp 80; from any; } allow b { tcp 80; from 192.0.2.0/24; log; }"
		" allow c { tcp 81; from any; log; } allow d { tcp 81; from any; limit 1/hour; }"
		" } }");
	struct ruleset *rs = ruleset_compile(p, &(struct ruleset_caps){false});
	struct packet packet = {.iif = "eth0"};
	unsigned logged = 0;

	packet.flow.proto = IPPROTO_TCP;
	packet.flow.to_port = port;
	assert_true(addr_parse(source, &packet.flow.from));
	assert_true(addr_parse("203.0.113.10", &packet.flow.to));
	assert_true(passes(p, rs, &packet, &logged));
	ruleset_free(rs);
	policy_free(p);
	return logged == 1;
}

static void what_a_logging_allow_lets_in_is_logged_whatever_else_allows_it(void **state)
{
	(void)state;
	assert_true(logged_from("192.0.2.1", 80));
	assert_false(logged_from("198.51.100.9", 80));
	assert_true(logged_from("198.51.100.9", 81));
}

/* A map's size grows with the servers; rules and chains do not. */
static void rules_do_not_grow_with_servers(void **state)
{
	size_t rules[2] = {0}, sets[2] = {0};

	(void)state;
	for (int round = 0; round < 2; round++) {
		struct buf text = BUF_INIT;
		buf_appends(&text, PORTS "groups { office { 192.0.2.0/24; } }\nservers {\n");
		for (int i = 0; i < (round ? 40 : 2); i++)
			buf_printf(&text,
				   "w%d { address 203.0.113.%d; allow http { tcp 80; from any; }"
				   " allow ssh { tcp 22; from office; } }\n",
				   i, 10 + i);
		buf_appends(&text, "}\n");
		struct policy *p = policy_of(buf_str(&text));
		struct ruleset *rs = ruleset_compile(p, &(struct ruleset_caps){false});
		for (size_t i = 0; i < rs->chains_n; i++)
			rules[round] += rs->chains[i].n;
		sets[round] = rs->sets_n;
		ruleset_free(rs);
		policy_free(p);
		buf_free(&text);
	}
	assert_int_equal(rules[0], rules[1]);
	assert_int_equal(sets[0], sets[1]);
}

static void an_empty_config_lets_nothing_pass(void **state)
{
	struct buf error = BUF_INIT;
	struct policy *p = policy_compile(NULL, &error);
	struct ruleset *rs = ruleset_compile(p, &(struct ruleset_caps){true});

	(void)state;
	for (seed = 7; seed < 500; seed++) {
		struct packet packet = {.iif = "eth0", .oif = "eth1"};
		struct machine m = {.rs = rs, .packet = &packet};
		random_flow(&packet.flow);
		assert_true(gets_through(&m, "prerouting"));
		assert_false(gets_through(&m, "forward"));
		assert_false(gets_through(&m, "input"));
	}
	assert_int_equal(rs->devices_n, 0);
	ruleset_free(rs);
	policy_free(p);
	buf_free(&error);
}

/* ---- the policy's own words ---- */

static void why_is_said_in_words(void **state)
{
	static const struct {
		const char *from, *to;
		uint16_t port;
		bool allowed;
		const char *why;
	} cases[] = {
		{"8.8.8.8", "203.0.113.10", 80, true, "web1 allow http"},
		{"8.8.8.8", "203.0.113.10", 81, false, "no allow of server web1"},
		{"8.8.8.8", "203.0.113.11", 80, false, "no server has this address"},
		{"8.8.8.8", "9.9.9.9", 80, false, "from the WAN back to the WAN"},
		{"10.0.0.1", "203.0.113.10", 80, false, "nobody on the WAN has this address"},
		{"8.8.8.8", "198.51.100.2", 80, false, "no service of the box"},
		{"203.0.113.10", "8.8.8.8", 443, true, "policy dmz-outbound allow"},
		{"203.0.113.10", "8.8.8.8", 6667, false, "policy dmz-outbound deny"},
		{"203.0.113.10", "8.8.8.8", 25, false,
		 "mail from the DMZ leaves through the relay only"},
		{"203.0.113.10", "203.0.113.40", 9, true, "policy dmz-internal allow"},
		{"198.51.100.2", "8.8.8.8", 25, true, "the box itself"},
	};
	struct policy *p = policy_of(
		PORTS
		"servers { web1 { address 203.0.113.10; allow http { tcp 80; from any; } } }\n"
		"policy { dmz-outbound { allow any; deny { tcp 6667; } }"
		" dmz-internal { allow 203.0.113.40; } }");

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct flow f = {.proto = IPPROTO_TCP, .to_port = cases[i].port};
		struct buf why = BUF_INIT;
		addr_parse(cases[i].from, &f.from);
		addr_parse(cases[i].to, &f.to);
		assert_int_equal(policy_allows(p, &f, &why), cases[i].allowed);
		assert_string_equal(buf_str(&why), cases[i].why);
		buf_free(&why);
	}
	policy_free(p);
}

static void a_port_whose_name_is_too_long_is_refused(void **state)
{
	struct buf error = BUF_INIT;
	struct lyd_node *conf = load(
		"interfaces { wan { device enp0s31f6x99; vlan 4000; address 192.0.2.1/24; } }");

	(void)state;
	assert_null(policy_compile(conf, &error));
	assert_string_equal(buf_str(&error),
			    "interfaces wan device enp0s31f6x99: with vlan 4000 the port's name is "
			    "longer than 15 characters\n");
	conf_free(conf);
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
		cmocka_unit_test(ruleset_does_what_the_policy_says),
		cmocka_unit_test(elements_are_unique_and_intervals_disjoint),
		cmocka_unit_test(what_a_logging_allow_lets_in_is_logged_whatever_else_allows_it),
		cmocka_unit_test(rules_do_not_grow_with_servers),
		cmocka_unit_test(an_empty_config_lets_nothing_pass),
		cmocka_unit_test(why_is_said_in_words),
		cmocka_unit_test(a_port_whose_name_is_too_long_is_refused),
	};

	return cmocka_run_group_tests(tests, open_model, close_model);
}
