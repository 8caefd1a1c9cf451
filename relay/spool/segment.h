/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A segment: one file that holds the bodies of many messages, one behind the other.
 *
 * The file begins with a header {magic, number}; a record is a header {magic, message id, size,
 * checksum of the body, checksum of this header}, the body, and zeros up to a multiple of 8. It is
 * only ever appended to, by one writer; its space is taken from the file system when it is made, so
 * that a full disk shows before a message is taken and not halfway through. Readers get
 * descriptors of their own (O_RDONLY) and check what they read.
 *
 * Names are relative to the working directory. Functions that give an int give 0 or an errno.
 */
#ifndef GATEPOST_RELAY_SPOOL_SEGMENT_H
#define GATEPOST_RELAY_SPOOL_SEGMENT_H

#include "relay/messages.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SEGMENT_NAME_MAX 16
const char *segment_name(uint32_t number, char out[SEGMENT_NAME_MAX]); /* "body-0000002a" */
bool segment_name_parse(const char *name, uint32_t *number);

struct segment_writer {
	int fd; /* -1: closed */
	uint32_t number;
	uint64_t size;         /* of the file */
	uint64_t used;         /* where the next record begins, what waits in the buffer included */
	size_t filled;         /* of the buffer: goes to the file at used - filled */
	unsigned char *buffer; /* small records are gathered into one write */
};

/* The room that a body takes, its header and padding included; and a file with one record. */
uint64_t segment_record_size(uint64_t body);
uint64_t segment_file_size(uint64_t body);

/* Fails with EEXIST rather than touch a file that is there. */
int segment_create(struct segment_writer *w, uint32_t number, uint64_t size);

/*
 * Copies size bytes at `from` of the file fd. EBADMSG when fd does not hold them: the segment is
 * as before, go on with others. After any other error abandon it. The caller knows that
 * segment_record_size() fits into size - used. crc, when not NULL, is what the body's checksum
 * must be; EILSEQ, and the segment as before, when it is another.
 */
int segment_append(struct segment_writer *w, uint64_t id, int fd, uint64_t from, uint64_t size,
		   const uint32_t *crc, struct place *out);

/* Everything appended is on the disk when this gives 0. Otherwise abandon it: what the kernel
 * could not write it may report once and forget. */
int segment_sync(struct segment_writer *w);

/* Syncs, gives back the space that was not used, and closes. */
int segment_seal(struct segment_writer *w);

/* Closes as it is. */
void segment_abandon(struct segment_writer *w);

/* --- reading --- */

enum segment_depth {
	SEGMENT_HEADER, /* the record's header: is this where that message begins? */
	SEGMENT_BODY,   /* and each byte of the body */
};

/*
 * NULL when the record at place is message id's, else what is wrong with it. `crc`, when not NULL,
 * gets the body's checksum as the header has it. Whoever reads a body asks this first.
 */
const char *segment_check(int fd, uint64_t id, const struct place *place, enum segment_depth depth,
			  uint32_t *crc);

/*
 * The same, and the body itself in one call: *body points into buffer, whose old content is gone.
 * For bodies that may be held in memory.
 */
const char *segment_read(int fd, uint64_t id, const struct place *place, struct buf *buffer,
			 const char **body);

/* Looks for message id from the front, record by record. False when it is not found. */
bool segment_find(int fd, uint32_t number, uint64_t id, struct place *out);

#endif
