/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Follows the file "current" of one folder of svlogd's, across its rotations: a new file of that
 * name begins where the old one, read to its end, has ended.
 */
#ifndef GATEPOST_GATEWAY_SYSLOG_FOLLOW_H
#define GATEPOST_GATEWAY_SYSLOG_FOLLOW_H

#include "lib/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct follow {
	char *folder, *service; /* its path, and the last part of that */
	int fd;                 /* -1: there is no file yet */
	ino_t inode;
	struct buf rest; /* of a line that has not ended yet */
};

/* from_start: also what stands there already. */
void follow_open(struct follow *f, const char *folder, bool from_start);
void follow_close(struct follow *f);

/* Calls each for every line (without its end) that came since. */
typedef void follow_line(const struct follow *f, const char *line, size_t n, void *context);
void follow_read(struct follow *f, follow_line *each, void *context);

#endif
