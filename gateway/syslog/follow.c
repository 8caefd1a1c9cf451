/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gateway/syslog/follow.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 8192, READ_BYTES = 16384 };

static char *copy(const char *text)
{
	char *made = strdup(text);

	if (!made)
		abort();
	return made;
}

static void open_current(struct follow *f, bool from_start)
{
	struct buf path = BUF_INIT;
	struct stat st;

	buf_printf(&path, "%s/current", f->folder);
	f->fd = open(buf_str(&path), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	buf_free(&path);
	if (f->fd < 0)
		return;
	if (fstat(f->fd, &st) == 0)
		f->inode = st.st_ino;
	if (!from_start)
		lseek(f->fd, 0, SEEK_END);
}

void follow_open(struct follow *f, const char *folder, bool from_start)
{
	const char *slash = strrchr(folder, '/');

	*f = (struct follow){.folder = copy(folder), .service = copy(slash ? slash + 1 : folder)};
	open_current(f, from_start);
}

void follow_close(struct follow *f)
{
	if (f->fd >= 0)
		close(f->fd);
	free(f->folder);
	free(f->service);
	buf_free(&f->rest);
}

static void take(struct follow *f, const char *bytes, size_t n, follow_line *each, void *context)
{
	while (n) {
		const char *end = memchr(bytes, '\n', n);
		size_t part = end ? (size_t)(end - bytes) : n;
		/* What is longer than any line of ours is cut. */
		size_t room = f->rest.len < LINE_MAX_BYTES ? LINE_MAX_BYTES - f->rest.len : 0;

		buf_append(&f->rest, bytes, part < room ? part : room);
		if (!end)
			return;
		each(f, buf_str(&f->rest), f->rest.len, context);
		buf_clear(&f->rest);
		bytes = end + 1;
		n -= part + 1;
	}
}

static void read_all(struct follow *f, follow_line *each, void *context)
{
	char bytes[READ_BYTES];
	ssize_t n;

	while (f->fd >= 0 && (n = read(f->fd, bytes, sizeof(bytes))) > 0)
		take(f, bytes, (size_t)n, each, context);
}

static bool is_rotated(const struct follow *f)
{
	struct buf path = BUF_INIT;
	struct stat st;

	buf_printf(&path, "%s/current", f->folder);
	bool other = stat(buf_str(&path), &st) == 0 && (f->fd < 0 || st.st_ino != f->inode);
	buf_free(&path);
	return other;
}

void follow_read(struct follow *f, follow_line *each, void *context)
{
	read_all(f, each, context);
	if (!is_rotated(f))
		return;
	read_all(f, each, context); /* what came between the two looks */
	if (f->fd >= 0)
		close(f->fd);
	open_current(f, true);
	read_all(f, each, context);
}
