/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/spool/bodies.h"

#include "lib/log.h"
#include "relay/spool/segment.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct segment {
	uint32_t number;
	uint64_t size;     /* of the file; of the open one: what is taken from the disk */
	uint64_t live;     /* bytes, headers included */
	uint64_t live_end; /* where the last living record ends */
	size_t live_count;
	uint64_t lowest, highest; /* the ids of what lives are within */
	uint64_t sparse_from_ms;  /* not before this is it worth emptying, unless space is short */
	uint64_t leave_until_ms;
	uint64_t keep_until_ms;
};

struct bodies {
	uint64_t segment_bytes;
	const struct bodies_watch *watch;
	void *arg;
	uint64_t now_ms;
	uint32_t newest;
	struct segment *segments; /* by number */
	size_t count, cap;
	struct segment_writer open; /* fd -1: none */
	int directory;
};

/* --- the table --- */

static struct segment *find(const struct bodies *b, uint32_t number)
{
	size_t low = 0, high = b->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (b->segments[mid].number < number)
			low = mid + 1;
		else
			high = mid;
	}
	return low < b->count && b->segments[low].number == number ? &b->segments[low] : NULL;
}

static struct segment *add(struct bodies *b, uint32_t number, uint64_t size)
{
	if (b->count == b->cap) {
		b->cap = b->cap ? 2 * b->cap : 16;
		b->segments = realloc(b->segments, b->cap * sizeof(*b->segments));
		if (!b->segments)
			abort();
	}
	struct segment *s = &b->segments[b->count++];
	*s = (struct segment){.number = number, .size = size, .lowest = UINT64_MAX};
	bodies_seen(b, number);
	return s;
}

static bool is_open(const struct bodies *b, const struct segment *s)
{
	return b->open.fd >= 0 && b->open.number == s->number;
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = ((const struct segment *)a)->number, y = ((const struct segment *)b)->number;

	return x < y ? -1 : x > y;
}

/* --- opening --- */

static bool list_segments(struct bodies *b, struct buf *error)
{
	DIR *dir = opendir(".");
	struct dirent *entry;
	struct stat st;
	uint32_t number;

	if (!dir) {
		buf_printf(error, "cannot list the spool: %s", strerror(errno));
		return false;
	}
	while ((entry = readdir(dir)))
		if (segment_name_parse(entry->d_name, &number) && stat(entry->d_name, &st) == 0)
			add(b, number, (uint64_t)st.st_size);
	closedir(dir);
	if (b->count)
		qsort(b->segments, b->count, sizeof(*b->segments), by_number);
	return true;
}

struct bodies *bodies_open(uint64_t segment_bytes, const struct bodies_watch *watch, void *arg,
			   struct buf *error)
{
	struct bodies *b = calloc(1, sizeof(*b));

	if (!b)
		abort();
	*b = (struct bodies){
		.segment_bytes = segment_bytes,
		.watch = watch,
		.arg = arg,
		.open = {.fd = -1},
		.directory = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC),
	};
	if (b->directory < 0) {
		buf_printf(error, "cannot open the spool: %s", strerror(errno));
		free(b);
		return NULL;
	}
	if (!list_segments(b, error)) {
		bodies_close(b);
		return NULL;
	}
	return b;
}

void bodies_close(struct bodies *b)
{
	if (!b)
		return;
	segment_abandon(&b->open);
	close(b->directory);
	free(b->segments);
	free(b);
}

void bodies_tick(struct bodies *b, uint64_t now_ms)
{
	b->now_ms = now_ms;
}

void bodies_seen(struct bodies *b, uint32_t number)
{
	if (number > b->newest)
		b->newest = number;
}

uint32_t bodies_newest(const struct bodies *b)
{
	return b->newest;
}

/* --- what lives --- */

static uint64_t end_of(const struct place *place)
{
	return place->offset + (place->size + 7) / 8 * 8;
}

bool bodies_alive(struct bodies *b, uint64_t id, const struct place *place)
{
	struct segment *s = find(b, place->segment);

	if (!s || place->offset > s->size || place->size > s->size - place->offset)
		return false;
	s->live += segment_record_size(place->size);
	s->live_count++;
	if (id < s->lowest)
		s->lowest = id;
	if (id > s->highest)
		s->highest = id;
	if (end_of(place) > s->live_end)
		s->live_end = end_of(place);
	return true;
}

void bodies_dead(struct bodies *b, const struct place *place)
{
	struct segment *s = find(b, place->segment);

	if (!s || !s->live_count)
		return;
	s->live -= segment_record_size(place->size);
	s->live_count--;
}

void bodies_settle(struct bodies *b)
{
	char name[SEGMENT_NAME_MAX];

	for (size_t i = 0; i < b->count; i++) {
		struct segment *s = &b->segments[i];

		s->sparse_from_ms = b->now_ms + BODIES_REST_MS;
		if (s->live_count && s->size > s->live_end &&
		    truncate(segment_name(s->number, name), (off_t)s->live_end) == 0)
			s->size = s->live_end;
	}
	bodies_reclaim(b);
}

/* --- appending --- */

static bool fits(const struct bodies *b, uint64_t room)
{
	return b->open.fd >= 0 && room <= b->open.size - b->open.used;
}

static uint64_t new_size(const struct bodies *b, uint64_t room)
{
	uint64_t alone = segment_file_size(room);

	return alone > b->segment_bytes ? alone : b->segment_bytes;
}

uint64_t bodies_cost(const struct bodies *b, uint64_t room)
{
	return fits(b, room) ? 0 : new_size(b, room);
}

/* The open segment is no longer written to; its file ends at `size`. */
static void rest(struct bodies *b, uint64_t size)
{
	struct segment *s = find(b, b->open.number);

	if (!s)
		return;
	s->size = size;
	s->sparse_from_ms = b->now_ms + BODIES_REST_MS;
}

/* A file whose name is not on the disk is not on the disk: the name goes first. */
static int open_next(struct bodies *b, uint64_t size)
{
	int error = 0;

	if (b->open.fd >= 0) {
		rest(b, b->open.used);
		error = segment_seal(&b->open);
	}
	if (error)
		return error;
	if (b->newest == UINT32_MAX)
		return EOVERFLOW;
	error = segment_create(&b->open, b->newest + 1, size);
	if (error)
		return error;
	add(b, b->open.number, b->open.size);
	if (fsync(b->directory) != 0)
		return errno;
	b->watch->opened(b->arg, b->open.number);
	return 0;
}

int bodies_begin(struct bodies *b, uint64_t room, bool scarce)
{
	int error = 0;

	if (!fits(b, room))
		error = open_next(b, scarce ? segment_file_size(room) : new_size(b, room));
	if (!error)
		segment_begin(&b->open);
	return error;
}

struct segment_writer *bodies_writer(struct bodies *b)
{
	return &b->open;
}

int bodies_commit(struct bodies *b, uint64_t batch)
{
	return segment_commit(&b->open, batch);
}

void bodies_give_up(struct bodies *b)
{
	if (b->open.fd < 0)
		return;
	/* So that not even a dying disk makes a promise of what was refused. */
	if (ftruncate(b->open.fd, (off_t)b->open.batch_at) == 0)
		b->open.size = b->open.batch_at;
	rest(b, b->open.size);
	segment_abandon(&b->open);
}

void bodies_position(const struct bodies *b, uint32_t *segment, uint64_t *offset)
{
	bool open = b->open.fd >= 0;

	*segment = open ? b->open.number : b->newest + 1;
	*offset = open ? b->open.used : 0;
}

/* --- reading --- */

int bodies_read(uint32_t segment)
{
	char name[SEGMENT_NAME_MAX];

	return open(segment_name(segment, name), O_RDONLY | O_CLOEXEC);
}

uint32_t bodies_next(const struct bodies *b, uint32_t after)
{
	/* Few enough to look at each: a spool of 100 GB has 1,600. */
	for (size_t i = 0; i < b->count; i++)
		if (b->segments[i].number > after)
			return b->segments[i].number;
	return 0;
}

/* --- giving space back --- */

void bodies_reclaim(struct bodies *b)
{
	char name[SEGMENT_NAME_MAX];
	size_t kept = 0;

	for (size_t i = 0; i < b->count; i++) {
		struct segment s = b->segments[i];

		if (s.live_count || is_open(b, &s) || s.keep_until_ms > b->now_ms ||
		    (unlink(segment_name(s.number, name)) != 0 && errno != ENOENT)) {
			b->segments[kept++] = s;
			continue;
		}
		b->watch->gone(b->arg, s.number);
	}
	b->count = kept;
}

/* What is held by bodies that live no more, beside the grace. */
static uint64_t dead_bytes(const struct bodies *b)
{
	uint64_t dead = 0;

	for (size_t i = 0; i < b->count; i++)
		if (b->segments[i].live_count && !is_open(b, &b->segments[i]))
			dead += b->segments[i].size - b->segments[i].live;
	return dead;
}

uint32_t bodies_sparse(const struct bodies *b)
{
	bool short_of_space = dead_bytes(b) > BODIES_DEAD_SEGMENTS * b->segment_bytes;

	for (size_t i = 0; i < b->count; i++) {
		const struct segment *s = &b->segments[i];

		if (s->live_count && !is_open(b, s) && s->leave_until_ms <= b->now_ms &&
		    (short_of_space || s->sparse_from_ms <= b->now_ms) &&
		    s->live * BODIES_SPARSE_PART <= s->size)
			return s->number;
	}
	return 0;
}

void bodies_leave(struct bodies *b, uint32_t segment)
{
	struct segment *s = find(b, segment);

	if (s)
		s->leave_until_ms = b->now_ms + BODIES_REST_MS;
}

void bodies_range(const struct bodies *b, uint32_t segment, uint64_t *lowest, uint64_t *highest)
{
	const struct segment *s = find(b, segment);

	*lowest = s ? s->lowest : 1;
	*highest = s ? s->highest : 0;
}

void bodies_searched(struct bodies *b, uint32_t segment, uint64_t lowest)
{
	struct segment *s = find(b, segment);

	if (s)
		s->lowest = lowest;
}

void bodies_moved(struct bodies *b, uint32_t segment)
{
	struct segment *s = find(b, segment);

	if (s)
		s->keep_until_ms = b->now_ms + BODIES_GRACE_MS;
}
