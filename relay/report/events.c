/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/report/events.h"

#include "lib/log.h"
#include "lib/wire.h"
#include "relay/report/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct file {
	uint64_t number, bytes;
};

struct events {
	int dir, fd; /* fd: the last file; -1 when the next record begins a new one */
	struct events_bounds bounds;
	struct file *files; /* by number */
	size_t count, cap;
	uint64_t next; /* number of the next new file */
	uint64_t total;
	struct buf batch;
	size_t batch_records;
	bool dirty, dir_dirty;
	struct place_in_events followed;
	uint64_t lost;
};

static struct file *last(struct events *e)
{
	return &e->files[e->count - 1];
}

static struct file *add_file(struct events *e, uint64_t number, uint64_t bytes)
{
	if (e->count == e->cap) {
		e->cap = e->cap ? e->cap * 2 : 16;
		e->files = realloc(e->files, e->cap * sizeof(*e->files));
		if (!e->files)
			abort();
	}
	size_t i = e->count++;
	for (; i > 0 && e->files[i - 1].number > number; i--)
		e->files[i] = e->files[i - 1];
	e->files[i] = (struct file){number, bytes};
	e->total += bytes;
	return &e->files[i];
}

/* ---- opening ---- */

static void found_file(uint64_t number, void *arg)
{
	struct events *e = arg;
	char name[JOURNAL_NAME_MAX];
	struct stat st;

	journal_name(number, name);
	if (fstatat(e->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		add_file(e, number, (uint64_t)st.st_size);
}

static bool cut_torn_end(struct events *e, uint64_t *torn)
{
	struct file *f = last(e);
	char name[JOURNAL_NAME_MAX];
	uint64_t records, end;

	journal_name(f->number, name);
	if (!journal_sound_end(e->dir, f->number, EVENTS_HEAD, &records, &end))
		return false;
	if (end >= f->bytes)
		return true;
	int fd = openat(e->dir, name, O_WRONLY | O_CLOEXEC);
	bool cut = fd >= 0 && ftruncate(fd, (off_t)end) == 0;
	if (fd >= 0)
		close(fd);
	if (cut) {
		*torn += f->bytes - end;
		e->total -= f->bytes - end;
		f->bytes = end;
	}
	return cut;
}

struct events *events_open(int dir, const struct events_bounds *bounds, uint64_t after,
			   uint64_t *torn, struct buf *error)
{
	struct events *e = calloc(1, sizeof(*e));
	if (!e)
		abort();
	e->dir = dir;
	e->fd = -1;
	e->bounds = *bounds;
	if (!journal_each(dir, found_file, e) || (e->count && !cut_torn_end(e, torn))) {
		buf_printf(error, "the journal of events cannot be read: %s", strerror(errno));
		events_close(e);
		return NULL;
	}
	e->next = (e->count && last(e)->number > after ? last(e)->number : after) + 1;
	return e;
}

void events_close(struct events *e)
{
	if (!e)
		return;
	if (e->fd >= 0)
		close(e->fd);
	buf_free(&e->batch);
	free(e->files);
	free(e);
}

/* ---- bounds ---- */

static void drop_oldest(struct events *e)
{
	struct file *f = &e->files[0];
	char name[JOURNAL_NAME_MAX];

	journal_name(f->number, name);
	if (unlinkat(e->dir, name, 0) != 0 && errno != ENOENT)
		log_error("cannot remove '%s': %s", name, strerror(errno));
	e->total -= f->bytes;
	e->count--;
	memmove(e->files, e->files + 1, e->count * sizeof(*e->files));
	e->dir_dirty = true;
}

static uint64_t unfollowed(const struct events *e, const struct file *f)
{
	uint64_t from = f->number == e->followed.file ? e->followed.offset : EVENTS_HEAD;
	uint64_t records = 0, end;

	if (f->number >= e->followed.file)
		journal_sound_end(e->dir, f->number, from, &records, &end);
	return records;
}

static void keep_bounds(struct events *e)
{
	while (e->total > e->bounds.total_bytes && e->count > 1) {
		uint64_t records = unfollowed(e, &e->files[0]);
		if (records)
			log_error("the journal of events is full: %llu events are lost",
				  (unsigned long long)records);
		e->lost += records;
		drop_oldest(e);
	}
}

void events_followed(struct events *e, struct place_in_events there)
{
	e->followed = there;
}

void events_forget(struct events *e, struct place_in_events there)
{
	while (e->count > 1 && e->files[0].number < there.file &&
	       e->total - e->files[0].bytes >= e->bounds.keep_bytes)
		drop_oldest(e);
}

uint64_t events_bytes(const struct events *e)
{
	return e->total;
}

uint64_t events_lost(const struct events *e)
{
	return e->lost;
}

/* ---- writing ---- */

bool events_add(struct events *e, const void *payload, size_t n)
{
	if (n == 0 || n > EVENTS_RECORD_MAX)
		return false;
	wire_put_u32(&e->batch, (uint32_t)n);
	wire_put_u32(&e->batch, journal_sum((uint32_t)n, payload));
	buf_append(&e->batch, payload, n);
	e->batch_records++;
	return true;
}

size_t events_batch(const struct events *e)
{
	return e->batch.len;
}

size_t events_drop(struct events *e)
{
	size_t records = e->batch_records;

	buf_clear(&e->batch);
	e->batch_records = 0;
	return records;
}

static void leave_file(struct events *e)
{
	close(e->fd);
	e->fd = -1;
	e->dirty = false;
}

/* All of it or nothing: what a full disk took in part is cut off again. */
static bool append(struct events *e, const char *bytes, size_t n)
{
	struct file *f = last(e);
	size_t done = 0;

	while (done < n) {
		ssize_t wrote = write(e->fd, bytes + done, n - done);
		if (wrote < 0 && errno == EINTR)
			continue;
		if (wrote < 0)
			break;
		done += (size_t)wrote;
	}
	int fault = errno;
	if (done < n && ftruncate(e->fd, (off_t)f->bytes) != 0) {
		f->bytes += done; /* a reader will step over it */
		e->total += done;
		leave_file(e);
	}
	if (done < n) {
		errno = fault;
		return false;
	}
	f->bytes += n;
	e->total += n;
	e->dirty = true;
	return true;
}

static bool begin_file(struct events *e)
{
	struct buf head = BUF_INIT;
	char name[JOURNAL_NAME_MAX];

	journal_name(e->next, name);
	e->fd = openat(e->dir, name, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0600);
	if (e->fd < 0) {
		e->next += errno == EEXIST;
		return false;
	}
	add_file(e, e->next++, 0);
	e->dir_dirty = true;
	buf_appends(&head, JOURNAL_MAGIC);
	wire_put_u64(&head, last(e)->number);
	bool good = append(e, head.data, head.len);
	buf_free(&head);
	if (!good) { /* else a full disk would fill with empty files */
		int fault = errno;
		if (e->fd >= 0)
			leave_file(e);
		unlinkat(e->dir, name, 0);
		e->total -= last(e)->bytes;
		e->count--;
		errno = fault;
	}
	return good;
}

bool events_write(struct events *e)
{
	if (!e->batch.len)
		return true;
	if (e->fd < 0 && !begin_file(e))
		return false;
	if (!append(e, e->batch.data, e->batch.len))
		return false;
	events_drop(e);
	if (last(e)->bytes >= e->bounds.file_bytes) {
		if (!events_sync(e))
			log_error("the journal of events: %s", strerror(errno));
		leave_file(e);
	}
	keep_bounds(e);
	return true;
}

bool events_dirty(const struct events *e)
{
	return e->dirty || e->dir_dirty;
}

bool events_sync(struct events *e)
{
	if (e->dirty && fdatasync(e->fd) != 0)
		return false;
	e->dirty = false;
	if (e->dir_dirty && fsync(e->dir) != 0)
		return false;
	e->dir_dirty = false;
	return true;
}
