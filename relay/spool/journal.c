/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/spool/journal.h"

#include "lib/log.h"

#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

struct reading {
	const struct bodies *bodies;
	const struct journal_watch *watch;
	void *arg;
	struct buf scratch;
};

/* The first batch at or behind a place, in that segment or a later one. */
static bool next_batch(const struct bodies *b, uint32_t segment, uint64_t at,
		       struct batch_head *out)
{
	uint32_t number = segment ? segment - 1 : 0;
	bool found = false;

	while (!found && (number = bodies_next(b, number)) != 0) {
		int fd = bodies_read(number);

		if (fd < 0)
			continue;
		found = segment_next_batch(fd, number, number == segment ? at : 0, out);
		close(fd);
	}
	return found;
}

static bool is_whole(struct reading *r, int fd, const struct segment_record *record)
{
	const char *fault = segment_check(fd, record->id, &record->place, SEGMENT_BODY, NULL);

	buf_clear(&r->scratch);
	if (record->kind == RECORD_PROGRESS)
		return segment_body(fd, record, &r->scratch);
	return !fault && (!record->extra || segment_extra(fd, record, &r->scratch));
}

static bool all_is_whole(struct reading *r, int fd, const struct batch_head *batch)
{
	uint64_t at = batch->at, end = batch->at + batch->length;
	struct segment_record record;

	for (; at < end; at += record.length)
		if (!segment_record(fd, batch, at, &record) || !is_whole(r, fd, &record))
			return false;
	return true;
}

static int tell(struct reading *r, int fd, const struct batch_head *batch,
		const struct segment_record *record)
{
	buf_clear(&r->scratch);
	if (record->kind == RECORD_PROGRESS) {
		if (segment_body(fd, record, &r->scratch))
			return r->watch->progress(r->arg, batch->number, record->id, &r->scratch);
		log_error("segment %u: what became of a message's recipients is damaged; "
			  "they are tried again",
			  batch->segment);
		return 0;
	}
	/* A copy of a body that was moved together with others has no envelope. */
	if (!record->extra)
		return 0;
	if (segment_extra(fd, record, &r->scratch))
		return r->watch->message(r->arg, batch->number, record, &r->scratch);
	r->watch->damaged(r->arg, record->id);
	return 0;
}

static int read_batch(struct reading *r, int fd, const struct batch_head *batch)
{
	uint64_t at = batch->at, end = batch->at + batch->length;
	struct segment_record record;
	int error = 0;

	for (; !error && at < end; at += record.length) {
		if (!segment_record(fd, batch, at, &record)) {
			log_error("segment %u: %" PRIu64 " bytes of the journal at %" PRIu64
				  " are damaged; what was kept there is lost",
				  batch->segment, end - at, at);
			break;
		}
		error = tell(r, fd, batch, &record);
	}
	return error;
}

/* *last follows, unless there is nothing of the batch. */
static int take_batch(struct reading *r, const struct batch_head *batch, bool newest,
		      uint64_t *last)
{
	int fd = bodies_read(batch->segment), error = 0;

	if (fd < 0)
		return errno;
	if (batch->number != *last + 1)
		log_error("the journal lacks the batches %" PRIu64 " to %" PRIu64
			  " before segment %u, %" PRIu64 "; what was kept there is lost",
			  *last + 1, batch->number - 1, batch->segment, batch->at);
	if (newest && !all_is_whole(r, fd, batch)) {
		log_info("a batch that was being written at the end is dropped");
	} else {
		error = read_batch(r, fd, batch);
		*last = batch->number;
	}
	close(fd);
	return error;
}

int journal_read(const struct bodies *b, const struct journal_mark *mark,
		 const struct journal_watch *watch, void *arg, uint64_t *last)
{
	struct reading r = {.bodies = b, .watch = watch, .arg = arg};
	struct batch_head batch, next;
	bool more = next_batch(b, mark->segment, mark->offset, &batch), after;
	int error = 0;

	*last = mark->batch;
	for (; !error && more; more = after, batch = next) {
		after = next_batch(b, batch.segment, batch.at + batch.length, &next);
		if (batch.number <= *last || (after && next.number == batch.number))
			continue;
		error = take_batch(&r, &batch, !after, last);
	}
	buf_free(&r.scratch);
	return error;
}
