/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The store: bodies in segments (bodies.h), everything else in LMDB (state.h), kept in step.
 *
 * The order is what makes it safe. A batch - new messages, what became of others - is appended to a
 * segment and flushed: then it is promised. What it changes goes into the state's transaction,
 * which is committed by store_tick(), or once it is large; until then the segments are the journal
 * that it can be made from again (journal.h). A segment is unlinked only after a commit, so what
 * the state names, and what it does not hold yet, is always on the disk.
 *
 * A record that is damaged is set aside, named in the log, and the rest goes on: its envelope goes
 * to the state's `damaged` records, its body, when it can be found, to a file damaged-ID.eml.
 *
 * It lives in the working directory, in one process. It knows no channel and no clock.
 */
#ifndef GATEPOST_RELAY_SPOOL_STORE_H
#define GATEPOST_RELAY_SPOOL_STORE_H

#include "lib/buf.h"
#include "relay/messages.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store_options {
	/* 0: a 32nd of the file system, within 1 and 64 MiB. A larger message gets a segment of
	 * its own size. */
	uint64_t segment_bytes;
	uint64_t reserve_bytes; /* reserve.h */
	uint64_t map_bytes;     /* state.h */
};

struct store_watch {
	/* A segment to announce; ask store_segment_fd() for it. Before any message names it. */
	void (*segment)(void *arg, uint32_t segment);
	void (*segment_gone)(void *arg, uint32_t segment);
	/* The body has a new place. */
	void (*moved)(void *arg, const struct queued *m);
};

/* A message to keep. */
struct addition {
	struct envelope *envelope; /* gets its id and size */
	int fd;            /* a regular file, read from its beginning; stays the caller's. -1: */
	const void *bytes; /* the body itself, the caller's */
	size_t size;
	enum submit_status status;
	struct place place; /* when SUBMIT_KEPT */
};

struct store_figures {
	uint64_t messages;
	uint64_t damaged; /* set aside since the spool was made */
	uint64_t segments;
};

struct store;

/* NULL, with the reason and what to do in error, when it can't be used. */
struct store *store_open(const struct store_options *options, const struct store_watch *watch,
			 void *arg, struct buf *error);
void store_close(struct store *s);

/*
 * Keeps messages and notes progress, in one synced batch. Each addition's status is set; one whose
 * body cannot be read fails alone, a disk that fails or is full fails them all, and nothing of
 * those is kept. True when all the progress is on the disk; otherwise none is: come again with it.
 * wall_ms is the clock that new ids are made from: they only ever go up, whatever it does.
 */
bool store_commit(struct store *s, uint64_t wall_ms, struct addition *additions, size_t count,
		  const struct progress *const *progress, size_t progress_count);

/* The first message after that id, its recipients as they stand. False when there is none. The
 * caller frees out->envelope. */
bool store_next(struct store *s, uint64_t after, struct queued *out);

/* Segments by number, from 1; 0 when there is none after that one. */
uint32_t store_next_segment(const struct store *s, uint32_t after);
/* For reading; the caller closes it. -1 with errno. */
int store_segment_fd(uint32_t segment);

/* Gives space back: unlinks dead segments, moves what little lives out of old ones, at most
 * STORE_MOVE_BYTES at a time. steady_ms never jumps. Call it about once a second. */
#define STORE_MOVE_BYTES ((uint64_t)8 * 1024 * 1024)
void store_tick(struct store *s, uint64_t steady_ms);

struct store_figures store_figures(struct store *s);

#endif
