/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/leaves.h"
#include "model/schema.h"
#include "model/text.h"
#include "tests/unit/cmocka.h"

#include <string.h>

static struct model *model;

static void note(const struct lyd_node *leaf, enum value_kind kind, const struct prefix *value,
		 void *arg)
{
	struct buf *found = arg;
	char text[PREFIX_STR_MAX];

	assert_int_not_equal(kind, VALUE_OTHER);
	buf_printf(found, "%s=%s\n", leaf->schema->name, prefix_format(value, text));
}

/* By its looks: whatever reads as an address or prefix. Names that do are refused by the model. */
static size_t looks_like_an_address(const struct lyd_node *siblings)
{
	struct prefix p;
	size_t n = 0;

	for (; siblings; siblings = siblings->next) {
		if (schema_is_inner(siblings->schema))
			n += looks_like_an_address(lyd_child(siblings));
		else if (prefix_parse(conf_text(siblings), &p))
			n++;
	}
	return n;
}

static void every_address_is_found_by_its_type(void **state)
{
	struct buf in = BUF_INIT, found = BUF_INIT, error = BUF_INIT;
	struct lyd_node *conf;
	size_t lines = 0;

	(void)state;
	assert_true(buf_read_file(&in, "tests/golden/text/design.ok", TEXT_MAX));
	assert_true(text_parse(model, buf_str(&in), in.len, &conf, &error));
	leaves_addresses(conf, note, &found);
	for (const char *s = buf_str(&found); (s = strchr(s, '\n')); s++)
		lines++;
	assert_int_equal(lines, looks_like_an_address(conf));
	assert_string_equal(buf_str(&found), "name-server=192.0.2.53/32\n"
					     "ntp=192.0.2.123/32\n"
					     "syslog=203.0.113.9/32\n"
					     "address=198.51.100.2/30\n"
					     "gateway=198.51.100.1/32\n"
					     "address=203.0.113.1/26\n"
					     "member=192.0.2.0/24\n"
					     "member=2001:db8:7::/48\n"
					     "address=203.0.113.10/32\n"
					     "address=203.0.113.20/32\n"
					     "source=203.0.113.5/32\n"
					     "source=203.0.113.6/32\n"
					     "networks=203.0.113.20/32\n");
	conf_free(conf);
	buf_free(&in);
	buf_free(&found);
}

/* A leaf that could hold an address must be of a type that says so. */
static void no_string_of_the_schema_is_an_address_in_disguise(void **state)
{
	const struct lysc_node *node = schema_first(model_schema(model), NULL);
	const struct lysc_node *top;

	(void)state;
	for (top = node; top; top = top->next) {
		LYSC_TREE_DFS_BEGIN(top, node)
		{
			const char *name = node->name;
			if (!strcmp(name, "address") || !strcmp(name, "source") ||
			    !strcmp(name, "networks") || !strcmp(name, "gateway") ||
			    strstr(name, "server") == name + strlen(name) - strlen("server"))
				if (!schema_is_inner(node))
					assert_int_not_equal(value_kind(node), VALUE_OTHER);
			LYSC_TREE_DFS_END(top, node);
		}
	}
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
		cmocka_unit_test(every_address_is_found_by_its_type),
		cmocka_unit_test(no_string_of_the_schema_is_an_address_in_disguise),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
