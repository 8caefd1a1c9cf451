/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/spool/segment.h"

#include "lib/wire.h"
#include "relay/spool/crc32c.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define FILE_MAGIC     0x32475347U /* "GSG2" */
#define BATCH_MAGIC    0x48425047U /* "GPBH" */
#define MESSAGE_MAGIC  0x4d4d5047U /* "GPMM" */
#define PROGRESS_MAGIC 0x52505047U /* "GPPR" */

#define FILE_HEADER   24 /* magic, number, salt, 0, checksum of these */
#define BATCH_HEAD    32 /* magic, salt, number, length, checksum of these */
#define RECORD_HEADER 32 /* magic, id, size, body's checksum, extra, checksum of these */
#define CHECKSUM      4  /* behind what lies beside a body */
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

static uint64_t padded(uint64_t n)
{
	return (n + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

uint64_t segment_record_size(uint64_t body)
{
	return RECORD_HEADER + padded(body);
}

uint64_t segment_room(uint64_t body, size_t extra)
{
	return segment_record_size(body) + (extra ? padded(extra + CHECKSUM) : 0);
}

uint64_t segment_batch_room(void)
{
	return BATCH_HEAD;
}

uint64_t segment_file_size(uint64_t room)
{
	return FILE_HEADER + room;
}

/* --- headers --- */

static void le_put(unsigned char *p, uint64_t v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (unsigned char)(v >> (8 * i));
}

static void make_file_header(unsigned char out[FILE_HEADER], uint32_t number, uint64_t salt)
{
	le_put(out, FILE_MAGIC, 4);
	le_put(out + 4, number, 4);
	le_put(out + 8, salt, 8);
	le_put(out + 16, 0, 4);
	le_put(out + 20, crc32c(0, out, 20), 4);
}

static bool read_file_header(const unsigned char in[FILE_HEADER], uint32_t number, uint64_t *salt)
{
	struct wire w = wire_reader(in, FILE_HEADER);
	bool right = wire_u32(&w) == FILE_MAGIC && wire_u32(&w) == number;

	*salt = wire_u64(&w);
	wire_u32(&w);
	return right && wire_u32(&w) == crc32c(0, in, FILE_HEADER - 4);
}

static void make_batch_head(unsigned char out[BATCH_HEAD], uint64_t salt, uint64_t number,
			    uint64_t length)
{
	le_put(out, BATCH_MAGIC, 4);
	le_put(out + 4, salt, 8);
	le_put(out + 12, number, 8);
	le_put(out + 20, length, 8);
	le_put(out + 28, crc32c(0, out, 28), 4);
}

static bool read_batch_head(const unsigned char in[BATCH_HEAD], uint64_t salt,
			    struct batch_head *out)
{
	struct wire w = wire_reader(in, BATCH_HEAD);
	bool right = wire_u32(&w) == BATCH_MAGIC && wire_u64(&w) == salt;

	out->number = wire_u64(&w);
	out->length = wire_u64(&w);
	return right && wire_u32(&w) == crc32c(0, in, BATCH_HEAD - 4);
}

struct record_header {
	uint32_t magic;
	uint64_t id, size;
	uint32_t crc, extra;
};

static void make_record_header(unsigned char out[RECORD_HEADER], const struct record_header *h)
{
	le_put(out, h->magic, 4);
	le_put(out + 4, h->id, 8);
	le_put(out + 12, h->size, 8);
	le_put(out + 20, h->crc, 4);
	le_put(out + 24, h->extra, 4);
	le_put(out + 28, crc32c(0, out, 28), 4);
}

static bool read_record_header(const unsigned char in[RECORD_HEADER], struct record_header *h)
{
	struct wire w = wire_reader(in, RECORD_HEADER);

	h->magic = wire_u32(&w);
	h->id = wire_u64(&w);
	h->size = wire_u64(&w);
	h->crc = wire_u32(&w);
	h->extra = wire_u32(&w);
	return (h->magic == MESSAGE_MAGIC || h->magic == PROGRESS_MAGIC) &&
	       wire_u32(&w) == crc32c(0, in, RECORD_HEADER - 4);
}

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
	make_file_header(w->buffer, number, w->salt);
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

	return put(w, zeros, (size_t)(padded(n) - n));
}

static int put_file(struct segment_writer *w, int fd, uint64_t from, uint64_t n, uint32_t *crc)
{
	int error = 0;

	*crc = 0;
	while (n && !(error = make_room(w))) {
		size_t room = BUFFER_SIZE - w->filled, k = n < room ? (size_t)n : room;

		error = read_all(fd, w->buffer + w->filled, k, from);
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

	le_put(checksum, crc32c(0, extra->bytes, extra->n), CHECKSUM);
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

	make_record_header(header, h);
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
	make_batch_head(head, w->salt, batch, length);
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
	if (!read_record_header(bytes, h) || h->magic != MESSAGE_MAGIC)
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

/* --- the journal --- */

static bool read_salt(int fd, uint32_t number, uint64_t *salt)
{
	unsigned char header[FILE_HEADER];

	return read_all(fd, header, sizeof(header), 0) == 0 &&
	       read_file_header(header, number, salt);
}

/* A batch's head anywhere from `at` on, on the grid that everything lies on. */
static bool look_for_head(int fd, uint64_t salt, uint64_t at, uint64_t end, struct batch_head *out)
{
	unsigned char *chunk = malloc(BUFFER_SIZE);
	bool found = false;

	if (!chunk)
		abort();
	while (!found && end - at >= BATCH_HEAD) {
		size_t n = end - at < BUFFER_SIZE ? (size_t)(end - at) : BUFFER_SIZE, i = 0;

		if (read_all(fd, chunk, n, at) != 0)
			break;
		for (; !found && i + BATCH_HEAD <= n; i += ALIGNMENT)
			if (chunk[i] && read_batch_head(chunk + i, salt, out)) {
				out->at = at + i + BATCH_HEAD;
				found = out->length <= end - out->at;
			}
		at += i;
	}
	free(chunk);
	return found;
}

bool segment_next_batch(int fd, uint32_t number, uint64_t at, struct batch_head *out)
{
	unsigned char head[BATCH_HEAD];
	struct stat st;
	uint64_t salt, end;

	if (fstat(fd, &st) != 0 || !read_salt(fd, number, &salt))
		return false;
	end = (uint64_t)st.st_size;
	if (at < FILE_HEADER)
		at = FILE_HEADER;
	if (at >= end || end - at < BATCH_HEAD)
		return false;
	out->segment = number;
	/* Nearly always it is just there. */
	if (read_all(fd, head, sizeof(head), at) == 0 && read_batch_head(head, salt, out)) {
		out->at = at + BATCH_HEAD;
		if (out->length <= end - out->at)
			return true;
	}
	return look_for_head(fd, salt, at, end, out);
}

bool segment_record(int fd, const struct batch_head *batch, uint64_t at, struct segment_record *out)
{
	unsigned char bytes[RECORD_HEADER];
	struct record_header h;
	uint64_t end = batch->at + batch->length;

	if (at < batch->at || at >= end || end - at < RECORD_HEADER ||
	    read_all(fd, bytes, sizeof(bytes), at) != 0 || !read_record_header(bytes, &h) ||
	    h.size > end - at || segment_room(h.size, h.extra) > end - at)
		return false;
	*out = (struct segment_record){
		.kind = h.magic == MESSAGE_MAGIC ? RECORD_MESSAGE : RECORD_PROGRESS,
		.id = h.id,
		.place = {batch->segment, at + RECORD_HEADER, h.size},
		.crc = h.crc,
		.extra = h.extra,
		.length = segment_room(h.size, h.extra),
	};
	return true;
}

static bool read_into(int fd, uint64_t at, size_t n, struct buf *out)
{
	buf_reserve(out, n);
	if (read_all(fd, out->data + out->len, n, at) != 0)
		return false;
	out->len += n;
	out->data[out->len] = '\0';
	return true;
}

bool segment_extra(int fd, const struct segment_record *r, struct buf *out)
{
	uint64_t at = r->place.offset + padded(r->place.size);
	size_t start = out->len;

	if (!read_into(fd, at, r->extra + (size_t)CHECKSUM, out))
		return false;
	out->len -= CHECKSUM;
	struct wire w = wire_reader(out->data + out->len, CHECKSUM);
	return wire_u32(&w) == crc32c(0, out->data + start, r->extra);
}

bool segment_body(int fd, const struct segment_record *r, struct buf *out)
{
	size_t start = out->len;

	return read_into(fd, r->place.offset, (size_t)r->place.size, out) &&
	       crc32c(0, out->data + start, (size_t)r->place.size) == r->crc;
}

bool segment_find(int fd, uint32_t number, uint64_t id, struct place *out)
{
	struct batch_head batch;
	struct segment_record r;

	for (uint64_t at = 0; segment_next_batch(fd, number, at, &batch);
	     at = batch.at + batch.length)
		for (uint64_t record = batch.at; segment_record(fd, &batch, record, &r);
		     record += r.length)
			if (r.kind == RECORD_MESSAGE && r.id == id) {
				*out = r.place;
				return true;
			}
	return false;
}
