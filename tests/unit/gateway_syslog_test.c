/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Log lines as syslog messages; a log followed across rotations. */
#include "gateway/syslog/follow.h"
#include "gateway/syslog/line.h"
#include "tests/unit/cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void a_services_line_is_told_with_its_time_and_weight(void **state)
{
	static const struct {
		const char *line, *message;
	} cases[] = {
		{"2026-11-24_00:16:09.12345 gatepostd: error: no such device",
		 "<27>1 2026-11-24T00:16:09.12345Z gw1 gatepostd - - - gatepostd: error: no such "
		 "device"},
		{"2026-11-24_00:16:09.12345 gatepost-relay[spool]: warning: full",
		 "<28>1 2026-11-24T00:16:09.12345Z gw1 gatepostd - - - gatepost-relay[spool]: "
		 "warning: full"},
		{"2026-11-24_00:16:09.12345 chronyd started",
		 "<30>1 2026-11-24T00:16:09.12345Z gw1 gatepostd - - - chronyd started"},
		{"no time: at all", "<30>1 - gw1 gatepostd - - - no time: at all"},
		{"2026-11-24 not_svlogd's", "<30>1 - gw1 gatepostd - - - 2026-11-24 not_svlogd's"},
		{"a\tb\x1b[31m", "<30>1 - gw1 gatepostd - - - a b [31m"},
		{"", "<30>1 - gw1 gatepostd - - - "},
		{"error: ", "<30>1 - gw1 gatepostd - - - error: "},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct buf out = BUF_INIT;
		syslog_service_line("gw1", "gatepostd", cases[i].line, strlen(cases[i].line), &out);
		assert_string_equal(buf_str(&out), cases[i].message);
		buf_free(&out);
	}
}

static void a_message_is_bounded(void **state)
{
	char line[20000];
	struct buf out = BUF_INIT;

	(void)state;
	memset(line, 'x', sizeof(line));
	syslog_service_line("g w\n1", "", line, sizeof(line), &out);
	assert_true(out.len == SYSLOG_MESSAGE_MAX);
	assert_int_equal(strncmp(buf_str(&out), "<30>1 - gw1 - - - - xxx", 23), 0);
	buf_free(&out);
}

static void the_kernels_lines_keep_their_weight(void **state)
{
	static const struct {
		const char *line, *message;
	} cases[] = {
		{"7,12,3456,-;gatepost drop denied: IN=eth0\n SUBSYSTEM=x\n",
		 "<7>1 2026-11-24T00:00:00Z gw1 kernel - - - gatepost drop denied: IN=eth0"},
		{"14,12,3456,-;gatepost: boot: init",
		 "<14>1 2026-11-24T00:00:00Z gw1 boot - - - gatepost: boot: init"},
		{" SUBSYSTEM=pci", NULL},
		{"4;x", NULL},
		{"999,1,1;x", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct buf out = BUF_INIT;
		bool is = syslog_kernel_line("gw1", "2026-11-24T00:00:00Z", cases[i].line,
					     strlen(cases[i].line), &out);
		assert_int_equal(is, cases[i].message != NULL);
		if (is)
			assert_string_equal(buf_str(&out), cases[i].message);
		buf_free(&out);
	}
}

/* ---- following ---- */

static void put(const char *folder, const char *name, const char *mode, const char *text)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	FILE *f = fopen(path, mode);
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void collect(const struct follow *f, const char *line, size_t n, void *context)
{
	(void)f;
	buf_append(context, line, n);
	buf_appendc(context, '|');
}

static void a_log_is_followed_across_its_rotation(void **state)
{
	char folder[] = "/tmp/gatepost-syslog-XXXXXX", from[300], to[300];
	struct follow f;
	struct buf got = BUF_INIT;

	(void)state;
	assert_non_null(mkdtemp(folder));
	follow_open(&f, folder, false);
	follow_read(&f, collect, &got);
	put(folder, "current", "a", "one\ntw");
	follow_read(&f, collect, &got);
	assert_string_equal(buf_str(&got), "one|");
	put(folder, "current", "a", "o\n");
	follow_read(&f, collect, &got);
	put(folder, "current", "a", "three\n");
	snprintf(from, sizeof(from), "%s/current", folder);
	snprintf(to, sizeof(to), "%s/@2026.s", folder);
	assert_int_equal(rename(from, to), 0);
	put(folder, "current", "a", "four\nfi");
	follow_read(&f, collect, &got);
	assert_string_equal(buf_str(&got), "one|two|three|four|");
	follow_close(&f);
	buf_clear(&got);

	/* From where it ends now. */
	follow_open(&f, folder, false);
	put(folder, "current", "a", "ve\nsix\n");
	follow_read(&f, collect, &got);
	assert_string_equal(buf_str(&got), "ve|six|");
	follow_close(&f);
	buf_free(&got);
	unlink(from);
	unlink(to);
	rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_services_line_is_told_with_its_time_and_weight),
		cmocka_unit_test(a_message_is_bounded),
		cmocka_unit_test(the_kernels_lines_keep_their_weight),
		cmocka_unit_test(a_log_is_followed_across_its_rotation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
