/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/report/vfs.h"

#include <sqlite3.h>
#include <stdio.h>

static sqlite3_vfs vfs;
static const sqlite3_vfs *unix_vfs;
/* The unix VFS's methods, and ours over them; its files keep what is theirs behind the pointer. */
static const sqlite3_io_methods *unix_methods;
static sqlite3_io_methods methods;

static int name_as_given(sqlite3_vfs *v, const char *name, int cap, char *out)
{
	(void)v;
	if ((size_t)snprintf(out, (size_t)cap, "%s", name) >= (size_t)cap)
		return SQLITE_CANTOPEN;
	return SQLITE_OK;
}

static int write_and_sync(sqlite3_file *file, const void *bytes, int n, sqlite3_int64 at)
{
	static sqlite3_file *last;
	static int unsynced;
	int code = unix_methods->xWrite(file, bytes, n, at);

	/* The log and the store are written in turns, each for long. */
	if (file != last)
		unsynced = 0;
	last = file;
	unsynced += n;
	if (code != SQLITE_OK || unsynced < VFS_SYNC_BYTES)
		return code;
	unsynced = 0;
	return unix_methods->xSync(file, SQLITE_SYNC_NORMAL | SQLITE_SYNC_DATAONLY);
}

static int open_file(sqlite3_vfs *v, const char *name, sqlite3_file *file, int flags, int *out)
{
	int code = unix_vfs->xOpen(v, name, file, flags, out);

	if (code != SQLITE_OK || !(flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL)))
		return code;
	if (!unix_methods) {
		unix_methods = file->pMethods;
		methods = *unix_methods;
		methods.xWrite = write_and_sync;
	}
	if (file->pMethods == unix_methods)
		file->pMethods = &methods;
	return code;
}

const char *report_vfs(void)
{
	if (!unix_vfs) {
		unix_vfs = sqlite3_vfs_find(NULL);
		vfs = *unix_vfs;
		vfs.zName = "report";
		vfs.xFullPathname = name_as_given;
		vfs.xOpen = open_file;
		sqlite3_vfs_register(&vfs, 0);
	}
	return vfs.zName;
}
