/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files that are whole or not there: written beside, synced, renamed, the folder synced too. */
#ifndef GATEPOST_GATEWAY_FILE_H
#define GATEPOST_GATEWAY_FILE_H

#include "lib/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Puts the bytes in place of path. False with the reason in error; path is then what it was. */
bool file_replace(const char *path, const void *bytes, size_t len, mode_t mode, struct buf *error);
/* Removes path, for good; that it was not there is no failure. */
bool file_remove(const char *path, struct buf *error);

#endif
