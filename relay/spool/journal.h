/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The journal: the batches in the segments (segment.h) that the state does not hold yet.
 *
 * A batch is on the disk before its promises are made; the state is committed only now and then.
 * After a crash the batches since that commit are read again, in order. They are numbered, and each
 * begins only after the one before is on the disk, so their numbers tell what a damaged place
 * means:
 * - the newest batch, and not all of it there: it was under way, and nothing of it was promised;
 * - the one after it has the same number: its write failed, and all of it was refused;
 * - the one after it has the next number: it was promised, and what is damaged in it is lost.
 */
#ifndef GATEPOST_RELAY_SPOOL_JOURNAL_H
#define GATEPOST_RELAY_SPOOL_JOURNAL_H

#include "lib/buf.h"
#include "relay/spool/bodies.h"
#include "relay/spool/segment.h"

#include <stdint.h>

/* How far the state goes: a batch's number, and where the next one can begin at the earliest. */
struct journal_mark {
	uint64_t batch;
	uint32_t segment;
	uint64_t offset;
};

struct journal_watch {
	/* Each gives 0, or an error that ends the reading. */
	int (*message)(void *arg, uint64_t batch, const struct segment_record *r,
		       const struct buf *envelope);
	int (*progress)(void *arg, uint64_t batch, uint64_t message, const struct buf *payload);
	/* A message that was promised, and its envelope cannot be read. */
	void (*damaged)(void *arg, uint64_t message);
};

/* Reads what came after the mark; *last is the last batch's number. 0, or the watch's error. */
int journal_read(const struct bodies *b, const struct journal_mark *mark,
		 const struct journal_watch *watch, void *arg, uint64_t *last);

#endif
