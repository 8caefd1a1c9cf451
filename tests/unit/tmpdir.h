/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A test in a directory of its own: the working directory, empty before and gone afterwards. */
#ifndef GATEPOST_TESTS_UNIT_TMPDIR_H
#define GATEPOST_TESTS_UNIT_TMPDIR_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TMPDIR_TEMPLATE "/tmp/gatepost-test-XXXXXX"

static int tmpdir_setup(void **state)
{
	static char path[sizeof(TMPDIR_TEMPLATE)];

	snprintf(path, sizeof(path), TMPDIR_TEMPLATE);
	*state = path;
	return mkdtemp(path) ? chdir(path) : -1;
}

static int tmpdir_teardown(void **state)
{
	DIR *dir = opendir(".");
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (entry->d_type != DT_DIR)
			unlink(entry->d_name);
	closedir(dir);
	return chdir("/") ? -1 : rmdir(*state);
}

#define tmpdir_test(f) cmocka_unit_test_setup_teardown(f, tmpdir_setup, tmpdir_teardown)

#endif
