/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/spool/segment.h"

#include "lib/wire.h"
#include "relay/spool/crc32c.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAGIC   0x31475347U /* "GSG1" */
#define RECORD_MAGIC 0x4d4d5047U /* "GPMM" */

#define FILE_HEADER   16 /* magic, number, 0, checksum of these */
#define RECORD_HEADER 32 /* magic, id, size, body's checksum, 0, checksum of these */
#define ALIGNMENT     8

#define BUFFER_SIZE ((size_t)256 * 1024)

const char *segment_name(uint32_t number, char out[SEGMENT_NAME_MAX])
{
	snprintf(out, SEGMENT_NAME_MAX, "body-%08x", number);
	return out;
}

bool segment_name_parse(const char *name, uint32_t *number)
{
	char again[SEGMENT_NAME_MAX];

	if (strncmp(name, "body-", 5) != 0)
		return false;
	*number = (uint32_t)strtoul(name + 5, NULL, 16);
	return strcmp(segment_name(*number, again), name) == 0;
}

uint64_t segment_record_size(uint64_t body)
{
	return RECORD_HEADER + (body + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

uint64_t segment_file_size(uint64_t body)
{
	return FILE_HEADER + segment_record_size(body);
}

/* --- headers --- */

static void le_put(unsigned char *p, uint64_t v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (unsigned char)(v >> (8 * i));
}

static void make_file_header(unsigned char out[FILE_HEADER], uint32_t number)
{
	le_put(out, FILE_MAGIC, 4);
	le_put(out + 4, number, 4);
	le_put(out + 8, 0, 4);
	le_put(out + 12, crc32c(0, out, 12), 4);
}

static void make_record_header(unsigned char out[RECORD_HEADER], uint64_t id, uint64_t size,
			       uint32_t crc)
{
	le_put(out, RECORD_MAGIC, 4);
	le_put(out + 4, id, 8);
	le_put(out + 12, size, 8);
	le_put(out + 20, crc, 4);
	le_put(out + 24, 0, 4);
	le_put(out + 28, crc32c(0, out, 28), 4);
}

struct record_header {
	uint64_t id, size;
	uint32_t crc;
};

static bool read_record_header(const unsigned char in[RECORD_HEADER], struct record_header *h)
{
	struct wire w = wire_reader(in, RECORD_HEADER);
	uint32_t magic = wire_u32(&w);

	h->id = wire_u64(&w);
	h->size = wire_u64(&w);
	h->crc = wire_u32(&w);
	wire_u32(&w);
	return magic == RECORD_MAGIC && wire_u32(&w) == crc32c(0, in, RECORD_HEADER - 4);
}

/* --- writing --- */

static int write_all(int fd, const void *bytes, size_t n, uint64_t at)
{
	const unsigned char *p = bytes;

	while (n) {
		ssize_t k = pwrite(fd, p, n, (off_t)at);

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

/* EBADMSG when the bytes are not there, or cannot be read. */
static int read_all(int fd, void *bytes, size_t n, uint64_t at)
{
	unsigned char *p = bytes;

	while (n) {
		ssize_t k = pread(fd, p, n, (off_t)at);

		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return EBADMSG;
		p += k;
		n -= (size_t)k;
		at += (uint64_t)k;
	}
	return 0;
}

int segment_create(struct segment_writer *w, uint32_t number, uint64_t size)
{
	char name[SEGMENT_NAME_MAX];
	int error = 0;

	*w = (struct segment_writer){.number = number, .size = size};
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
	make_file_header(w->buffer, number);
	w->filled = w->used = FILE_HEADER;
	return 0;
}

static int flush(struct segment_writer *w)
{
	int error = write_all(w->fd, w->buffer, w->filled, w->used - w->filled);

	w->filled = 0;
	return error;
}

static int append_small(struct segment_writer *w, uint64_t id, int fd, uint64_t from, size_t size,
			uint32_t *crc)
{
	unsigned char *header = w->buffer + w->filled, *body = header + RECORD_HEADER;
	size_t record = (size_t)segment_record_size(size);
	int error = read_all(fd, body, size, from);

	if (error)
		return error;
	*crc = crc32c(0, body, size);
	memset(body + size, 0, record - RECORD_HEADER - size);
	make_record_header(header, id, size, *crc);
	w->filled += record;
	return 0;
}

/* Larger than the buffer: through it piece by piece, the header last. The buffer is empty. */
static int append_large(struct segment_writer *w, uint64_t id, int fd, uint64_t from, uint64_t size,
			uint32_t *crc)
{
	uint64_t at = w->used + RECORD_HEADER, end = w->used + segment_record_size(size);
	int error;

	*crc = 0;
	while (size) {
		size_t n = size < BUFFER_SIZE ? (size_t)size : BUFFER_SIZE;

		error = read_all(fd, w->buffer, n, from);
		if (!error) {
			*crc = crc32c(*crc, w->buffer, n);
			error = write_all(w->fd, w->buffer, n, at);
		}
		if (error)
			return error;
		from += n;
		at += n;
		size -= n;
	}
	static const unsigned char zeros[ALIGNMENT];
	unsigned char header[RECORD_HEADER];

	make_record_header(header, id, at - w->used - RECORD_HEADER, *crc);
	error = write_all(w->fd, zeros, (size_t)(end - at), at);
	return error ? error : write_all(w->fd, header, sizeof(header), w->used);
}

int segment_append(struct segment_writer *w, uint64_t id, int fd, uint64_t from, uint64_t size,
		   const uint32_t *crc, struct place *out)
{
	uint64_t record = segment_record_size(size);
	size_t filled;
	uint32_t found;
	int error = 0;

	if (record > BUFFER_SIZE - w->filled)
		error = flush(w);
	if (error)
		return error;
	filled = w->filled;
	if (record <= BUFFER_SIZE)
		error = append_small(w, id, fd, from, (size_t)size, &found);
	else
		error = append_large(w, id, fd, from, size, &found);
	if (!error && crc && *crc != found)
		error = EILSEQ;
	if (error) {
		w->filled = filled;
		return error;
	}
	*out = (struct place){w->number, w->used + RECORD_HEADER, size};
	w->used += record;
	return 0;
}

int segment_sync(struct segment_writer *w)
{
	int error = flush(w);

	if (!error && fdatasync(w->fd) != 0)
		error = errno;
	return error;
}

int segment_seal(struct segment_writer *w)
{
	int error = flush(w);

	if (!error && ftruncate(w->fd, (off_t)w->used) != 0)
		error = errno;
	if (!error && fdatasync(w->fd) != 0)
		error = errno;
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

/* --- reading --- */

static const char checksum_wrong[] = "the body's checksum does not fit its bytes";

static const char *check_body(int fd, const struct place *place, uint32_t want)
{
	unsigned char *chunk = malloc(BUFFER_SIZE);
	uint64_t at = place->offset, left = place->size;
	uint32_t crc = 0;
	int error = 0;

	if (!chunk)
		abort();
	while (left && !error) {
		size_t n = left < BUFFER_SIZE ? (size_t)left : BUFFER_SIZE;

		error = read_all(fd, chunk, n, at);
		if (!error)
			crc = crc32c(crc, chunk, n);
		at += n;
		left -= n;
	}
	free(chunk);
	if (error)
		return "the body cannot be read";
	return crc == want ? NULL : checksum_wrong;
}

static const char *check_place(const struct place *place)
{
	if (place->offset % ALIGNMENT || place->offset < FILE_HEADER + RECORD_HEADER ||
	    place->offset > INT64_MAX || place->size > INT64_MAX - place->offset)
		return "no record can be at that place";
	return NULL;
}

static const char *check_header(const unsigned char bytes[RECORD_HEADER], uint64_t id,
				const struct place *place, struct record_header *h)
{
	if (!read_record_header(bytes, h))
		return "the record's header is damaged";
	if (h->id != id)
		return "another message lies at that place";
	if (h->size != place->size)
		return "the body there has another size";
	return NULL;
}

const char *segment_check(int fd, uint64_t id, const struct place *place, enum segment_depth depth,
			  uint32_t *crc)
{
	unsigned char bytes[RECORD_HEADER];
	struct record_header h;
	const char *wrong = check_place(place);

	if (wrong)
		return wrong;
	if (read_all(fd, bytes, sizeof(bytes), place->offset - RECORD_HEADER) != 0)
		return "the record's header cannot be read";
	wrong = check_header(bytes, id, place, &h);
	if (wrong)
		return wrong;
	if (crc)
		*crc = h.crc;
	return depth == SEGMENT_BODY ? check_body(fd, place, h.crc) : NULL;
}

const char *segment_read(int fd, uint64_t id, const struct place *place, struct buf *buffer,
			 const char **body)
{
	struct record_header h;
	const char *wrong = check_place(place);

	if (wrong)
		return wrong;
	buf_clear(buffer);
	buf_reserve(buffer, RECORD_HEADER + place->size);
	if (read_all(fd, (unsigned char *)buffer->data, RECORD_HEADER + place->size,
		     place->offset - RECORD_HEADER) != 0)
		return "the record cannot be read";
	buffer->len = RECORD_HEADER + place->size;
	buffer->data[buffer->len] = '\0';
	wrong = check_header((const unsigned char *)buffer->data, id, place, &h);
	if (wrong)
		return wrong;
	*body = buffer->data + RECORD_HEADER;
	return crc32c(0, *body, place->size) == h.crc ? NULL : checksum_wrong;
}

bool segment_find(int fd, uint32_t number, uint64_t id, struct place *out)
{
	unsigned char bytes[RECORD_HEADER], file_header[FILE_HEADER];
	struct record_header h;
	struct stat st;
	uint64_t at = FILE_HEADER;

	make_file_header(file_header, number);
	if (fstat(fd, &st) != 0 || read_all(fd, bytes, FILE_HEADER, 0) != 0 ||
	    memcmp(bytes, file_header, FILE_HEADER) != 0)
		return false;
	while (read_all(fd, bytes, sizeof(bytes), at) == 0 && read_record_header(bytes, &h)) {
		uint64_t left = (uint64_t)st.st_size - at - RECORD_HEADER;

		if (h.size > left)
			return false;
		if (h.id == id) {
			*out = (struct place){number, at + RECORD_HEADER, h.size};
			return true;
		}
		at += segment_record_size(h.size);
	}
	return false;
}
