/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/wire.h"
#include "relay/spool/crc32c.h"
#include "relay/spool/segment_format.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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

		error = segment_read_all(fd, chunk, n, at);
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
	if (!segment_read_record_header(bytes, h) || h->magic != MESSAGE_MAGIC)
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
	if (segment_read_all(fd, bytes, sizeof(bytes), place->offset - RECORD_HEADER) != 0)
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
	if (segment_read_all(fd, (unsigned char *)buffer->data, RECORD_HEADER + place->size,
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

	return segment_read_all(fd, header, sizeof(header), 0) == 0 &&
	       segment_read_file_header(header, number, salt);
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

		if (segment_read_all(fd, chunk, n, at) != 0)
			break;
		for (; !found && i + BATCH_HEAD <= n; i += ALIGNMENT)
			if (chunk[i] && segment_read_batch_head(chunk + i, salt, out)) {
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
	if (segment_read_all(fd, head, sizeof(head), at) == 0 &&
	    segment_read_batch_head(head, salt, out)) {
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
	    segment_read_all(fd, bytes, sizeof(bytes), at) != 0 ||
	    !segment_read_record_header(bytes, &h) || h.size > end - at ||
	    segment_room(h.size, h.extra) > end - at)
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
	if (segment_read_all(fd, out->data + out->len, n, at) != 0)
		return false;
	out->len += n;
	out->data[out->len] = '\0';
	return true;
}

bool segment_extra(int fd, const struct segment_record *r, struct buf *out)
{
	uint64_t at = r->place.offset + segment_padded(r->place.size);
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
