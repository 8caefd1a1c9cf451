/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/config.h"

#include "tests/unit/cmocka.h"

#include <string.h>

#define RELAY(members) "{\"gatepost:relay\":{\"host-name\":\"R.example.net\"" members "}}"

static struct relay_config *parse(const char *json, struct buf *error)
{
	return config_parse(json, strlen(json), error);
}

static void left_out_members_have_the_defaults_of_the_model(void **state)
{
	struct buf error = BUF_INIT;
	struct relay_config *c = parse(RELAY(""), &error);

	(void)state;
	assert_string_equal(buf_str(&error), "");
	assert_non_null(c);
	assert_string_equal(c->host_name, "r.example.net");
	assert_int_equal(c->listener_count, 4);
	assert_int_equal(c->listeners[0].port, 25);
	assert_int_equal(c->listeners[3].kind, LISTENER_HTTP);
	assert_string_equal(c->spool_dir, "/var/spool/gatepost");
	assert_int_equal(c->expire_s, 432000);
	config_free(c);
}

static void a_full_config_fills_the_struct(void **state)
{
	static const char json[] = RELAY(
		",\"http\":[{\"name\":\"w\",\"port\":443,\"tls\":[null]}],\"tracking\":{\"host\":"
		"\"T.example\"},\"pool\":[{\"name\":\"p\",\"source\":[\"192.0.2.1\",\"2001:db8::"
		"1\"],"
		"\"members\":[\"acme\"]}],\"account\":[{\"name\":\"acme\",\"networks\":[\"192.0.2."
		"0/"
		"24\"],\"from\":[\"*@acme.example\"],\"user\":[{\"name\":\"u\",\"password\":\"$y$"
		"x\"}],"
		"\"track\":{\"opens\":[null]},\"sign\":{\"domain\":[\"Acme.Example\"],\"selector\":"
		"\"g1"
		"\",\"dkim\":[null]},\"pool\":\"p\",\"weight\":3,\"paused\":[null],"
		"\"limits\":{\"rate\":\"1000/hour\"}}]");
	struct buf error = BUF_INIT;
	struct relay_config *c = parse(json, &error);

	(void)state;
	assert_string_equal(buf_str(&error), "");
	assert_int_equal(c->listeners[0].kind, LISTENER_HTTPS);
	assert_int_equal(c->pools[0].sources[1].family, AF_INET6);
	assert_string_equal(c->pools[0].host_name, "r.example.net");
	const struct config_account *a = config_account(c, "acme");
	assert_int_equal(a->networks[0].len, 24);
	assert_true(a->track_opens);
	assert_false(a->track_clicks);
	assert_string_equal(a->track_host, "t.example");
	assert_string_equal(a->sign_domains.items[0], "acme.example");
	assert_string_equal(a->users[0].password, "$y$x");
	assert_int_equal(a->weight, 3);
	assert_int_equal(a->message_size_max, 52428800);
	assert_int_equal(a->rate.count, 1000);
	assert_int_equal(a->rate.unit_s, 3600);
	assert_true(a->paused);
	config_free(c);
}

static void what_is_refused_is_quoted_with_its_path(void **state)
{
	static const struct {
		const char *json, *error;
	} cases[] = {
		{"{", "line 1, column 1: string or '}' expected near end of file\n"},
		{"{}", "gatepost:relay: not an object\n"},
		{RELAY(",\"retry\":{\"first\":0}"),
		 "gatepost:relay/retry/first: 0 is not a number from 1 to 86400\n"},
		{RELAY(",\"name-server\":[\"ns1\"]"), "gatepost:relay/name-server: \"ns1\" is not "
						      "an address (192.0.2.1, 2001:db8::1)\n"},
		{RELAY(",\"account\":[{\"name\":\"a\",\"networks\":[\"::/0\"]}]"),
		 "account[a]/networks: '::/0' is everybody: name the clients' networks, or set "
		 "auth-required\n"},
		{RELAY(",\"account\":[{\"name\":\"a\",\"pool\":\"gold\"}]"),
		 "account[a]/pool: there is no pool 'gold'\n"},
		{RELAY(",\"account\":[{\"name\":\"a\\n250 ok\"}]"),
		 "gatepost:relay/account[a\n250 ok]/name: \"a\\n250 ok\" is not a string without "
		 "control characters\n"},
		{RELAY(",\"account\":[{\"name\":\"a\",\"limits\":{\"rate\":\"0/hour\"}}]"),
		 "gatepost:relay/account[a]/limits/rate: \"0/hour\" is not a rate (20/second, "
		 "100/minute, 1000/hour)\n"},
		{RELAY(",\"account\":[{\"name\":\"a\",\"limits\":{\"rate\":\"5/day\"}}]"),
		 "gatepost:relay/account[a]/limits/rate: \"5/day\" is not a rate (20/second, "
		 "100/minute, 1000/hour)\n"},
		{RELAY(",\"pool\":[{\"name\":\"p\",\"members\":[\"x\"]}]"),
		 "pool[p]/members: there is no account 'x'\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct buf error = BUF_INIT;
		assert_null(parse(cases[i].json, &error));
		assert_string_equal(buf_str(&error), cases[i].error);
		buf_free(&error);
	}
}

static void an_unknown_member_is_refused_and_the_known_ones_are_named(void **state)
{
	struct buf error = BUF_INIT;

	(void)state;
	assert_null(parse(RELAY(",\"lab\":{\"smtp_port\":25}"), &error));
	assert_string_equal(buf_str(&error),
			    "gatepost:relay/lab: 'smtp_port' is not known here; "
			    "known: smtp-port dns-port trust-anchor sts-port ca-file clock\n");
	buf_free(&error);
}

static void a_smart_host_is_read_with_its_ports_default(void **state)
{
	struct buf error = BUF_INIT;
	struct relay_config *c = parse(
		RELAY(",\"pool\":[{\"name\":\"a\",\"smart-host\":{\"host\":\"S.example\",\"user\":"
		      "\"u\",\"password\":\"p\"}},{\"name\":\"b\",\"smart-host\":{\"host\":"
		      "\"s.example\",\"tls\":\"implicit\"}},{\"name\":\"c\",\"source\":["
		      "\"192.0.2.1\"],\"helo\":[{\"source\":\"192.0.2.1\",\"host-name\":"
		      "\"C.example\"}]}]"),
		&error);

	(void)state;
	assert_string_equal(buf_str(&error), "");
	assert_non_null(c);
	assert_string_equal(c->pools[0].smart_host.host, "s.example");
	assert_int_equal(c->pools[0].smart_host.port, 587);
	assert_int_equal(c->pools[0].smart_host.tls, SMART_STARTTLS);
	assert_string_equal(c->pools[0].smart_host.password, "p");
	assert_int_equal(c->pools[1].smart_host.port, 465);
	assert_string_equal(c->pools[2].smart_host.host, "");
	assert_string_equal(c->pools[2].helos[0].host_name, "c.example");
	config_free(c);
	buf_free(&error);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(left_out_members_have_the_defaults_of_the_model),
		cmocka_unit_test(a_full_config_fills_the_struct),
		cmocka_unit_test(what_is_refused_is_quoted_with_its_path),
		cmocka_unit_test(a_smart_host_is_read_with_its_ports_default),
		cmocka_unit_test(an_unknown_member_is_refused_and_the_known_ones_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
