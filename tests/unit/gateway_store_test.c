/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gateway/store.h"
#include "tests/unit/cmocka.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static char dir[64];

/* What the store asks of the disk, in order: these stand in for the C library's, note, and do it.
 */
static struct buf disk_calls;

static const char *in_store(const char *path)
{
	size_t len = strlen(dir);

	return strncmp(path, dir, len) ? path : path[len] ? path + len + 1 : ".";
}

int fsync(int fd)
{
	char link[64], path[512];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t len = readlink(link, path, sizeof(path) - 1);
	path[len < 0 ? 0 : len] = '\0';
	buf_printf(&disk_calls, "sync %s\n", in_store(path));
	return (int)syscall(SYS_fsync, fd);
}

int rename(const char *from, const char *to)
{
	buf_printf(&disk_calls, "rename %s\n", in_store(to));
	return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int unlink(const char *path)
{
	int result = (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);

	if (result == 0)
		buf_printf(&disk_calls, "unlink %s\n", in_store(path));
	return result;
}

static const char *in_dir(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static struct confstore *open_store(void)
{
	struct buf error = BUF_INIT;
	struct confstore *s = confstore_open(dir, NULL, &error);

	if (!s)
		fail_msg("%s", buf_str(&error));
	return s;
}

static bool add(struct confstore *s, struct revision *r, const char *text, struct buf *error)
{
	struct buf b = BUF_INIT;

	buf_appends(&b, text);
	bool ok = confstore_add(s, r, &b, error);
	buf_free(&b);
	return ok;
}

static unsigned keep(struct confstore *s, const char *text)
{
	struct revision r = {.time_s = 1700000000, .who = "admin", .why = "because"};
	struct buf error = BUF_INIT;

	if (!add(s, &r, text, &error) || !confstore_keep(s, r.number, &error))
		fail_msg("%s", buf_str(&error));
	return r.number;
}

static void expect_config(struct confstore *s, const char *text)
{
	struct buf got = BUF_INIT, error = BUF_INIT;

	assert_true(confstore_read(s, &got, &error));
	assert_string_equal(buf_str(&got), text);
	buf_free(&got);
}

static void write_config(const char *text)
{
	FILE *f = fopen(in_dir("gatepost.conf"), "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void an_empty_store_has_no_config(void **state)
{
	struct confstore *s = open_store();

	(void)state;
	expect_config(s, "");
	assert_int_equal(confstore_current(s), 0);
	confstore_close(s);
}

static void what_was_kept_is_there_after_a_restart(void **state)
{
	struct confstore *s = open_store();
	struct buf text = BUF_INIT, error = BUF_INIT;
	struct revision r;

	(void)state;
	assert_int_equal(keep(s, "first\n"), 1);
	assert_int_equal(keep(s, "second\n"), 2);
	confstore_close(s);

	s = open_store();
	assert_int_equal(confstore_current(s), 2);
	expect_config(s, "second\n");
	assert_true(confstore_load(s, 1, &r, &text, &error));
	assert_string_equal(buf_str(&text), "first\n");
	assert_int_equal(r.time_s, 1700000000);
	assert_string_equal(r.who, "admin");
	assert_string_equal(r.why, "because");
	assert_false(confstore_load(s, 3, NULL, &text, &error));
	assert_string_equal(buf_str(&error), "there is no revision 3\n");
	confstore_close(s);
	buf_free(&text);
	buf_free(&error);
}

/* Killed between writing the revision and keeping it: the old config, whole. */
static void a_revision_that_was_not_kept_is_gone_after_a_restart(void **state)
{
	struct confstore *s = open_store();
	struct revision r = {.who = "admin"}, list[4];
	struct buf error = BUF_INIT;

	(void)state;
	keep(s, "kept\n");
	assert_true(add(s, &r, "not kept\n", &error));
	confstore_close(s);

	s = open_store();
	assert_int_equal(confstore_current(s), 1);
	expect_config(s, "kept\n");
	assert_int_equal(confstore_list(s, list, 4), 1);
	assert_int_equal(keep(s, "next\n"), 3); /* a number is not used twice while s knows it */
	confstore_close(s);
}

static void a_config_edited_by_hand_becomes_a_revision(void **state)
{
	struct confstore *s = open_store();
	struct revision list[4];

	(void)state;
	keep(s, "mine\n");
	confstore_close(s);
	write_config("by hand\n");

	s = open_store();
	assert_int_equal(confstore_current(s), 2);
	assert_int_equal(confstore_list(s, list, 4), 2);
	assert_int_equal(list[0].number, 2);
	assert_string_equal(list[0].why, "found at start");
	confstore_close(s);
	s = open_store(); /* and not again at each start */
	assert_int_equal(confstore_current(s), 2);
	confstore_close(s);
}

static void fifty_revisions_are_kept(void **state)
{
	struct revision list[CONFSTORE_KEEP + 10];
	struct confstore *s = open_store();
	char text[32];

	(void)state;
	for (int i = 1; i <= CONFSTORE_KEEP + 5; i++) {
		snprintf(text, sizeof(text), "config %d\n", i);
		assert_int_equal(keep(s, text), i);
	}
	assert_int_equal(confstore_list(s, list, CONFSTORE_KEEP + 10), CONFSTORE_KEEP);
	assert_int_equal(list[0].number, CONFSTORE_KEEP + 5);
	assert_int_equal(list[CONFSTORE_KEEP - 1].number, 6);
	confstore_close(s);
}

static void going_back_to_an_old_text_is_a_new_revision(void **state)
{
	struct confstore *s = open_store();

	(void)state;
	keep(s, "a\n");
	keep(s, "b\n");
	assert_int_equal(keep(s, "a\n"), 3);
	confstore_close(s);
	s = open_store();
	assert_int_equal(confstore_current(s), 3);
	confstore_close(s);
}

static void a_comment_cannot_forge_a_header(void **state)
{
	struct revision r = {.who = "ad\nmin",
			     .why = "x\n# revision 9 2000-01-01T00:00:00Z by y: z"};
	struct confstore *s = open_store();
	struct buf text = BUF_INIT, error = BUF_INIT;
	struct revision got;

	(void)state;
	assert_true(add(s, &r, "text\n", &error));
	assert_true(confstore_load(s, 1, &got, &text, &error));
	assert_string_equal(buf_str(&text), "text\n");
	assert_string_equal(got.who, "ad min");
	assert_string_equal(got.why, "x # revision 9 2000-01-01T00:00:00Z by y: z");
	confstore_close(s);
	buf_free(&text);
}

/* In a child, because the limit stays with the process. */
static void a_full_disk_leaves_the_old_config_whole(void **state)
{
	struct confstore *s = open_store();
	struct revision list[4];
	int status;

	(void)state;
	keep(s, "small\n");
	pid_t child = fork();
	if (child == 0) {
		struct rlimit limit = {4096, 4096};
		struct revision r = {.who = "admin"};
		struct buf error = BUF_INIT, big = BUF_INIT;

		signal(SIGXFSZ, SIG_IGN);
		setrlimit(RLIMIT_FSIZE, &limit);
		for (int i = 0; i < 4000; i++)
			buf_appends(&big, "aaa\n");
		bool ok = confstore_add(s, &r, &big, &error);
		bool told = strstr(buf_str(&error), "File too large");
		_exit(!ok && told ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	confstore_close(s);
	s = open_store();
	assert_int_equal(confstore_current(s), 1);
	assert_int_equal(confstore_list(s, list, 4), 1);
	assert_int_equal(access(in_dir("revisions/2.new"), F_OK), -1);
	confstore_close(s);
}

static void a_waiting_commit_is_on_disk_until_it_is_kept(void **state)
{
	struct unconfirmed u = {.return_to = 1, .deadline_s = 1700000090}, got;
	struct revision r = {.who = "admin"};
	struct confstore *s = open_store();
	struct buf error = BUF_INIT;

	(void)state;
	keep(s, "a\n");
	assert_false(confstore_get_unconfirmed(s, &got));
	assert_true(add(s, &r, "b\n", &error));
	u.number = r.number;
	assert_true(confstore_set_unconfirmed(s, &u, &error));
	confstore_close(s);

	s = open_store();
	assert_true(confstore_get_unconfirmed(s, &got));
	assert_int_equal(got.number, 2);
	assert_int_equal(got.return_to, 1);
	assert_int_equal(got.deadline_s, 1700000090);
	assert_int_equal(confstore_current(s), 1);
	expect_config(s, "a\n");
	confstore_clear_unconfirmed(s);
	assert_false(confstore_get_unconfirmed(s, &got));
	confstore_close(s);
}

/*
 * A power cut keeps what was synced, and of the rest whatever it likes: so no name may come to
 * stand for bytes that are not synced, and no answer may be given before the name is.
 */
static void nothing_is_answered_before_it_is_on_the_disk(void **state)
{
	struct unconfirmed u = {.number = 2, .return_to = 1};
	struct confstore *s = open_store();
	struct buf error = BUF_INIT;
	struct revision r = {.who = "admin"};

	(void)state;
	buf_clear(&disk_calls);
	keep(s, "a\n");
	assert_string_equal(buf_str(&disk_calls), "sync revisions/1.new\n"
						  "rename revisions/1\n"
						  "sync revisions\n"
						  "sync gatepost.conf.new\n"
						  "rename gatepost.conf\n"
						  "sync .\n");
	assert_true(add(s, &r, "b\n", &error));
	buf_clear(&disk_calls);
	assert_true(confstore_set_unconfirmed(s, &u, &error));
	assert_string_equal(buf_str(&disk_calls), "sync unconfirmed.new\n"
						  "rename unconfirmed\n"
						  "sync .\n");
	buf_clear(&disk_calls);
	assert_true(confstore_keep(s, 2, &error));
	assert_string_equal(buf_str(&disk_calls), "sync gatepost.conf.new\n"
						  "rename gatepost.conf\n"
						  "sync .\n"
						  "unlink unconfirmed\n"
						  "sync .\n");
	confstore_close(s);
	buf_free(&disk_calls);
}

static void files_are_for_their_owner_alone(void **state)
{
	struct confstore *s = open_store();
	struct stat st;

	(void)state;
	keep(s, "a\n");
	assert_int_equal(stat(in_dir("gatepost.conf"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(stat(in_dir("revisions"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	confstore_close(s);
}

static int setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/gatepost-store.XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_empty_store_has_no_config),
		TEST(what_was_kept_is_there_after_a_restart),
		TEST(a_revision_that_was_not_kept_is_gone_after_a_restart),
		TEST(a_config_edited_by_hand_becomes_a_revision),
		TEST(fifty_revisions_are_kept),
		TEST(going_back_to_an_old_text_is_a_new_revision),
		TEST(a_comment_cannot_forge_a_header),
		TEST(a_full_disk_leaves_the_old_config_whole),
		TEST(a_waiting_commit_is_on_disk_until_it_is_kept),
		TEST(nothing_is_answered_before_it_is_on_the_disk),
		TEST(files_are_for_their_owner_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
