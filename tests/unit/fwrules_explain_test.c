/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fwrules/explain.h"
#include "model/model.h"
#include "model/text.h"
#include "tests/unit/cmocka.h"

#include <string.h>

static struct model *model;
static struct lyd_node *conf;

static const char site[] =
	"interfaces {\n"
	"    wan { device eth0; address [ 198.51.100.2/30 2001:db8:1::2/64 ]; }\n"
	"    dmz { device eth1; address [ 203.0.113.1/26 2001:db8:2::1/64 ]; }\n"
	"}\n"
	"groups { office { 192.0.2.0/24; 2001:db8:7::/48; } }\n"
	"servers {\n"
	"    web1 {\n"
	"        address [ 203.0.113.10 2001:db8:2::10 ];\n"
	"        allow http { tcp 80,443; from any; }\n"
	"        allow rdp { tcp 3389; icmp; from office; }\n"
	"    }\n"
	"    old1 { address 203.0.113.11; }\n"
	"}\n"
	"policy { dmz-outbound { allow any; deny { tcp 445; } } }\n";

static const struct {
	const char *from, *to, *protocol;
	unsigned port;
	const char *answers; /* a line for each, or the complaint */
} cases[] = {
	{"8.8.8.8", "web1", "tcp", 443, "wan dmz allowed: web1 allow http\n"},
	{"8.8.8.8", "203.0.113.10", "tcp", 3389, "wan dmz denied: no allow of server web1\n"},
	{"office", "web1", "tcp", 3389,
	 "wan dmz allowed: web1 allow rdp\nwan dmz allowed: web1 allow rdp\n"},
	{"office", "web1", "icmp", 0,
	 "wan dmz allowed: web1 allow rdp\nwan dmz allowed: web1 allow rdp\n"},
	{"office", "old1", "tcp", 80, "wan dmz denied: no allow of server old1\n"},
	{"web1", "8.8.8.8", "tcp", 25,
	 "dmz wan denied: mail from the DMZ leaves through the relay only\n"},
	{"old1", "8.8.8.8", "tcp", 445, "dmz wan denied: policy dmz-outbound deny\n"},
	{"old1", "8.8.8.8", "47", 0, "dmz wan allowed: policy dmz-outbound allow\n"},
	{"box", "8.8.8.8", "udp", 53, "box wan allowed: the box itself\n"},
	{"web2", "8.8.8.8", "tcp", 80,
	 "\"web2\": no address, server or group, and not \"box\"; did you mean \"web1\"?\n"},
	{"old1", "2001:db8:9::1", "tcp", 80,
	 "old1 and 2001:db8:9::1 have no addresses of one family\n"},
	{"web1", "8.8.8.8", "tcp", 0, "0: not a port (1 to 65535)\n"},
	{"web1", "8.8.8.8", "tpc", 80,
	 "\"tpc\": not a protocol; it is tcp, udp, icmp or a number\n"},
};

static void the_line_that_decides_is_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct question q = {cases[i].from, cases[i].to, cases[i].protocol,
					   cases[i].port};
		struct explanation all[EXPLANATIONS_MAX];
		struct buf out = BUF_INIT;
		size_t n = explain(conf, &q, all, &out);

		for (size_t j = 0; j < n; j++) {
			buf_printf(&out, "%s %s %s: %s\n", zone_name(all[j].from_zone),
				   zone_name(all[j].to_zone), all[j].allowed ? "allowed" : "denied",
				   buf_str(&all[j].because));
			explanation_free(&all[j]);
		}
		assert_string_equal(buf_str(&out), cases[i].answers);
		buf_free(&out);
	}
}

static int setup(void **state)
{
	struct buf error = BUF_INIT;

	(void)state;
	model = model_open("model", false, &error);
	return model && text_parse(model, site, strlen(site), &conf, &error) &&
			       model_validate(model, &conf, &error)
		       ? 0
		       : -1;
}

static int teardown(void **state)
{
	(void)state;
	conf_free(conf);
	model_close(model);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(the_line_that_decides_is_named)};

	return cmocka_run_group_tests(tests, setup, teardown);
}
