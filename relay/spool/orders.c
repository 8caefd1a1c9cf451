/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/spool/orders.h"

#include "lib/log.h"
#include "lib/wire.h"
#include "relay/channel.h"
#include "relay/spool/crc32c.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define NAME     "orders"
#define NEW_NAME "orders.new"

void spool_orders_read(struct buf *out)
{
	struct buf file = BUF_INIT;
	int fd = open(NAME, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		if (errno != ENOENT)
			log_error("cannot open '" NAME "': %s", strerror(errno));
		return;
	}
	bool ok = buf_read_fd(&file, fd, CHANNEL_PAYLOAD_MAX + 4);
	close(fd);
	struct wire w = wire_reader(file.data, file.len);
	uint32_t sum = wire_u32(&w);
	if (ok && !w.failed && crc32c(0, w.at, (size_t)(w.end - w.at)) == sum)
		buf_append(out, w.at, (size_t)(w.end - w.at));
	else
		log_error("'" NAME "' is damaged: pauses that were ordered are forgotten; look at "
			  "the accounts and destinations that should be paused");
	buf_free(&file);
}

static bool write_all(int fd, const struct buf *b)
{
	for (size_t at = 0; at < b->len;) {
		ssize_t n = write(fd, b->data + at, b->len - at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		at += (size_t)n;
	}
	return fdatasync(fd) == 0;
}

bool spool_orders_write(const void *bytes, size_t n)
{
	struct buf file = BUF_INIT;
	int fd = open(NEW_NAME, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	wire_put_u32(&file, crc32c(0, bytes, n));
	buf_append(&file, bytes, n);
	bool ok = fd >= 0 && dir >= 0 && write_all(fd, &file) && rename(NEW_NAME, NAME) == 0 &&
		  fsync(dir) == 0;
	int saved = errno;
	if (fd >= 0)
		close(fd);
	if (dir >= 0)
		close(dir);
	buf_free(&file);
	errno = saved;
	return ok;
}
