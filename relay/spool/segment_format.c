/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/spool/segment_format.h"

#include "lib/wire.h"
#include "relay/spool/crc32c.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/* --- sizes --- */

uint64_t segment_padded(uint64_t n)
{
	return (n + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

uint64_t segment_record_size(uint64_t body)
{
	return RECORD_HEADER + segment_padded(body);
}

uint64_t segment_room(uint64_t body, size_t extra)
{
	return segment_record_size(body) + (extra ? segment_padded(extra + CHECKSUM) : 0);
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

void segment_le_put(unsigned char *p, uint64_t v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (unsigned char)(v >> (8 * i));
}

void segment_make_file_header(unsigned char out[FILE_HEADER], uint32_t number, uint64_t salt)
{
	segment_le_put(out, FILE_MAGIC, 4);
	segment_le_put(out + 4, number, 4);
	segment_le_put(out + 8, salt, 8);
	segment_le_put(out + 16, 0, 4);
	segment_le_put(out + 20, crc32c(0, out, 20), 4);
}

bool segment_read_file_header(const unsigned char in[FILE_HEADER], uint32_t number, uint64_t *salt)
{
	struct wire w = wire_reader(in, FILE_HEADER);
	bool right = wire_u32(&w) == FILE_MAGIC && wire_u32(&w) == number;

	*salt = wire_u64(&w);
	wire_u32(&w);
	return right && wire_u32(&w) == crc32c(0, in, FILE_HEADER - 4);
}

void segment_make_batch_head(unsigned char out[BATCH_HEAD], uint64_t salt, uint64_t number,
			     uint64_t length)
{
	segment_le_put(out, BATCH_MAGIC, 4);
	segment_le_put(out + 4, salt, 8);
	segment_le_put(out + 12, number, 8);
	segment_le_put(out + 20, length, 8);
	segment_le_put(out + 28, crc32c(0, out, 28), 4);
}

bool segment_read_batch_head(const unsigned char in[BATCH_HEAD], uint64_t salt,
			     struct batch_head *out)
{
	struct wire w = wire_reader(in, BATCH_HEAD);
	bool right = wire_u32(&w) == BATCH_MAGIC && wire_u64(&w) == salt;

	out->number = wire_u64(&w);
	out->length = wire_u64(&w);
	return right && wire_u32(&w) == crc32c(0, in, BATCH_HEAD - 4);
}

void segment_make_record_header(unsigned char out[RECORD_HEADER], const struct record_header *h)
{
	segment_le_put(out, h->magic, 4);
	segment_le_put(out + 4, h->id, 8);
	segment_le_put(out + 12, h->size, 8);
	segment_le_put(out + 20, h->crc, 4);
	segment_le_put(out + 24, h->extra, 4);
	segment_le_put(out + 28, crc32c(0, out, 28), 4);
}

bool segment_read_record_header(const unsigned char in[RECORD_HEADER], struct record_header *h)
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

int segment_read_all(int fd, void *bytes, size_t n, uint64_t at)
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
