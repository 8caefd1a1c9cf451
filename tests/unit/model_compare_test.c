/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/compare.h"
#include "model/text.h"
#include "tests/unit/cmocka.h"

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

static const struct {
	const char *before, *after, *difference;
} pairs[] = {
	{"", "", ""},
	{"system { host-name a; }", "system { /* new */ host-name a; }", ""},
	{"system { host-name a; }", "system { host-name b; }",
	 "[system]\n-   host-name a;\n+   host-name b;\n"},
	{"system { host-name a; }", "", "[]\n-   system {\n-       host-name a;\n-   }\n"},
	{"servers { w { address 192.0.2.1; } v; }",
	 "servers { v; w { address 192.0.2.2; allow p { icmp; } } x { address 192.0.2.3; } }",
	 "[servers w]\n-   address 192.0.2.1;\n+   address 192.0.2.2;\n"
	 "+   allow p {\n+       icmp;\n+   }\n"
	 "[servers]\n+   x {\n+       address 192.0.2.3;\n+   }\n"},
	/* the order of groups' members means nothing, that of name servers does */
	{"groups { g { 192.0.2.0/24; 192.0.3.0/24; } }",
	 "groups { g { 192.0.3.0/24; 192.0.2.0/24; } }", ""},
	{"system { name-server [ 192.0.2.1 192.0.2.2 ]; }",
	 "system { name-server [ 192.0.2.2 192.0.2.1 ]; }",
	 "[system]\n-   name-server 192.0.2.1;\n-   name-server 192.0.2.2;\n"
	 "+   name-server 192.0.2.2;\n+   name-server 192.0.2.1;\n"},
	{"groups { g { 192.0.2.0/24; } }", "groups { g { 192.0.2.0/24; 192.0.3.0/24; } }",
	 "[groups g]\n+   192.0.3.0/24;\n"},
	{"interfaces { wan; }", "interfaces { dmz; }", "[interfaces]\n-   wan;\n+   dmz;\n"},
	{"", "system { name-server [ 192.0.2.1 192.0.2.2 ]; }",
	 "[]\n+   system {\n+       name-server [ 192.0.2.1 192.0.2.2 ];\n+   }\n"},
};

static void differences_are_shown_where_they_are(void **state)
{
	struct buf out = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
		struct lyd_node *before = parse(pairs[i].before), *after = parse(pairs[i].after);

		buf_clear(&out);
		assert_int_equal(compare_print(before, after, false, &out),
				 *pairs[i].difference != 0);
		assert_string_equal(buf_str(&out), pairs[i].difference);
		conf_free(before);
		conf_free(after);
	}
	buf_free(&out);
}

static void defaults_are_no_difference(void **state)
{
	struct lyd_node *before = parse("relay { host-name r; retry { } }"),
			*after = conf_copy(before);
	struct buf out = BUF_INIT, error = BUF_INIT;

	(void)state;
	assert_true(model_validate(model, &after, &error));
	assert_false(compare_print(before, after, false, &out));
	assert_false(compare_print(after, before, false, &out));
	conf_free(before);
	conf_free(after);
}

static void secrets_can_be_hidden(void **state)
{
	struct lyd_node *before =
		parse("relay { host-name r; account a { user u { password $y$1; } } }");
	struct lyd_node *after =
		parse("relay { host-name r; account a { user u { password $y$2; } } }");
	struct buf out = BUF_INIT;

	(void)state;
	assert_true(compare_print(before, after, true, &out));
	assert_null(strstr(buf_str(&out), "$y$"));
	assert_non_null(strstr(buf_str(&out), "+   password \"(hidden)\";"));
	conf_free(before);
	conf_free(after);
	buf_free(&out);
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
		cmocka_unit_test(differences_are_shown_where_they_are),
		cmocka_unit_test(defaults_are_no_difference),
		cmocka_unit_test(secrets_can_be_hidden),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
