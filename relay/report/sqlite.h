/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How SQLite opens files for a process that is about to get another root directory. */
#ifndef GATEPOST_RELAY_REPORT_SQLITE_H
#define GATEPOST_RELAY_REPORT_SQLITE_H

/* The name of a VFS that leaves file names as they are given: relative ones stay so. */
const char *sqlite_relative(void);

#endif
