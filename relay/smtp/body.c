/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/smtp/body.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PENDING_MAX = 64 * 1024 };

static bool write_all(int fd, const char *bytes, size_t n)
{
	while (n) {
		ssize_t written = write(fd, bytes, n);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return false;
		bytes += written;
		n -= (size_t)written;
	}
	return true;
}

static void flush(struct body *b)
{
	if (b->fd < 0)
		b->fd = memfd_create("message", MFD_CLOEXEC);
	if (b->fd < 0 || !write_all(b->fd, b->pending.data, b->pending.len))
		b->failed = true;
	buf_clear(&b->pending);
}

void body_append(struct body *b, const char *bytes, size_t n)
{
	if (b->failed)
		return;
	b->size += n;
	buf_append(&b->pending, bytes, n);
	if (b->pending.len >= PENDING_MAX)
		flush(b);
}

void body_fail(struct body *b)
{
	body_clear(b);
	b->failed = true;
	errno = ENOSPC;
}

int body_finish(struct body *b)
{
	int fd;

	if (!b->failed)
		flush(b);
	fd = b->failed ? -1 : b->fd;
	if (!b->failed)
		b->fd = -1;
	body_clear(b);
	return fd;
}

void body_clear(struct body *b)
{
	int saved = errno;

	if (b->fd >= 0)
		close(b->fd);
	buf_free(&b->pending);
	*b = BODY_INIT;
	errno = saved;
}
