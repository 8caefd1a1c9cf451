/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/text.h"
#include "tests/unit/cmocka.h"

#include <glob.h>
#include <stdio.h>
#include <string.h>

static struct model *model;

static struct lyd_node *parse(const char *text)
{
	struct buf error = BUF_INIT;
	struct lyd_node *conf;

	if (!text_parse(model, text, strlen(text), &conf, &error))
		fail_msg("%s\nin: %s", buf_str(&error), text);
	return conf;
}

static void print(const char *text, enum text_form form, struct buf *out)
{
	struct text_style style = {.form = form};
	struct lyd_node *conf = parse(text);

	buf_clear(out);
	text_print(conf, &style, out);
	conf_free(conf);
}

static void expect_file(const char *in, const char *ending, const struct buf *got)
{
	struct buf want = BUF_INIT;
	char path[512];

	snprintf(path, sizeof(path), "%.*s.%s", (int)(strlen(in) - strlen(".in")), in, ending);
	assert_true(buf_read_file(&want, path, TEXT_MAX));
	assert_string_equal(buf_str(got), buf_str(&want));
	buf_free(&want);
}

/* NAME.in is read; NAME.ok is its canonical text, NAME.set the same as set lines. */
static void golden_pairs_round_trip(void **state)
{
	struct buf in = BUF_INIT, out = BUF_INIT, again = BUF_INIT;
	glob_t files;

	(void)state;
	assert_int_equal(glob("tests/golden/text/*.in", 0, NULL, &files), 0);
	for (size_t i = 0; i < files.gl_pathc; i++) {
		buf_clear(&in);
		assert_true(buf_read_file(&in, files.gl_pathv[i], TEXT_MAX));
		print(buf_str(&in), TEXT_BRACES, &out);
		expect_file(files.gl_pathv[i], "ok", &out);
		print(buf_str(&out), TEXT_BRACES, &again);
		assert_string_equal(buf_str(&again), buf_str(&out));

		print(buf_str(&in), TEXT_SET, &out);
		expect_file(files.gl_pathv[i], "set", &out);
		print(buf_str(&out), TEXT_SET, &again);
		assert_string_equal(buf_str(&again), buf_str(&out));
	}
	globfree(&files);
	buf_free(&in);
	buf_free(&out);
	buf_free(&again);
}

static void comments_go_where_their_node_goes(void **state)
{
	struct lyd_node *conf =
		parse("# top\nsystem { # box\n host-name a; # name\n # last\n}\n# end\n");
	struct lyd_node *copy = conf_copy(conf);
	struct buf out = BUF_INIT;

	(void)state;
	text_print(copy, NULL, &out);
	assert_string_equal(buf_str(&out), "# top\nsystem { # box\n    host-name a; # name\n"
					   "    # last\n}\n# end\n");
	buf_clear(&out);
	model_print_json(copy, "system", &out);
	assert_null(strstr(buf_str(&out), "top"));
	conf_free(conf);
	conf_free(copy);
	buf_free(&out);
}

static void secrets_can_be_hidden(void **state)
{
	struct text_style style = {.hide_secrets = true};
	struct lyd_node *conf =
		parse("relay { host-name r; account a { user u { password \"$y$secret\"; } } }");
	struct buf out = BUF_INIT;

	(void)state;
	text_print(conf, &style, &out);
	assert_null(strstr(buf_str(&out), "secret"));
	assert_non_null(strstr(buf_str(&out), "password \"(hidden)\";"));
	style.form = TEXT_SET;
	buf_clear(&out);
	text_print(conf, &style, &out);
	assert_null(strstr(buf_str(&out), "$y$"));
	conf_free(conf);
	buf_free(&out);
}

static void each_fault_is_told_with_its_place(void **state)
{
	static const struct {
		const char *text, *error;
	} faults[] = {
		{"sytem { host-name a; }",
		 "line 1, column 1: \"sytem\": not known here; did you mean \"system\"?\n"},
		{"interfaces {\n    wan {\n        addres 192.0.2.1/24;\n    }\n}\n",
		 "line 3, column 9: interfaces wan: \"addres\": not known here; did you mean "
		 "\"address\"?\n"},
		{"interfaces { wan { colour red; } }",
		 "line 1, column 20: interfaces wan: \"colour\": not known here; known: device, "
		 "vlan, "
		 "mtu, address, gateway, proxy-neighbour\n"},
		{"interfaces { wan { vlan 4095; } }",
		 "line 1, column 25: interfaces wan vlan: \"4095\": not a number from 1 to 4094\n"},
		{"interfaces { wan { vlan abc; } }",
		 "line 1, column 25: interfaces wan vlan: \"abc\": not a number from 1 to 4094\n"},
		{"system { ntp 192.0.2.256; }",
		 "line 1, column 14: system ntp: \"192.0.2.256\": not an address (192.0.2.1 or "
		 "2001:db8::1)\n"},
		{"system { ntp 1:2:3; }",
		 "line 1, column 14: system ntp: \"1:2:3\": not an address (192.0.2.1 or "
		 "2001:db8::1)\n"},
		{"groups { office { 192.0.2.7/24; } }",
		 "line 1, column 19: groups office: \"192.0.2.7/24\": bits are set behind the /24; "
		 "the "
		 "network is 192.0.2.0/24\n"},
		{"groups { office { 192.0.2.7; } }",
		 "line 1, column 19: groups office: \"192.0.2.7\": not a network (192.0.2.0/24 or "
		 "2001:db8::/32); one address alone is 192.0.2.7/32\n"},
		{"interfaces { dmz { address 203.0.113.0/26; } }",
		 "line 1, column 28: interfaces dmz address: \"203.0.113.0/26\": the network "
		 "itself, "
		 "not an address in it\n"},
		{"servers { w { allow http { tcp 80,70000; } } }",
		 "line 1, column 32: servers w allow http tcp: \"80,70000\": 70000 is not a port "
		 "(1 to "
		 "65535)\n"},
		{"servers { w { allow http { tcp 90-80; } } }",
		 "line 1, column 32: servers w allow http tcp: \"90-80\": the range runs "
		 "backwards; "
		 "write 80-90\n"},
		{"servers { w { allow http { tcp http; } } }",
		 "line 1, column 32: servers w allow http tcp: \"http\": not a list of ports: 80 "
		 "or "
		 "80,443 or 5000-5100\n"},
		{"servers { w { allow http { limit 20/day; } } }",
		 "line 1, column 34: servers w allow http limit: \"20/day\": not a rate: "
		 "NUMBER/second, NUMBER/minute or NUMBER/hour\n"},
		{"servers { -w { } }", "line 1, column 11: servers: \"-w\": a name begins with a "
				       "letter or digit and holds "
				       "only letters, digits, '-', '_' and '.'\n"},
		{"groups { any { } }", "line 1, column 10: groups: \"any\": \"any\" stands for "
				       "every address and cannot be a "
				       "name\n"},
		{"groups { 10.0.0.1; }", "line 1, column 10: groups: \"10.0.0.1\": a name that "
					 "reads as an address would never "
					 "be looked up\n"},
		{"relay { listen a { kind smtp; } }",
		 "line 1, column 25: relay listen a kind: \"smtp\": not relay, submission or "
		 "submissions\n"},
		{"relay { account a { user u { password plain; } } }",
		 "line 1, column 39: relay account a user u password: not a password hash "
		 "(crypt(5): "
		 "$y$...)\n"},
		{"system { host-name a; host-name b; }",
		 "line 1, column 23: system: \"host-name\": given already on line 1\n"},
		{"servers { w; v;\nw { address 192.0.2.1; } }",
		 "line 2, column 1: servers: \"w\": given already on line 1\n"},
		{"system { host-name a }",
		 "line 1, column 22: system: \"}\": a ; is missing before this\n"},
		{"system { host-name a",
		 "line 1, column 21: system: \"end of text\": a ; is missing "
		 "before this\nline 1: system: \"{\": never closed: a } is "
		 "missing\n"},
		{"system {\n ssh {\n }\n", "line 1: system: \"{\": never closed: a } is missing\n"},
		{"system { } }",
		 "line 1, column 12: \"}\": closes nothing: there is one } too many\n"},
		{"system host-name a;",
		 "line 1, column 8: system: \"host-name\": a { is missing before this\n"},
		{"system { ntp [ ]; }", "line 1, column 16: system: \"]\": the list is empty; "
					"leave the statement out instead\n"},
		{"system { host-name; }",
		 "line 1, column 19: system: \";\": host-name needs a value here: "
		 "a host name\n"},
		{"system { host-name \"a; }\n",
		 "line 1, column 20: \"\"a; }\": this quote is not closed on its line\n"},
		{"system { host-name \"a\\qb\"; }", "line 1, column 20: \"\"a\\\\qb\"; }\": behind "
						    "\\ only one of \" \\ n r t may stand\n"},
		{"/* open\n",
		 "line 1, column 1: \"/* open\": this comment is never closed; it needs */\n"},
		{"\xc3\xa4\x01",
		 "line 1, column 2: a byte that is not text (UTF-8, without control "
		 "characters)\n"},
		{"system { }\nä\xff", "line 2, column 2: a byte that is not text (UTF-8, without "
				      "control characters)\n"},
		{"set system host-name", "line 1: system host-name: missing: a host name\n"},
		{"set system ntp 192.0.2.1\nset sytem ntp x\n",
		 "line 2: \"sytem\": not known here; did you mean \"system\"?\n"},
		{"set system host-name a b",
		 "line 1: system host-name: \"b\": nothing may follow here\n"},
		{"set system ntp [ 192.0.2.1",
		 "line 1: system ntp: missing: ] at the end of the list\n"},
		{"set system ntp 192.0.2.1\ndelete system",
		 "line 2: \"delete\": each line must begin with \"set\", as the first one does\n"},
		{"set relay account a user u password plain",
		 "line 1: relay account a user u password: not a password hash (crypt(5): "
		 "$y$...)\n"},
	};
	struct buf error = BUF_INIT;
	struct lyd_node *conf;

	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++) {
		buf_clear(&error);
		assert_false(
			text_parse(model, faults[i].text, strlen(faults[i].text), &conf, &error));
		assert_null(conf);
		assert_string_equal(buf_str(&error), faults[i].error);
	}
	buf_free(&error);
}

static void all_faults_of_a_text_are_told_at_once(void **state)
{
	static const char text[] = "system {\n"
				   "    hostname a;\n"
				   "    ntp 1;\n"
				   "    ssh { alow x; }\n"
				   "    bogus { a { b; } c; }\n"
				   "    syslog 192.0.2.1;\n"
				   "}\n";
	struct buf error = BUF_INIT;
	struct lyd_node *conf;

	(void)state;
	assert_false(text_parse(model, text, strlen(text), &conf, &error));
	assert_string_equal(
		buf_str(&error),
		"line 2, column 5: system: \"hostname\": not known here; did you mean "
		"\"host-name\"?\n"
		"line 3, column 9: system ntp: \"1\": not an address (192.0.2.1 or 2001:db8::1)\n"
		"line 4, column 11: system ssh: \"alow\": not known here; did you mean \"allow\"?\n"
		"line 5, column 5: system: \"bogus\": not known here; known: host-name, "
		"name-server, "
		"ntp, syslog, ssh, user, alarms, serve-dmz\n");
	buf_free(&error);
}

static void a_flood_of_faults_is_bounded(void **state)
{
	struct buf text = BUF_INIT, error = BUF_INIT;
	struct lyd_node *conf;

	(void)state;
	for (int i = 0; i < 10000; i++)
		buf_appends(&text, "x ");
	for (int i = 0; i < 1000; i++)
		buf_appends(&text, "; y");
	assert_false(text_parse(model, buf_str(&text), text.len, &conf, &error));
	assert_non_null(strstr(buf_str(&error), "\n... and 976 more\n"));
	assert_true(error.len < 8192);
	buf_free(&text);
	buf_free(&error);
}

static int setup(void **state)
{
	struct buf error = BUF_INIT;

	(void)state;
	model = model_open("model", false, &error);
	return model ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	model_close(model);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(golden_pairs_round_trip),
		cmocka_unit_test(comments_go_where_their_node_goes),
		cmocka_unit_test(secrets_can_be_hidden),
		cmocka_unit_test(each_fault_is_told_with_its_place),
		cmocka_unit_test(all_faults_of_a_text_are_told_at_once),
		cmocka_unit_test(a_flood_of_faults_is_bounded),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
