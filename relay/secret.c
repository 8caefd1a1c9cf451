/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PART ".secret.new"

bool secret_write(int dir, const char *name, const char *bytes, size_t n, struct buf *error)
{
	int fd = openat(dir, PART, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	bool ok = fd >= 0 && write(fd, bytes, n) == (ssize_t)n && fsync(fd) == 0 &&
		  renameat(dir, PART, dir, name) == 0 && fsync(dir) == 0;

	if (!ok)
		buf_printf(error, "keys directory: cannot write '%s': %s\n", name, strerror(errno));
	if (fd >= 0)
		close(fd);
	return ok;
}
