/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gateway/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool fail(struct buf *error, const char *verb, const char *path)
{
	buf_printf(error, "cannot %s %s: %s\n", verb, path, strerror(errno));
	return false;
}

static bool sync_folder_of(const char *path, struct buf *error)
{
	char *copy = strdup(path);

	if (!copy)
		abort();
	int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool ok = fd >= 0 && fsync(fd) == 0;
	if (!ok)
		fail(error, "sync the folder of", path);
	if (fd >= 0)
		close(fd);
	free(copy);
	return ok;
}

static bool write_all(int fd, const char *bytes, size_t len)
{
	while (len) {
		ssize_t n = write(fd, bytes, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		bytes += n;
		len -= (size_t)n;
	}
	return true;
}

bool file_replace(const char *path, const void *bytes, size_t len, mode_t mode, struct buf *error)
{
	struct buf beside = BUF_INIT;
	bool ok = false;

	buf_printf(&beside, "%s.new", path);
	/* A leftover of a crash may belong to anybody, or be a link to anywhere. */
	unlink(buf_str(&beside));
	int fd = open(buf_str(&beside), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0) {
		fail(error, "create", buf_str(&beside));
		goto out;
	}
	if (!write_all(fd, bytes, len) || fchmod(fd, mode) != 0 || fsync(fd) != 0)
		fail(error, "write", buf_str(&beside));
	else if (rename(buf_str(&beside), path) != 0)
		fail(error, "replace", path);
	else
		ok = sync_folder_of(path, error);
	close(fd);
	if (!ok)
		unlink(buf_str(&beside));
out:
	buf_free(&beside);
	return ok;
}

bool file_remove(const char *path, struct buf *error)
{
	if (unlink(path) != 0)
		return errno == ENOENT || fail(error, "remove", path);
	return sync_folder_of(path, error);
}
