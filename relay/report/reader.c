/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/wire.h"
#include "relay/report/journal.h"
#include "relay/spool/crc32c.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { READ_CHUNK = 256 * 1024 };

struct events_reader {
	int dir, fd;
	struct place_in_events place;
	struct buf window; /* bytes of the file from window_at on */
	uint64_t window_at;
	uint64_t damaged;
	bool at_rest; /* nobody writes to this file: what is not sound now never will be */
};

/* ---- files ---- */

void journal_name(uint64_t number, char out[JOURNAL_NAME_MAX])
{
	snprintf(out, JOURNAL_NAME_MAX, "journal.%016" PRIx64, number);
}

static bool parse_name(const char *name, uint64_t *number)
{
	char again[JOURNAL_NAME_MAX];

	if (strncmp(name, "journal.", 8) != 0)
		return false;
	*number = strtoull(name + 8, NULL, 16);
	journal_name(*number, again);
	return *number && strcmp(name, again) == 0;
}

bool journal_each(int dir, void (*fn)(uint64_t number, void *arg), void *arg)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *entry;
	uint64_t number;

	if (!d) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	errno = 0;
	while ((entry = readdir(d)))
		if (parse_name(entry->d_name, &number))
			fn(number, arg);
	int fault = errno;
	closedir(d);
	errno = fault;
	return fault == 0;
}

uint32_t journal_sum(uint32_t length, const void *payload)
{
	unsigned char head[4] = {(unsigned char)length, (unsigned char)(length >> 8),
				 (unsigned char)(length >> 16), (unsigned char)(length >> 24)};

	return crc32c(crc32c(0, head, sizeof(head)), payload, length);
}

struct lowest {
	uint64_t at_least, found; /* 0 for none */
};

static void keep_lowest(uint64_t number, void *arg)
{
	struct lowest *l = arg;

	if (number >= l->at_least && (!l->found || number < l->found))
		l->found = number;
}

/* The file of the reader's place, or the first one behind it. */
static enum events_read open_file(struct events_reader *r)
{
	struct lowest l = {.at_least = r->place.file};
	char name[JOURNAL_NAME_MAX];

	if (!journal_each(r->dir, keep_lowest, &l))
		return EVENTS_FAILED;
	if (!l.found)
		return EVENTS_END;
	if (l.found != r->place.file)
		r->place = (struct place_in_events){l.found, EVENTS_HEAD};
	if (r->place.offset < EVENTS_HEAD)
		r->place.offset = EVENTS_HEAD;
	journal_name(l.found, name);
	r->fd = openat(r->dir, name, O_RDONLY | O_CLOEXEC);
	if (r->fd < 0)
		return EVENTS_FAILED;
	buf_clear(&r->window);
	r->window_at = r->place.offset;
	return EVENTS_RECORD;
}

static void close_file(struct events_reader *r)
{
	if (r->fd >= 0)
		close(r->fd);
	r->fd = -1;
}

/* ---- records ---- */

/* Makes n bytes at the place visible. EVENTS_END: the file ends before. */
static enum events_read fill(struct events_reader *r, size_t n)
{
	size_t passed = (size_t)(r->place.offset - r->window_at);

	if (r->window.len >= passed && r->window.len - passed >= n)
		return EVENTS_RECORD;
	buf_consume(&r->window, passed < r->window.len ? passed : r->window.len);
	r->window_at = r->place.offset;
	while (r->window.len < n) {
		buf_reserve(&r->window, READ_CHUNK);
		ssize_t got = pread(r->fd, r->window.data + r->window.len, READ_CHUNK,
				    (off_t)(r->window_at + r->window.len));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return EVENTS_FAILED;
		if (got == 0)
			return EVENTS_END;
		r->window.len += (size_t)got;
	}
	return EVENTS_RECORD;
}

static const char *here(const struct events_reader *r)
{
	return r->window.data + (r->place.offset - r->window_at);
}

/* The record at the place. EVENTS_END: there is none, or none that is whole and sound. */
static enum events_read look(struct events_reader *r, const void **payload, size_t *n)
{
	enum events_read status = fill(r, EVENTS_RECORD_HEAD);

	if (status != EVENTS_RECORD)
		return status;
	struct wire w = wire_reader(here(r), EVENTS_RECORD_HEAD);
	uint32_t length = wire_u32(&w), sum = wire_u32(&w);
	if (length == 0 || length > EVENTS_RECORD_MAX)
		return EVENTS_END;
	status = fill(r, EVENTS_RECORD_HEAD + length);
	if (status != EVENTS_RECORD)
		return status;
	*payload = here(r) + EVENTS_RECORD_HEAD;
	*n = length;
	return journal_sum(length, *payload) == sum ? EVENTS_RECORD : EVENTS_END;
}

/*
 * There is no record here. In the file that is being written, one may come. In another, go on: to
 * the next byte where one may begin, or to the next file.
 */
static enum events_read go_on(struct events_reader *r)
{
	struct lowest l = {.at_least = r->place.file + 1};

	if (!r->at_rest) {
		if (!journal_each(r->dir, keep_lowest, &l))
			return EVENTS_FAILED;
		/* It may have grown and been closed since we looked: it is looked at again. */
		r->at_rest = l.found != 0;
		return r->at_rest ? EVENTS_RECORD : EVENTS_END;
	}
	enum events_read more = fill(r, 1);
	if (more == EVENTS_RECORD) {
		r->damaged++;
		r->place.offset++;
	} else if (more == EVENTS_END) {
		close_file(r);
		r->at_rest = false;
		r->place = (struct place_in_events){r->place.file + 1, EVENTS_HEAD};
	}
	return more == EVENTS_FAILED ? more : EVENTS_RECORD;
}

enum events_read events_next(struct events_reader *r, struct place_in_events *at,
			     const void **payload, size_t *n)
{
	for (;;) {
		enum events_read status = r->fd < 0 ? open_file(r) : EVENTS_RECORD;
		if (status != EVENTS_RECORD)
			return status;
		status = look(r, payload, n);
		if (status == EVENTS_RECORD) {
			*at = r->place;
			r->place.offset += EVENTS_RECORD_HEAD + *n;
			return status;
		}
		if (status == EVENTS_END)
			status = go_on(r);
		if (status != EVENTS_RECORD)
			return status;
	}
}

struct events_reader *events_reader_new(int dir, struct place_in_events from)
{
	struct events_reader *r = calloc(1, sizeof(*r));
	if (!r)
		abort();
	r->dir = dir;
	r->fd = -1;
	r->place = from;
	return r;
}

void events_reader_free(struct events_reader *r)
{
	if (!r)
		return;
	close_file(r);
	buf_free(&r->window);
	free(r);
}

struct place_in_events events_reader_place(const struct events_reader *r)
{
	return r->place;
}

uint64_t events_damaged(const struct events_reader *r)
{
	return r->damaged;
}

bool journal_sound_end(int dir, uint64_t number, uint64_t from, uint64_t *records, uint64_t *end)
{
	struct events_reader *r = events_reader_new(dir, (struct place_in_events){number, from});
	struct place_in_events at;
	const void *payload;
	enum events_read status;
	size_t n;

	*records = 0;
	*end = EVENTS_HEAD;
	r->at_rest = true;
	while ((status = events_next(r, &at, &payload, &n)) == EVENTS_RECORD && at.file == number) {
		++*records;
		*end = at.offset + EVENTS_RECORD_HEAD + n;
	}
	events_reader_free(r);
	return status != EVENTS_FAILED;
}
