/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every segment in the spool: which there are, how much of each still lives, where the next body
 * goes, and when one can go.
 *
 * What lives is not written down anywhere but in the state (state.h): whoever opens the spool
 * tells each living place again (bodies_alive), then bodies_settle() clears the rest away. A
 * start begins a new segment with the first body that comes; the old ones are cut to what lives
 * in them, so that starting often costs no disk.
 *
 * A segment in which nothing lives is unlinked, not written over: a reader that still holds it
 * reads the old bytes, never another message's. (Writing over one would spare the file system an
 * allocation: 0.1 ms per sync on ext4, measured.)
 *
 * Functions that give an int give 0 or an errno.
 */
#ifndef GATEPOST_RELAY_SPOOL_BODIES_H
#define GATEPOST_RELAY_SPOOL_BODIES_H

#include "lib/buf.h"
#include "relay/messages.h"
#include "relay/spool/segment.h"

#include <stdbool.h>
#include <stdint.h>

/* A body that was moved elsewhere may still be read at its old place for so long. */
#define BODIES_GRACE_MS 10000
/* A segment is worth emptying when at most a quarter of it lives, this long after it was full: by
 * then most of what is delivered at once is gone by itself. Sooner when more than so many segments'
 * worth of the disk is held by what lives no more. */
#define BODIES_REST_MS       60000
#define BODIES_SPARSE_PART   4
#define BODIES_DEAD_SEGMENTS 4

struct bodies_watch {
	void (*opened)(void *arg, uint32_t segment);
	void (*gone)(void *arg, uint32_t segment);
};

struct bodies;

/* In the working directory. NULL, with the reason in error, when it cannot be read. */
struct bodies *bodies_open(uint64_t segment_bytes, const struct bodies_watch *watch, void *arg,
			   struct buf *error);
void bodies_close(struct bodies *b);

/* The clock, in ms; it never jumps. */
void bodies_tick(struct bodies *b, uint64_t now_ms);

/* Numbers up to this one were given before: they are never given again. */
void bodies_seen(struct bodies *b, uint32_t number);
uint32_t bodies_newest(const struct bodies *b);

/* Message id's body lives there. False, and nothing counted, when no segment holds that place. */
bool bodies_alive(struct bodies *b, uint64_t id, const struct place *place);
void bodies_dead(struct bodies *b, const struct place *place);

/* Ends the telling of what lives. */
void bodies_settle(struct bodies *b);

/* What a batch of this room (segment.h) would take from the file system now; 0 when the open
 * segment has it. */
uint64_t bodies_cost(const struct bodies *b, uint64_t room);

/*
 * A batch lies in one segment whole: bodies_begin() makes sure of its room, in a new segment where
 * it must; `scarce` asks for one no larger than that. Then segment_append() and segment_note() into
 * it, then bodies_commit(): when that gives 0, all of it is on the disk. After any error but
 * EBADMSG and EILSEQ, which are the body's own fault, call bodies_give_up(): nothing of the batch
 * is there then, and the next one must have the same number.
 */
int bodies_begin(struct bodies *b, uint64_t room, bool scarce);
struct segment_writer *bodies_writer(struct bodies *b);
int bodies_commit(struct bodies *b, uint64_t batch);
void bodies_give_up(struct bodies *b);

/* Where the next batch will begin at the earliest. */
void bodies_position(const struct bodies *b, uint32_t *segment, uint64_t *offset);

/* A descriptor for reading that the caller closes; -1 with errno. */
int bodies_read(uint32_t segment);

/* The first segment after that number; 0 for none. Numbers begin at 1. */
uint32_t bodies_next(const struct bodies *b, uint32_t after);

/* Unlinks what nothing lives in. Only when the state is committed: what the journal says of a
 * segment's messages must not be needed any more. */
void bodies_reclaim(struct bodies *b);

/* A segment that is worth emptying, 0 for none; bodies_leave() puts that off by BODIES_REST_MS. */
uint32_t bodies_sparse(const struct bodies *b);
void bodies_leave(struct bodies *b, uint32_t segment);
/* Something was moved out of it: the grace begins. */
void bodies_moved(struct bodies *b, uint32_t segment);

/* The ids of what lives in it lie within these; and: none below that one is left. */
void bodies_range(const struct bodies *b, uint32_t segment, uint64_t *lowest, uint64_t *highest);
void bodies_searched(struct bodies *b, uint32_t segment, uint64_t lowest);

#endif
