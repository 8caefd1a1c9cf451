/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/model.h"
#include "tests/unit/cmocka.h"

#include <string.h>

static struct model *model;

static struct lyd_node *from_json(const char *json)
{
	struct lyd_node *conf = NULL;

	assert_int_equal(lyd_parse_data_mem(model_schema(model)->ctx, json, LYD_JSON,
					    LYD_PARSE_ONLY | LYD_PARSE_STRICT, 0, &conf),
			 LY_SUCCESS);
	return conf;
}

static void readers_give_values_and_defaults(void **state)
{
	struct lyd_node *conf = from_json(
		"{\"gatepost:system\":{\"name-server\":[\"192.0.2.53\",\"192.0.2.54\"]},"
		"\"gatepost:relay\":{\"host-name\":\"relay.example\",\"account\":[{\"name\":\"a\","
		"\"networks\":[\"192.0.2.0/24\"],\"auth-required\":[null],"
		"\"user\":[{\"name\":\"a\",\"password\":\"$y$x\"}]}]}}");
	struct buf error = BUF_INIT, json = BUF_INIT;
	unsigned servers = 0;

	(void)state;
	if (!model_validate(model, &conf, &error))
		fail_msg("%s", buf_str(&error));
	CONF_FOR_EACH (n, conf_top(conf, "system"), "name-server")
		servers++;
	assert_int_equal(servers, 2);
	assert_string_equal(conf_value(conf_top(conf, "system"), "host-name"), "gatepost");

	const struct lyd_node *relay = conf_top(conf, "relay");
	const struct lyd_node *account = conf_child(relay, "account");
	assert_string_equal(conf_value(account, "name"), "a");
	assert_int_equal(conf_number(account, "weight"), 10);
	assert_true(conf_has(account, "auth-required"));
	assert_false(conf_has(account, "pool"));
	assert_null(conf_value(account, "pool"));
	assert_null(conf_next(account));
	assert_int_equal(conf_number(conf_child(relay, "retry"), "first"), 300);
	assert_null(conf_child(conf_child(conf, "nonsense"), "nonsense"));

	model_print_json(conf, "relay", &json);
	assert_non_null(strstr(buf_str(&json), "\"gatepost:relay\""));
	assert_non_null(strstr(buf_str(&json), "\"first\": 300"));
	assert_null(strstr(buf_str(&json), "gatepost:system"));
	buf_clear(&json);
	model_print_json(conf, "servers", &json);
	buf_free(&json);
	buf_free(&error);
	conf_free(conf);
}

static void an_empty_config_is_valid_and_has_no_relay(void **state)
{
	struct lyd_node *conf = NULL;
	struct buf error = BUF_INIT, json = BUF_INIT;

	(void)state;
	assert_true(model_validate(model, &conf, &error));
	model_print_json(conf, "relay", &json);
	assert_string_equal(buf_str(&json), "");
	assert_null(conf_top(conf, "relay"));
	conf_free(conf);
}

static void copies_are_equal_until_one_changes(void **state)
{
	struct lyd_node *a = from_json("{\"gatepost:servers\":{\"server\":[{\"name\":\"w\","
				       "\"address\":[\"192.0.2.1\"]},{\"name\":\"v\"}]}}");
	struct lyd_node *b = conf_copy(a);
	struct buf error = BUF_INIT;

	(void)state;
	assert_true(conf_equal(a, b));
	assert_true(model_validate(model, &b, &error)); /* defaults make no difference */
	assert_true(conf_equal(a, b));
	assert_true(conf_equal(b, a));
	struct lyd_node *address = (struct lyd_node *)conf_child(
		conf_child(conf_top(b, "servers"), "server"), "address");
	lyd_free_tree(address);
	assert_false(conf_equal(a, b));
	assert_true(conf_equal(NULL, NULL));
	assert_false(conf_equal(a, NULL));
	conf_free(a);
	conf_free(b);
}

static void a_schema_that_is_not_there_is_told(void **state)
{
	struct buf error = BUF_INIT;

	(void)state;
	assert_null(model_open("/nonexistent", false, &error));
	assert_non_null(strstr(buf_str(&error), "/nonexistent"));
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
		cmocka_unit_test(readers_give_values_and_defaults),
		cmocka_unit_test(an_empty_config_is_valid_and_has_no_relay),
		cmocka_unit_test(copies_are_equal_until_one_changes),
		cmocka_unit_test(a_schema_that_is_not_there_is_told),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
