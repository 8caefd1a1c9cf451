/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BUF_MIN_CAP = 64, READ_CHUNK = 64 * 1024 };

void buf_reserve(struct buf *b, size_t n)
{
	if (n > SIZE_MAX / 2 - b->len - 1)
		abort();
	size_t need = b->len + n + 1;
	if (need <= b->cap)
		return;
	size_t cap = b->cap ? b->cap : BUF_MIN_CAP;
	while (cap < need)
		cap *= 2;
	char *data = realloc(b->data, cap);
	if (!data)
		abort();
	b->data = data;
	b->cap = cap;
	b->data[b->len] = '\0';
}

void buf_append(struct buf *b, const void *bytes, size_t n)
{
	buf_reserve(b, n);
	if (n)
		memcpy(b->data + b->len, bytes, n);
	b->len += n;
	b->data[b->len] = '\0';
}

void buf_appends(struct buf *b, const char *s)
{
	buf_append(b, s, strlen(s));
}

void buf_appendc(struct buf *b, char c)
{
	buf_append(b, &c, 1);
}

void buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
	va_list again;
	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, ap);
	if (n < 0)
		abort();
	buf_reserve(b, (size_t)n);
	vsnprintf(b->data + b->len, (size_t)n + 1, fmt, again);
	va_end(again);
	b->len += (size_t)n;
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	buf_vprintf(b, fmt, ap);
	va_end(ap);
}

void buf_consume(struct buf *b, size_t n)
{
	if (n > b->len)
		abort();
	if (!n)
		return;
	memmove(b->data, b->data + n, b->len - n + 1);
	b->len -= n;
}

void buf_truncate(struct buf *b, size_t len)
{
	if (len >= b->len)
		return;
	b->len = len;
	b->data[len] = '\0';
}

void buf_clear(struct buf *b)
{
	buf_truncate(b, 0);
}

void buf_free(struct buf *b)
{
	free(b->data);
	*b = BUF_INIT;
}

const char *buf_str(const struct buf *b)
{
	return b->data ? b->data : "";
}

char *buf_steal(struct buf *b)
{
	buf_reserve(b, 0);
	char *data = b->data;
	*b = BUF_INIT;
	return data;
}

bool buf_read_fd(struct buf *b, int fd, size_t max)
{
	size_t start = b->len;
	for (;;) {
		buf_reserve(b, READ_CHUNK);
		ssize_t n = read(fd, b->data + b->len, READ_CHUNK);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			b->data[b->len] = '\0';
			return n == 0;
		}
		b->len += (size_t)n;
		b->data[b->len] = '\0';
		if (b->len - start > max) {
			buf_truncate(b, start);
			errno = EFBIG;
			return false;
		}
	}
}

bool buf_read_file(struct buf *b, const char *path, size_t max)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	bool ok = buf_read_fd(b, fd, max);
	int saved = errno;
	close(fd);
	errno = saved;
	return ok;
}
