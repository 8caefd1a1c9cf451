/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The journal: what happened, in the order in which report heard of it, before anybody is told
 * that it is kept.
 *
 *	file   = "journal." and its number in 16 hex digits: magic[8] ‖ number (u64) ‖ records
 *	record = length (u32) ‖ CRC-32C of length and payload (u32) ‖ payload: an encoded event
 *
 * One writer, which only appends. A batch is one write(2), so it survives the end of the process;
 * events_sync() makes it survive a power cut. A file is closed when it is full, and whoever follows
 * the journal (follow.h) says which files may go. Every start begins a new file, numbered above all
 * that ever were: a place, once given, never comes to mean another record, even where a power cut
 * took the end of the last file with it.
 *
 * A reader steps over damage to the next record that is sound, and counts what it stepped over.
 */
#ifndef GATEPOST_RELAY_REPORT_EVENTS_H
#define GATEPOST_RELAY_REPORT_EVENTS_H

#include "lib/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum events_limit {
	EVENTS_RECORD_MAX = 64 * 1024, /* payload */
	EVENTS_HEAD = 16,              /* of a file */
	EVENTS_RECORD_HEAD = 8,
};

/* Where a record begins, or the next one will. {0, 0} stands before all of them. */
struct place_in_events {
	uint64_t file;
	uint64_t offset;
};

/* ---- writing ---- */

struct events;

struct events_bounds {
	uint64_t file_bytes;  /* a file is closed once it holds this much */
	uint64_t keep_bytes;  /* of files that might go, for whoever must start over */
	uint64_t total_bytes; /* over this the oldest file goes, followed or not */
};

/*
 * dir: a descriptor that stays the caller's. after: the highest file number that anybody remembers
 * (new ones are above it). A torn end that the last writer left is cut off; its length is added to
 * *torn. NULL with the reason in error.
 */
struct events *events_open(int dir, const struct events_bounds *bounds, uint64_t after,
			   uint64_t *torn, struct buf *error);
void events_close(struct events *e); /* what was added and not written is gone */

/* Adds to the batch. False when the payload is empty or over EVENTS_RECORD_MAX. */
bool events_add(struct events *e, const void *payload, size_t n);
/* Bytes in the batch. */
size_t events_batch(const struct events *e);
/* Writes the batch. False with errno set: nothing of it is in the journal, all of it stays in the
 * batch for another try. */
bool events_write(struct events *e);
/* Gives up the batch; how many records that were. */
size_t events_drop(struct events *e);
/* Synced: what was written so far survives a power cut. False with errno set. */
bool events_sync(struct events *e);
/* Written and not synced. */
bool events_dirty(const struct events *e);

/* All before there is kept elsewhere, for now: what goes when the bounds are reached is lost only
 * from there on. */
void events_followed(struct events *e, struct place_in_events there);
/* All before there is kept elsewhere and survives a power cut: files that end before it go, but for
 * the newest keep_bytes of the journal. */
void events_forget(struct events *e, struct place_in_events there);
/* Bytes of all files. */
uint64_t events_bytes(const struct events *e);
/* Records that went with an oldest file and that nobody had followed. */
uint64_t events_lost(const struct events *e);

/* ---- reading ---- */

struct events_reader;

struct events_reader *events_reader_new(int dir, struct place_in_events from);
void events_reader_free(struct events_reader *r);

enum events_read { EVENTS_RECORD, EVENTS_END, EVENTS_FAILED };

/*
 * The next record at or after the reader's place; *at is where it begins. payload is valid until
 * the next call. EVENTS_END: nothing more for now. EVENTS_FAILED: errno; try again later.
 */
enum events_read events_next(struct events_reader *r, struct place_in_events *at,
			     const void **payload, size_t *n);
/* Behind the last record given. */
struct place_in_events events_reader_place(const struct events_reader *r);
/* Bytes that were stepped over because they are no sound record. */
uint64_t events_damaged(const struct events_reader *r);

#endif
