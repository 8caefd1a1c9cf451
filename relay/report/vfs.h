/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SQLite's way to files, as the event store needs it.
 *
 * Names stay as they are given. SQLite makes every name absolute when a file is opened, and removes
 * its log under that name when it is closed; by then this process has another root directory.
 *
 * Bytes go to the disk as they come. SQLite writes a checkpoint's pages into the page cache, some
 * thousand at a time, and syncs them at once; the spool's next batch, and everybody's 250, then
 * waits in the disk's queue for 4 MB of reports. So what was written is synced each
 * VFS_SYNC_BYTES.
 */
#ifndef GATEPOST_RELAY_REPORT_VFS_H
#define GATEPOST_RELAY_REPORT_VFS_H

enum { VFS_SYNC_BYTES = 128 * 1024 };

/* The name for sqlite3_open_v2(); registers it at the first call. */
const char *report_vfs(void);

#endif
