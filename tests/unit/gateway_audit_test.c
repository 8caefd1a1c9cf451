/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gateway/audit.h"
#include "tests/unit/cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct model *model;
static char dir[64], path[128];

static int open_model(void **state)
{
	struct buf error = BUF_INIT;

	(void)state;
	model = model_open("model", false, &error);
	snprintf(dir, sizeof(dir), "/tmp/gatepost-audit-XXXXXX");
	if (!model || !mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/audit/log", dir);
	return 0;
}

static int close_model(void **state)
{
	char command[128];

	(void)state;
	model_close(model);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

static void assert_masked(const struct audit *a, const char *command, const char *expected)
{
	struct buf out = BUF_INIT;

	audit_mask(a, command, &out);
	assert_string_equal(buf_str(&out), expected);
	buf_free(&out);
}

static void test_what_follows_a_secret_leaf_is_hidden(void **state)
{
	struct audit *a = audit_open(path, model);

	(void)state;
	assert_masked(a, "show version", "show version");
	assert_masked(a, "set system user a password $y$x$y",
		      "set system user a password (hidden)");
	assert_masked(a, "set relay account a user b password \"two \\\"words\"",
		      "set relay account a user b password (hidden)");
	assert_masked(a, "set  password\tx role admin", "set  password\t(hidden) role admin");
	assert_masked(a, "set password", "set password");
	assert_masked(a, "", "");
	audit_close(a);
}

static void test_old_lines_make_way_and_the_last_are_shown(void **state)
{
	struct audit *a = audit_open(path, model);
	const struct peer peer = {.who = "alice"};
	char command[AUDIT_LINE_MAX / 2], file[160];
	struct stat st;

	(void)state;
	memset(command, 'x', sizeof(command));
	command[sizeof(command) - 1] = '\0';
	for (unsigned i = 0; i < 5500; i++) {
		snprintf(command, 16, "%u", i);
		command[strlen(command)] = ' ';
		audit_note(a, &peer, command, NULL, false);
	}
	json_t *rows = audit_rows(a, 3);
	assert_int_equal(json_array_size(rows), 3);
	assert_string_equal(json_string_value(json_object_get(json_array_get(rows, 2), "user")),
			    "alice");
	assert_int_equal(
		atoi(json_string_value(json_object_get(json_array_get(rows, 2), "command"))), 5499);
	json_decref(rows);
	audit_close(a);
	for (int i = 1; i < AUDIT_FILES; i++) {
		snprintf(file, sizeof(file), "%s.%d", path, i);
		assert_int_equal(stat(file, &st), 0);
		assert_true(st.st_size < AUDIT_FILE_MAX + 2 * AUDIT_LINE_MAX);
	}
	snprintf(file, sizeof(file), "%s.%d", path, AUDIT_FILES);
	assert_int_equal(stat(file, &st), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_follows_a_secret_leaf_is_hidden),
		cmocka_unit_test(test_old_lines_make_way_and_the_last_are_shown),
	};

	return cmocka_run_group_tests(tests, open_model, close_model);
}
