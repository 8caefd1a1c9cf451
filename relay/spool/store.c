/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/spool/store.h"

#include "lib/log.h"
#include "relay/spool/segment.h"
#include "relay/spool/store_inner.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MIB               ((uint64_t)1024 * 1024)
#define SEGMENT_BYTES_MAX (64 * MIB)
#define LAST_ID           "last-id"
#define LAST_SEGMENT      "last-segment"

/* --- opening --- */

static void on_opened(void *arg, uint32_t segment)
{
	struct store *s = arg;

	s->watch->segment(s->arg, segment);
}

static void on_gone(void *arg, uint32_t segment)
{
	struct store *s = arg;

	s->watch->segment_gone(s->arg, segment);
}

static const struct bodies_watch bodies_watch = {.opened = on_opened, .gone = on_gone};

static uint64_t default_segment_bytes(void)
{
	uint64_t bytes = reserve_disk_bytes() / 32 / MIB * MIB;

	return bytes < MIB ? MIB : bytes > SEGMENT_BYTES_MAX ? SEGMENT_BYTES_MAX : bytes;
}

/* What was given before is never given again: neither the ids, which stand in tracked links and in
 * the log for years, nor the segments, which readers may hold. */
static bool load_numbers(struct store *s, struct buf *error)
{
	uint64_t id = 0, highest = 0, segment = 0;
	int code = state_begin(&s->state, false);

	if (!code)
		code = state_number(&s->state, LAST_ID, &id);
	if (!code)
		code = state_number(&s->state, LAST_SEGMENT, &segment);
	if (!code)
		code = state_highest(&s->state, &highest);
	state_abort(&s->state);
	if (code) {
		buf_printf(error, "cannot read '%s' in the spool: %s", STATE_NAME,
			   mdb_strerror(code));
		return false;
	}
	s->last_id = id > highest ? id : highest;
	bodies_seen(s->bodies, (uint32_t)segment);
	return true;
}

/* A relay that starts as root makes files, and may have to open them again as its own user. */
static void own_files(void)
{
	DIR *dir = geteuid() == 0 ? opendir(".") : NULL;
	struct dirent *entry;
	struct stat st;

	if (!dir)
		return;
	if (fstat(dirfd(dir), &st) == 0)
		while ((entry = readdir(dir)))
			if (entry->d_type == DT_REG &&
			    fchownat(dirfd(dir), entry->d_name, st.st_uid, st.st_gid,
				     AT_SYMLINK_NOFOLLOW) != 0)
				log_warn("cannot give '%s' to the spool's owner: %s", entry->d_name,
					 strerror(errno));
	closedir(dir);
}

struct store *store_open(const struct store_options *options, const struct store_watch *watch,
			 void *arg, struct buf *error)
{
	struct store *s = calloc(1, sizeof(*s));
	uint64_t segment_bytes = options->segment_bytes;

	if (!s)
		abort();
	s->watch = watch;
	s->arg = arg;
	reserve_open(&s->reserve, options->reserve_bytes);
	s->bodies = bodies_open(segment_bytes ? segment_bytes : default_segment_bytes(),
				&bodies_watch, s, error);
	if (s->bodies && state_open(&s->state, options->map_bytes, error) &&
	    load_numbers(s, error) && store_mend(s, error)) {
		bodies_settle(s->bodies);
		own_files();
		return s;
	}
	store_close(s);
	return NULL;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	state_close(&s->state);
	bodies_close(s->bodies);
	free(s);
}

/* --- a batch --- */

static enum submit_status status_of(int error)
{
	return error == ENOSPC || error == EDQUOT ? SUBMIT_FULL : SUBMIT_ERROR;
}

static void fail_all(struct addition *additions, size_t count, int error)
{
	for (size_t i = 0; i < count; i++)
		if (additions[i].status == SUBMIT_KEPT)
			additions[i].status = status_of(error);
}

/* 44 bits of milliseconds, then room for a million ids in each. The clock's part keeps ids apart
 * even if a spool is lost; going up by one takes over whenever the clock stands or goes back. */
static uint64_t next_id(struct store *s, uint64_t wall_ms)
{
	uint64_t by_clock = wall_ms >> 43 ? 0 : wall_ms << 20;

	s->last_id = by_clock > s->last_id ? by_clock : s->last_id + 1;
	return s->last_id;
}

/* Appends one body. Sets the addition's status; gives an errno only when the disk is at fault. */
static int append(struct store *s, uint64_t wall_ms, struct addition *a)
{
	struct stat st;
	char id[MESSAGE_ID_STR_MAX];

	a->status = SUBMIT_ERROR;
	if (fstat(a->fd, &st) != 0 || !S_ISREG(st.st_mode)) {
		log_error("a message came without a file of its bytes");
		return 0;
	}
	a->envelope->id = next_id(s, wall_ms);
	a->envelope->size = (uint64_t)st.st_size;
	if (!reserve_allows(&s->reserve, bodies_cost(s->bodies, a->envelope->size))) {
		a->status = SUBMIT_FULL;
		return 0;
	}
	int error = bodies_append(s->bodies, a->envelope->id, a->fd, 0, a->envelope->size, NULL,
				  &a->place);
	if (error == EBADMSG || error == EFBIG) {
		log_error("message %s: its %" PRIu64 " bytes cannot be read or are too many",
			  message_id_format(a->envelope->id, id), a->envelope->size);
		return 0;
	}
	a->status = error ? status_of(error) : SUBMIT_KEPT;
	return error;
}

/* True when a body was appended, and every one that was is on the disk. */
static bool append_all(struct store *s, uint64_t wall_ms, struct addition *additions, size_t count)
{
	bool any = false;
	int error = 0;

	for (size_t i = 0; i < count; i++) {
		if (!error) {
			error = append(s, wall_ms, &additions[i]);
			any |= additions[i].status == SUBMIT_KEPT;
		} else {
			additions[i].status = status_of(error);
		}
	}
	if (!error && any)
		error = bodies_sync(s->bodies);
	if (!error)
		return any;
	log_error("cannot write the bodies of %zu new messages: %s", count, strerror(error));
	fail_all(additions, count, error);
	bodies_give_up(s->bodies);
	return false;
}

/* What a transaction leaves to do once it is committed. */
struct aftermath {
	struct place *dead;
	size_t dead_count;
	uint64_t *damaged;
	size_t damaged_count;
};

int store_note_segments(struct store *s)
{
	uint32_t newest = bodies_newest(s->bodies);

	return newest == s->noted_segment ? 0 : state_set_number(&s->state, LAST_SEGMENT, newest);
}

static int write_records(struct store *s, const struct addition *additions, size_t count,
			 const struct progress *const *progress, size_t progress_count,
			 struct aftermath *after)
{
	int error = state_begin(&s->state, true);
	bool forgotten;

	after->dead_count = after->damaged_count = 0;
	for (size_t i = 0; !error && i < count; i++)
		if (additions[i].status == SUBMIT_KEPT)
			error = state_put(&s->state, additions[i].envelope, &additions[i].place);
	for (size_t i = 0; !error && i < progress_count; i++) {
		error = state_apply(&s->state, progress[i], &forgotten,
				    &after->dead[after->dead_count]);
		if (!error && forgotten)
			after->dead_count++;
		if (error == EBADMSG)
			after->damaged[after->damaged_count++] = progress[i]->message;
		/* Not found: an earlier one's last recipient was the message's last. */
		if (error == EBADMSG || error == MDB_NOTFOUND)
			error = 0;
	}
	if (!error && count)
		error = state_set_number(&s->state, LAST_ID, s->last_id);
	if (!error)
		error = store_note_segments(s);
	if (!error)
		return state_commit(&s->state);
	state_abort(&s->state);
	return error;
}

static int commit_records(struct store *s, const struct addition *additions, size_t count,
			  const struct progress *const *progress, size_t progress_count,
			  struct aftermath *after)
{
	int error;

	do
		error = write_records(s, additions, count, progress, progress_count, after);
	while (state_grow(&s->state, error));
	if (!error)
		s->noted_segment = bodies_newest(s->bodies);
	return error;
}

static void settle(struct store *s, struct addition *additions, size_t count,
		   const struct aftermath *after)
{
	for (size_t i = 0; i < count; i++)
		if (additions[i].status == SUBMIT_KEPT)
			bodies_alive(s->bodies, &additions[i].place);
	for (size_t i = 0; i < after->dead_count; i++)
		bodies_dead(s->bodies, &after->dead[i]);
	for (size_t i = 0; i < after->damaged_count; i++)
		store_set_aside(s, after->damaged[i], false,
				"the record of where its body lies is damaged");
}

bool store_commit(struct store *s, uint64_t wall_ms, struct addition *additions, size_t count,
		  const struct progress *const *progress, size_t progress_count)
{
	struct aftermath after = {
		.dead = calloc(progress_count + 1, sizeof(*after.dead)),
		.damaged = calloc(progress_count + 1, sizeof(*after.damaged)),
	};
	int error = 0;

	if (!after.dead || !after.damaged)
		abort();
	if (!append_all(s, wall_ms, additions, count))
		count = 0;
	if (count || progress_count)
		error = commit_records(s, additions, count, progress, progress_count, &after);
	if (error) {
		log_error("cannot commit the state of the spool: %s", mdb_strerror(error));
		fail_all(additions, count, error);
		count = 0;
		/* What became of the mail that is here goes before new mail. LMDB says EIO of a
		 * write that a full disk cut short. */
		if (status_of(error) == SUBMIT_FULL ||
		    (error == EIO && reserve_is_short(&s->reserve)))
			reserve_release(&s->reserve);
		if (progress_count)
			error = commit_records(s, NULL, 0, progress, progress_count, &after);
	}
	if (!error)
		settle(s, additions, count, &after);
	free(after.dead);
	free(after.damaged);
	return !error || !progress_count;
}

/* --- reading --- */

bool store_next(struct store *s, uint64_t after, struct queued *out)
{
	const char *fault = "";
	uint64_t id = after;
	int error;

	for (;; after = id) {
		error = state_begin(&s->state, false);
		if (!error)
			error = state_next(&s->state, after, &id);
		if (!error)
			error = state_load(&s->state, id, out, &fault);
		state_abort(&s->state);
		if (!error)
			return true;
		if (error == MDB_NOTFOUND)
			return false;
		if (error != EBADMSG)
			break;
		store_set_aside(s, id, true, fault);
	}
	log_error("cannot read the state of the spool: %s", mdb_strerror(error));
	return false;
}

uint32_t store_next_segment(const struct store *s, uint32_t after)
{
	return bodies_next(s->bodies, after);
}

int store_segment_fd(uint32_t segment)
{
	return bodies_read(segment);
}

/* --- housekeeping --- */

void store_tick(struct store *s, uint64_t steady_ms)
{
	bodies_tick(s->bodies, steady_ms);
	bodies_reclaim(s->bodies);
	store_move(s);
}

struct store_figures store_figures(struct store *s)
{
	struct store_figures f = {0};
	size_t messages = 0, damaged = 0;

	if (state_begin(&s->state, false) == 0)
		state_counts(&s->state, &messages, &damaged);
	state_abort(&s->state);
	for (uint32_t n = 0; (n = bodies_next(s->bodies, n)) != 0;)
		f.segments++;
	f.messages = messages;
	f.damaged = damaged;
	return f;
}
