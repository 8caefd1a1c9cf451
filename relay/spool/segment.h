/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A segment: one file that holds the bodies of many messages, one behind the other, and is the
 * journal of everything that the spool promised since the state was last committed (state.h).
 *
 * The file begins with a header {magic, number, salt}. Then come batches: a head {magic, salt,
 * batch number, length, checksum} and records. A record is a header {magic, message id, size,
 * checksum of the body, size of what follows it, checksum of this header}, the body, and zeros up
 * to a multiple of 8; a message's is followed by its envelope (and that one's checksum), so that it
 * can be found again without the state. What became of recipients is a record of another kind.
 *
 * A batch is on the disk when its head is. One that fits into the buffer is one write(2) that
 * returns once it is flushed; of a larger one the rest is flushed before the head is written. The
 * salt is drawn for each segment: nobody can send a message that holds what looks like a batch.
 *
 * A segment is only ever appended to, by one writer; its space is taken from the file system when
 * it is made, so that a full disk shows before a message is taken and not halfway through. Readers
 * get descriptors of their own (O_RDONLY) and check what they read.
 *
 * Names are relative to the working directory. Functions that give an int give 0 or an errno.
 */
#ifndef GATEPOST_RELAY_SPOOL_SEGMENT_H
#define GATEPOST_RELAY_SPOOL_SEGMENT_H

#include "lib/buf.h"
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
	uint64_t salt;
	uint64_t size;         /* of the file */
	uint64_t used;         /* where the next record begins, what waits in the buffer included */
	uint64_t batch_at;     /* where the open batch's head will be */
	size_t filled;         /* of the buffer: goes to the file at used - filled */
	unsigned char *buffer; /* a batch is gathered into one write */
	bool dirty;            /* the file holds what is not flushed */
};

/* What lies beside a body. */
struct extra {
	const void *bytes;
	size_t n; /* 0: nothing */
};

/* The room that a body takes, its header and padding included; that of a record with something
 * beside its body; of a batch's head; and a file that holds so much. */
uint64_t segment_record_size(uint64_t body);
uint64_t segment_room(uint64_t body, size_t extra);
uint64_t segment_batch_room(void);
uint64_t segment_file_size(uint64_t room);

/* Fails with EEXIST rather than touch a file that is there. */
int segment_create(struct segment_writer *w, uint32_t number, uint64_t size);

/* Begins a batch. The caller knows that all of it will fit into size - used. */
void segment_begin(struct segment_writer *w);

/*
 * Copies size bytes at `from` of the file fd. EBADMSG when fd does not hold them: the segment is
 * as before, go on with others. After any other error abandon it. crc, when not NULL, is what the
 * body's checksum must be; EILSEQ, and the segment as before, when it is another.
 */
int segment_append(struct segment_writer *w, uint64_t id, int fd, uint64_t from, uint64_t size,
		   const uint32_t *crc, const struct extra *extra, struct place *out);

/* The same of a body in memory. */
int segment_append_bytes(struct segment_writer *w, uint64_t id, const void *bytes, size_t size,
			 const struct extra *extra, struct place *out);

/* A record of what became of a message's recipients. */
int segment_note(struct segment_writer *w, uint64_t id, const void *bytes, size_t n);

/* Writes the batch out and flushes it. After an error abandon the segment: the batch is not there,
 * or it is outdone by the next one, which must have the same number. */
int segment_commit(struct segment_writer *w, uint64_t batch);

/* Gives back the space that was not used, and closes. No batch is open. */
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

/* --- the journal --- */

struct batch_head {
	uint32_t segment;
	uint64_t at;     /* where its first record begins */
	uint64_t length; /* of its records */
	uint64_t number;
};

enum record_kind { RECORD_MESSAGE, RECORD_PROGRESS };

struct segment_record {
	enum record_kind kind;
	uint64_t id;
	struct place place;
	uint32_t crc;
	uint32_t extra;  /* bytes beside the body */
	uint64_t length; /* of all of it */
};

/* The first batch at or behind `at` (0: the segment's beginning). False when there is none. What
 * lies between is no batch, or a damaged one. */
bool segment_next_batch(int fd, uint32_t number, uint64_t at, struct batch_head *out);

/* The record at a place within a batch. False when its header is damaged or it leaves the batch. */
bool segment_record(int fd, const struct batch_head *batch, uint64_t at,
		    struct segment_record *out);

/* Appends what lies beside the body; false when it is damaged. */
bool segment_extra(int fd, const struct segment_record *r, struct buf *out);
/* Appends the body; false when it is damaged. */
bool segment_body(int fd, const struct segment_record *r, struct buf *out);

#endif
