/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A segment's headers, byte by byte (segment.h says what they are for); numbers are little-endian.
 */
#ifndef GATEPOST_RELAY_SPOOL_SEGMENT_FORMAT_H
#define GATEPOST_RELAY_SPOOL_SEGMENT_FORMAT_H

#include "relay/spool/segment.h"

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

uint64_t segment_padded(uint64_t n);
void segment_le_put(unsigned char *p, uint64_t v, size_t n);

void segment_make_file_header(unsigned char out[FILE_HEADER], uint32_t number, uint64_t salt);
bool segment_read_file_header(const unsigned char in[FILE_HEADER], uint32_t number, uint64_t *salt);
void segment_make_batch_head(unsigned char out[BATCH_HEAD], uint64_t salt, uint64_t number,
			     uint64_t length);
bool segment_read_batch_head(const unsigned char in[BATCH_HEAD], uint64_t salt,
			     struct batch_head *out);

struct record_header {
	uint32_t magic;
	uint64_t id, size;
	uint32_t crc, extra;
};

void segment_make_record_header(unsigned char out[RECORD_HEADER], const struct record_header *h);
bool segment_read_record_header(const unsigned char in[RECORD_HEADER], struct record_header *h);

/* EBADMSG when the bytes are not there, or cannot be read. */
int segment_read_all(int fd, void *bytes, size_t n, uint64_t at);

#endif
