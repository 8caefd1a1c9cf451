/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/rearrange.h"
#include "model/text.h"
#include "tests/unit/cmocka.h"

#include <string.h>

static struct model *model;

static const char site[] = "system {\n"
			   "    name-server [ 192.0.2.1 192.0.2.2 192.0.2.3 ];\n"
			   "}\n"
			   "groups {\n"
			   "    office {\n"
			   "        192.0.2.0/24;\n"
			   "        198.51.100.0/24;\n"
			   "    }\n"
			   "    home {\n"
			   "        10.0.0.0/8;\n"
			   "    }\n"
			   "}\n"
			   "servers {\n"
			   "    # the shop\n"
			   "    web1 { # rack 2\n"
			   "        allow rdp {\n"
			   "            tcp 3389;\n"
			   "            from office;\n"
			   "        }\n"
			   "    }\n"
			   "    web2;\n"
			   "}\n"
			   "relay {\n"
			   "    pool office {\n"
			   "        source 203.0.113.5;\n"
			   "        members acme;\n"
			   "    }\n"
			   "    account acme {\n"
			   "        pool office;\n"
			   "    }\n"
			   "}\n";

static struct lyd_node *parse(const char *text)
{
	struct buf error = BUF_INIT;
	struct lyd_node *conf;

	if (!text_parse(model, text, strlen(text), &conf, &error))
		fail_msg("%s\nin: %s", buf_str(&error), text);
	return conf;
}

static struct path walk(const char *line)
{
	struct words words = {0};
	struct buf why = BUF_INIT;
	struct path path;
	size_t bad;

	assert_true(words_split(&words, line, &why));
	if (!path_walk(model_schema(model), NULL, words.list, words.count, false, &path, &bad,
		       &why))
		fail_msg("%s: %s", line, buf_str(&why));
	words_free(&words);
	buf_free(&why);
	return path;
}

/* site with one piece of text in place of another */
static void expect(const struct lyd_node *conf, const char *old, const char *new)
{
	struct buf text = BUF_INIT, want = BUF_INIT;
	const char *at = strstr(site, old);

	assert_non_null(at);
	buf_append(&want, site, (size_t)(at - site));
	buf_appends(&want, new);
	buf_appends(&want, at + strlen(old));
	text_print(conf, NULL, &text);
	assert_string_equal(buf_str(&text), buf_str(&want));
	buf_free(&text);
	buf_free(&want);
}

static void renamed_entry_keeps_its_place_and_who_refers_to_it_follows(void **state)
{
	struct lyd_node *conf = parse(site);
	struct path path = walk("groups office");
	struct buf why = BUF_INIT;
	unsigned references;

	(void)state;
	assert_true(conf_rename(conf, &path, "hq", &references, &why));
	assert_int_equal(references, 1); /* the pool of the same name is another thing */
	path_free(&path);
	path = walk("groups hq");
	assert_non_null(path_find(conf, &path)); /* found by its new name, in its old place */
	path_free(&path);
	path = walk("groups office");
	assert_null(path_find(conf, &path));
	path_free(&path);
	path = walk("groups hq");
	assert_true(conf_rename(conf, &path, "office", &references, &why));
	expect(conf, "office", "office");
	path_free(&path);
	path = walk("relay account acme");
	assert_true(conf_rename(conf, &path, "acne", &references, &why));
	assert_int_equal(references, 1);
	expect(conf, "members acme;\n    }\n    account acme",
	       "members acne;\n    }\n    account acne");
	path_free(&path);
	conf_free(conf);
}

static void copied_entry_stands_beside_with_its_comments(void **state)
{
	struct lyd_node *conf = parse(site);
	struct path path = walk("servers web1");
	struct buf why = BUF_INIT;

	(void)state;
	assert_true(conf_copy_entry(conf, &path, "web3", &why));
	expect(conf, "    web2;\n",
	       "    web2;\n    # the shop\n    web3 { # rack 2\n        allow rdp {\n"
	       "            tcp 3389;\n            from office;\n        }\n    }\n");
	path_free(&path);
	conf_free(conf);
}

static void value_moves_where_order_means_something(void **state)
{
	struct lyd_node *conf = parse(site);
	struct path path = walk("system name-server 192.0.2.3");
	struct buf why = BUF_INIT;

	(void)state;
	assert_true(conf_move(conf, &path, "192.0.2.1", true, &why));
	expect(conf, "[ 192.0.2.1 192.0.2.2 192.0.2.3 ]", "[ 192.0.2.3 192.0.2.1 192.0.2.2 ]");
	assert_true(conf_move(conf, &path, "192.0.2.2", false, &why));
	expect(conf, "[ 192.0.2.1 192.0.2.2 192.0.2.3 ]", "[ 192.0.2.1 192.0.2.2 192.0.2.3 ]");
	path_free(&path);
	conf_free(conf);
}

static void annotation_takes_the_place_of_what_stood_there(void **state)
{
	struct lyd_node *conf = parse(site);
	struct path path = walk("servers web1");
	struct buf why = BUF_INIT;

	(void)state;
	assert_true(conf_annotate(conf, &path, "two\nlines", &why));
	expect(conf, "    # the shop\n    web1 { # rack 2\n",
	       "    # two\n    # lines\n    web1 {\n");
	assert_true(conf_annotate(conf, &path, "", &why));
	expect(conf, "    # the shop\n    web1 { # rack 2\n", "    web1 {\n");
	path_free(&path);
	conf_free(conf);
}

enum deed { RENAME, COPY, MOVE, ANNOTATE };

static void what_cannot_be_is_said_and_changes_nothing(void **state)
{
	static const struct {
		enum deed deed;
		const char *path, *with, *why;
	} cases[] = {
		{RENAME, "groups", "x", "only what has a name of its own"},
		{RENAME, "system name-server", "x", "only what has a name of its own"},
		{RENAME, "groups nobody", "x", "not set: groups nobody"},
		{RENAME, "groups office", "home", "a group of the name home already"},
		{RENAME, "groups office", "two words", "\"two words\": a name begins with"},
		{COPY, "servers web1", "web2", "a server of the name web2 already"},
		{COPY, "servers web1 allow", "x", "only what has a name of its own"},
		{MOVE, "groups office 192.0.2.0/24", "198.51.100.0/24", "order of member"},
		{MOVE, "system name-server", "192.0.2.1", "one value of a list is moved"},
		{MOVE, "system name-server 192.0.2.9", "192.0.2.1", "not set: system name-server "},
		{MOVE, "system name-server 192.0.2.2", "192.0.2.9", "\"192.0.2.9\": not there"},
		{MOVE, "system name-server 192.0.2.2", "192.0.2.2", "the one to be moved"},
		{ANNOTATE, "servers web9", "x", "not set: servers web9"},
		{ANNOTATE, "servers web1", "\x1b[2J", "no control characters"},
	};
	struct lyd_node *conf = parse(site);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct path path = walk(cases[i].path);
		struct buf why = BUF_INIT;
		unsigned references;
		bool ok = true;

		switch (cases[i].deed) {
		case RENAME:
			ok = conf_rename(conf, &path, cases[i].with, &references, &why);
			break;
		case COPY:
			ok = conf_copy_entry(conf, &path, cases[i].with, &why);
			break;
		case MOVE:
			ok = conf_move(conf, &path, cases[i].with, true, &why);
			break;
		case ANNOTATE:
			ok = conf_annotate(conf, &path, cases[i].with, &why);
			break;
		}
		assert_false(ok);
		if (!strstr(buf_str(&why), cases[i].why))
			fail_msg("%s: %s", cases[i].path, buf_str(&why));
		path_free(&path);
		buf_free(&why);
	}
	expect(conf, "office", "office");
	conf_free(conf);
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
		cmocka_unit_test(renamed_entry_keeps_its_place_and_who_refers_to_it_follows),
		cmocka_unit_test(copied_entry_stands_beside_with_its_comments),
		cmocka_unit_test(value_moves_where_order_means_something),
		cmocka_unit_test(annotation_takes_the_place_of_what_stood_there),
		cmocka_unit_test(what_cannot_be_is_said_and_changes_nothing),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
