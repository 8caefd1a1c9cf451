/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A gzipped tar (POSIX ustar) of texts, written as it goes. */
#ifndef GATEPOST_CLI_ARCHIVE_H
#define GATEPOST_CLI_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct archive;

/* Takes fd over. mtime_s stands at every file. NULL when there is no memory. */
struct archive *archive_open(int fd, int64_t mtime_s);
/* name: up to 99 bytes, with its folders. False once something could not be written. */
bool archive_add(struct archive *a, const char *name, const void *bytes, size_t len);
/* Ends it; false when any of it could not be written. */
bool archive_close(struct archive *a);

#endif
