/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/spool/segment.h"

#include "relay/spool/crc32c.h"
#include "relay/spool/segment_format.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* --- the file --- */

static int write_all(int fd, const void *bytes, size_t n, uint64_t at, int flags)
{
	const unsigned char *p = bytes;

	while (n) {
		struct iovec iov = {(void *)(uintptr_t)p, n};
		ssize_t k = pwritev2(fd, &iov, 1, (off_t)at, flags);

		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return k ? errno : ENOSPC;
		p += k;
		n -= (size_t)k;
		at += (uint64_t)k;
	}
	return 0;
}

static uint64_t random_salt(void)
{
	uint64_t salt;

	if (getrandom(&salt, sizeof(salt), 0) != sizeof(salt))
		abort();
	return salt;
}

int segment_create(struct segment_writer *w, uint32_t number, uint64_t size)
{
	char name[SEGMENT_NAME_MAX];
	int error = 0;

	*w = (struct segment_writer){.number = number, .size = size, .salt = random_salt()};
	w->fd = open(segment_name(number, name), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (w->fd < 0)
		return errno;
	while (fallocate(w->fd, 0, 0, (off_t)size) != 0) {
		error = errno;
		if (error == EINTR)
			continue;
		/* A file system that cannot take space ahead still keeps mail. */
		if (error == EOPNOTSUPP)
			break;
		close(w->fd);
		unlink(name);
		w->fd = -1;
		return error;
	}
	w->buffer = malloc(BUFFER_SIZE);
	if (!w->buffer)
		abort();
	segment_make_file_header(w->buffer, number, w->salt);
	w->filled = w->used = FILE_HEADER;
	return 0;
}

/* --- writing --- */

static int flush(struct segment_writer *w)
{
	int error = write_all(w->fd, w->buffer, w->filled, w->used - w->filled, 0);

	w->filled = 0;
	w->dirty = true;
	return error;
}

/* Room in the buffer; some, unless the disk fails. */
static int make_room(struct segment_writer *w)
{
	return w->filled == BUFFER_SIZE ? flush(w) : 0;
}

static void took(struct segment_writer *w, size_t n)
{
	w->filled += n;
	w->used += n;
}

static int put(struct segment_writer *w, const void *bytes, size_t n)
{
	const unsigned char *p = bytes;
	int error = 0;

	while (n && !(error = make_room(w))) {
		size_t k = BUFFER_SIZE - w->filled < n ? BUFFER_SIZE - w->filled : n;

		memcpy(w->buffer + w->filled, p, k);
		took(w, k);
		p += k;
		n -= k;
	}
	return error;
}

static int put_padding(struct segment_writer *w, uint64_t n)
{
	static const unsigned char zeros[ALIGNMENT];

	return put(w, zeros, (size_t)(segment_padded(n) - n));
}

static int put_file(struct segment_writer *w, int fd, uint64_t from, uint64_t n, uint32_t *crc)
{
	int error = 0;

	*crc = 0;
	while (n && !(error = make_room(w))) {
		size_t room = BUFFER_SIZE - w->filled, k = n < room ? (size_t)n : room;

		error = segment_read_all(fd, w->buffer + w->filled, k, from);
		if (error)
			break;
		*crc = crc32c(*crc, w->buffer + w->filled, k);
		took(w, k);
		from += k;
		n -= k;
	}
	return error;
}

static int put_extra(struct segment_writer *w, const struct extra *extra)
{
	unsigned char checksum[CHECKSUM];
	int error = put(w, extra->bytes, extra->n);

	segment_le_put(checksum, crc32c(0, extra->bytes, extra->n), CHECKSUM);
	if (!error)
		error = put(w, checksum, CHECKSUM);
	return error ? error : put_padding(w, extra->n + CHECKSUM);
}

/* Where the buffer's bytes go. */
static uint64_t buffer_at(const struct segment_writer *w)
{
	return w->used - w->filled;
}

/* What was put there before: in the buffer, or in the file already. */
static int patch(struct segment_writer *w, const void *bytes, size_t n, uint64_t at, int flags)
{
	if (at < buffer_at(w))
		return write_all(w->fd, bytes, n, at, flags);
	memcpy(w->buffer + (at - buffer_at(w)), bytes, n);
	return 0;
}

/* Room for a record's or a batch's header in one piece; the record in one piece if it can be. */
static int begin_record(struct segment_writer *w, uint64_t room, uint64_t *start)
{
	static const unsigned char nothing[RECORD_HEADER];
	int error = room > BUFFER_SIZE - w->filled ? flush(w) : 0;

	*start = w->used;
	return error ? error : put(w, nothing, RECORD_HEADER);
}

static int end_record(struct segment_writer *w, uint64_t start, const struct record_header *h)
{
	unsigned char header[RECORD_HEADER];

	segment_make_record_header(header, h);
	return patch(w, header, sizeof(header), start, 0);
}

/* As if what began at start had never come. */
static void take_back(struct segment_writer *w, uint64_t start)
{
	w->filled = start > buffer_at(w) ? (size_t)(start - buffer_at(w)) : 0;
	w->used = start;
}

void segment_begin(struct segment_writer *w)
{
	static const unsigned char nothing[BATCH_HEAD];

	/* The buffer holds nothing, or a new file's header. */
	w->batch_at = w->used;
	put(w, nothing, sizeof(nothing));
}

/* What stands behind the body, and the record's header. */
static int finish_record(struct segment_writer *w, uint64_t start, struct record_header *h,
			 const struct extra *extra, struct place *out)
{
	int error = put_padding(w, h->size);

	if (!error && extra->n)
		error = put_extra(w, extra);
	*out = (struct place){w->number, start + RECORD_HEADER, h->size};
	return error ? error : end_record(w, start, h);
}

int segment_append(struct segment_writer *w, uint64_t id, int fd, uint64_t from, uint64_t size,
		   const uint32_t *crc, const struct extra *extra, struct place *out)
{
	struct record_header h = {
		.magic = MESSAGE_MAGIC, .id = id, .size = size, .extra = (uint32_t)extra->n};
	uint64_t start;
	int error = begin_record(w, segment_room(size, extra->n), &start);

	if (error)
		return error;
	error = put_file(w, fd, from, size, &h.crc);
	if (!error && crc && *crc != h.crc)
		error = EILSEQ;
	if (error) {
		take_back(w, start);
		return error;
	}
	return finish_record(w, start, &h, extra, out);
}

int segment_append_bytes(struct segment_writer *w, uint64_t id, const void *bytes, size_t size,
			 const struct extra *extra, struct place *out)
{
	struct record_header h = {.magic = MESSAGE_MAGIC,
				  .id = id,
				  .size = size,
				  .extra = (uint32_t)extra->n,
				  .crc = crc32c(0, bytes, size)};
	uint64_t start;
	int error = begin_record(w, segment_room(size, extra->n), &start);

	if (!error)
		error = put(w, bytes, size);
	return error ? error : finish_record(w, start, &h, extra, out);
}

int segment_note(struct segment_writer *w, uint64_t id, const void *bytes, size_t n)
{
	struct record_header h = {
		.magic = PROGRESS_MAGIC, .id = id, .size = n, .crc = crc32c(0, bytes, n)};
	uint64_t start;
	int error = begin_record(w, segment_room(n, 0), &start);

	if (!error)
		error = put(w, bytes, n);
	if (!error)
		error = put_padding(w, n);
	return error ? error : end_record(w, start, &h);
}

int segment_commit(struct segment_writer *w, uint64_t batch)
{
	unsigned char head[BATCH_HEAD];
	uint64_t length = w->used - w->batch_at - BATCH_HEAD;
	int error = 0;

	if (!length) {
		take_back(w, w->batch_at);
		return 0;
	}
	segment_make_batch_head(head, w->salt, batch, length);
	if (w->dirty) {
		/* All but the head, then the head. */
		if (w->batch_at < buffer_at(w))
			error = flush(w);
		if (!error && fdatasync(w->fd) != 0)
			error = errno;
		if (error)
			return error;
		w->dirty = false;
	}
	error = patch(w, head, sizeof(head), w->batch_at, RWF_DSYNC);
	if (!error)
		error = write_all(w->fd, w->buffer, w->filled, buffer_at(w), RWF_DSYNC);
	w->filled = 0;
	return error;
}

int segment_seal(struct segment_writer *w)
{
	int error = ftruncate(w->fd, (off_t)w->used) != 0 ? errno : 0;

	segment_abandon(w);
	return error;
}

void segment_abandon(struct segment_writer *w)
{
	if (w->fd >= 0)
		close(w->fd);
	free(w->buffer);
	w->fd = -1;
	w->buffer = NULL;
	w->filled = 0;
}
