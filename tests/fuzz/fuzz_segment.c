/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A segment that a bad disk gave back: the input is the file, behind an id and a place to look at.
 * Checked beside memory: what is found is inside the file and is what segment_check() takes. The
 * file is taken for a batch's records as well: a batch's own head is salted, no input would hit it.
 */
#include "relay/spool/segment.h"

#include "lib/wire.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(bool right)
{
	if (!right)
		abort();
}

static void walk(int fd, size_t size)
{
	struct batch_head batch = {.segment = 1, .at = 0, .length = size};
	struct segment_record r;
	struct buf b = BUF_INIT;

	for (uint64_t at = 0; segment_record(fd, &batch, at, &r); at += r.length) {
		check(r.length > 0 && r.length <= size - at);
		check(r.place.offset <= size && r.place.size <= size - r.place.offset);
		check(r.extra <= r.length);
		if (segment_extra(fd, &r, &b))
			check(b.len == r.extra);
		buf_clear(&b);
		if (segment_body(fd, &r, &b))
			check(b.len == r.place.size);
		buf_clear(&b);
	}
	buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct wire w = wire_reader(data, n);
	uint64_t id = wire_u64(&w);
	struct place place = {.segment = 1, .offset = wire_u64(&w), .size = wire_u64(&w)}, found;

	if (w.failed)
		return 0;
	size_t size = (size_t)(w.end - w.at);
	int fd = memfd_create("segment", MFD_CLOEXEC);
	check(fd >= 0 && write(fd, w.at, size) == (ssize_t)size);

	if (!segment_check(fd, id, &place, SEGMENT_BODY, NULL))
		check(place.offset <= size && place.size <= size - place.offset);
	if (segment_find(fd, 1, id, &found)) {
		check(found.offset <= size && found.size <= size - found.offset);
		check(!segment_check(fd, id, &found, SEGMENT_HEADER, NULL));
	}
	walk(fd, size);
	close(fd);
	return 0;
}
