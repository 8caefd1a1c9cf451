/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/smtp/body.h"

#include <errno.h>
#include <stdbool.h>
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
		b->error = errno;
	buf_clear(&b->pending);
}

void body_append(struct body *b, const char *bytes, size_t n)
{
	if (b->error)
		return;
	b->size += n;
	buf_append(&b->pending, bytes, n);
	if (b->pending.len >= PENDING_MAX)
		flush(b);
}

void body_fail(struct body *b)
{
	body_clear(b);
	b->error = ENOSPC;
}

const struct buf *body_small(const struct body *b)
{
	return b->error || b->fd >= 0 || b->pending.len > BODY_SMALL_MAX ? NULL : &b->pending;
}

int body_finish(struct body *b)
{
	int fd = -1, error;

	if (!b->error)
		flush(b);
	error = b->error;
	if (!error) {
		fd = b->fd;
		b->fd = -1;
	}
	body_clear(b);
	errno = error;
	return fd;
}

void body_clear(struct body *b)
{
	if (b->fd >= 0)
		close(b->fd);
	buf_free(&b->pending);
	*b = BODY_INIT;
}
