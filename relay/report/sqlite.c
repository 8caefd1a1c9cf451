/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/report/sqlite.h"

#include <sqlite3.h>
#include <stdio.h>

/*
 * SQLite makes every name absolute when a file is opened, and removes its log under that name when
 * it is closed; by then this process has another root directory. So names stay as they are given.
 */
static int name_as_given(sqlite3_vfs *vfs, const char *name, int cap, char *out)
{
	(void)vfs;
	if ((size_t)snprintf(out, (size_t)cap, "%s", name) >= (size_t)cap)
		return SQLITE_CANTOPEN;
	return SQLITE_OK;
}

const char *sqlite_relative(void)
{
	static sqlite3_vfs vfs;

	if (!vfs.zName) {
		vfs = *sqlite3_vfs_find(NULL);
		vfs.zName = "relative";
		vfs.xFullPathname = name_as_given;
		sqlite3_vfs_register(&vfs, 0);
	}
	return vfs.zName;
}
