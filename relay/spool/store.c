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

/* The state is committed at the latest after so many changes, or bytes of batches: what a start
 * after a crash has to read again. */
#define CHANGES_MAX     16384
#define BYTES_MAX       (64 * MIB)
#define STATE_BYTES_MAX (2 * MIB) /* of those that go into the state: so much memory it takes */

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

/* The mark, then the journal behind it. */
static bool load_state(struct store *s, struct buf *error)
{
	int code = store_load_mark(s);

	s->batch = s->kept.batch;
	s->counted = UINT64_MAX; /* store_mend() tells bodies what lives */
	s->unread = true;
	if (!code)
		code = store_ready(s);
	if (!code && s->batch == s->kept.batch)
		state_abort(&s->state);
	else if (!code)
		code = store_checkpoint(s);
	if (code)
		buf_printf(error, "cannot bring '%s' in the spool up to date: %s", STATE_NAME,
			   mdb_strerror(code));
	return !code;
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
	if (s->bodies && state_open(&s->state, options->map_bytes, error) && load_state(s, error) &&
	    store_mend(s, error)) {
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
	if (s->state.env)
		store_checkpoint(s);
	state_close(&s->state);
	bodies_close(s->bodies);
	free(s);
}

/* --- a batch --- */

static enum submit_status status_of(int error)
{
	return error == ENOSPC || error == EDQUOT ? SUBMIT_FULL : SUBMIT_ERROR;
}

/* 44 bits of milliseconds, then room for a million ids in each. The clock's part keeps ids apart
 * even if a spool is lost; going up by one takes over whenever the clock stands or goes back. */
static uint64_t next_id(struct store *s, uint64_t wall_ms)
{
	uint64_t by_clock = wall_ms >> 43 ? 0 : wall_ms << 20;

	s->last_id = by_clock > s->last_id ? by_clock : s->last_id + 1;
	return s->last_id;
}

/* A batch while it is made: each addition's envelope and each progress, as they are written. */
struct batch {
	struct addition *additions;
	size_t count;
	const struct progress *const *progress;
	size_t progress_count;
	struct buf bytes;
	size_t *ends; /* in bytes: of the additions, then of the progress */
	uint64_t room;
};

static void encode_progress(struct batch *b)
{
	for (size_t i = 0; i < b->progress_count; i++) {
		size_t start = b->bytes.len;

		progress_encode(b->progress[i], &b->bytes);
		b->ends[b->count + i] = b->bytes.len;
		b->room += segment_room(b->bytes.len - start, 0);
	}
}

/* Gives it an id and its room. Its status is SUBMIT_KEPT when it may be written. */
static void admit(struct store *s, uint64_t wall_ms, struct addition *a, struct batch *b,
		  uint64_t *allowed)
{
	size_t start = b->bytes.len;
	struct stat st = {.st_mode = S_IFREG, .st_size = (off_t)a->size};

	a->status = SUBMIT_ERROR;
	if ((a->fd >= 0 && fstat(a->fd, &st) != 0) || !S_ISREG(st.st_mode) ||
	    st.st_size > INT64_MAX / 2) {
		log_error("a message came without a file of its bytes");
		return;
	}
	a->envelope->id = next_id(s, wall_ms);
	a->envelope->size = (uint64_t)st.st_size;
	envelope_encode(a->envelope, &b->bytes);
	uint64_t room = b->room + segment_room(a->envelope->size, b->bytes.len - start);
	uint64_t cost = bodies_cost(s->bodies, room);
	if (cost > *allowed || *allowed == UINT64_MAX) {
		if (!reserve_allows(&s->reserve, cost)) {
			b->bytes.len = start;
			a->status = SUBMIT_FULL;
			return;
		}
		*allowed = cost;
	}
	b->room = room;
	a->status = SUBMIT_KEPT;
}

static void prepare(struct store *s, uint64_t wall_ms, struct batch *b)
{
	uint64_t allowed = UINT64_MAX; /* nothing was asked yet */

	b->room = segment_batch_room();
	for (size_t i = 0; i < b->count; i++) {
		admit(s, wall_ms, &b->additions[i], b, &allowed);
		b->ends[i] = b->bytes.len;
	}
	encode_progress(b);
}

static const char *piece(const struct batch *b, size_t i, size_t *n)
{
	size_t start = i ? b->ends[i - 1] : 0;

	*n = b->ends[i] - start;
	return b->bytes.data + start;
}

/* Appends one body. Sets the addition's status; gives an errno only when the disk is at fault. */
static int append(struct store *s, struct addition *a, const struct extra *envelope)
{
	char id[MESSAGE_ID_STR_MAX];
	struct segment_writer *w = bodies_writer(s->bodies);
	uint64_t number = a->envelope->id;
	int error =
		a->fd < 0 ? segment_append_bytes(w, number, a->bytes, a->size, envelope, &a->place)
			  : segment_append(w, number, a->fd, 0, a->envelope->size, NULL, envelope,
					   &a->place);

	if (error != EBADMSG)
		return error;
	log_error("message %s: its %" PRIu64 " bytes cannot be read",
		  message_id_format(a->envelope->id, id), a->envelope->size);
	a->status = SUBMIT_ERROR;
	return 0;
}

/* The whole batch into the journal. 0 when it is on the disk; else nothing of it is. */
static int write_batch(struct store *s, struct batch *b, bool scarce)
{
	bool any = b->progress_count > 0;
	int error;

	for (size_t i = 0; i < b->count; i++)
		any |= b->additions[i].status == SUBMIT_KEPT;
	if (!any)
		return 0;
	error = bodies_begin(s->bodies, b->room, scarce);
	any = b->progress_count > 0;
	for (size_t i = 0; !error && i < b->count; i++) {
		struct extra envelope;

		if (b->additions[i].status != SUBMIT_KEPT)
			continue;
		envelope.bytes = piece(b, i, &envelope.n);
		error = append(s, &b->additions[i], &envelope);
		any |= b->additions[i].status == SUBMIT_KEPT;
	}
	for (size_t i = 0; !error && i < b->progress_count; i++) {
		size_t n;
		const char *bytes = piece(b, b->count + i, &n);

		error = segment_note(bodies_writer(s->bodies), b->progress[i]->message, bytes, n);
	}
	if (!error)
		error = bodies_commit(s->bodies, s->batch + 1);
	if (error)
		bodies_give_up(s->bodies);
	else if (any)
		s->batch++;
	return error;
}

static int apply_all(struct store *s, const struct batch *b, struct changes *changes)
{
	int error = 0;

	for (size_t i = 0; !error && i < b->count; i++) {
		const struct addition *a = &b->additions[i];
		struct change change = {CHANGE_ALIVE, a->envelope->id, a->place};
		struct buf encoded = {0};

		if (a->status != SUBMIT_KEPT)
			continue;
		encoded.data = (char *)(uintptr_t)piece(b, i, &encoded.len);
		error = state_put(&s->state, a->envelope, &encoded, &a->place);
		changes_add(changes, &change);
	}
	for (size_t i = 0; !error && i < b->progress_count; i++)
		error = store_apply(s, b->progress[i], changes);
	return error;
}

/* What is in the journal by now goes into the transaction. Where that fails it is still promised:
 * whoever needs the state next reads the journal again. */
static void work_in(struct store *s, const struct batch *b)
{
	struct changes changes = {0};
	int error = apply_all(s, b, &changes);

	s->changes += b->count + b->progress_count;
	s->bytes += b->room;
	s->state_bytes += b->bytes.len;
	if (!error) {
		s->counted = s->batch;
		store_settle(s, &changes);
		return;
	}
	free(changes.items);
	state_abort(&s->state);
	if (!state_grow(&s->state, error))
		log_error("cannot change the state of the spool: %s", mdb_strerror(error));
	store_ready(s);
}

static bool is_full(const struct store *s, int error)
{
	return status_of(error) == SUBMIT_FULL || (error == EIO && reserve_is_short(&s->reserve));
}

/* What became of the mail that is here goes before new mail: it alone is left of the batch. */
static void refuse(struct batch *b, int error)
{
	for (size_t i = 0; i < b->count; i++)
		if (b->additions[i].status == SUBMIT_KEPT)
			b->additions[i].status = status_of(error);
	b->count = 0;
	buf_clear(&b->bytes);
	b->room = segment_batch_room();
	encode_progress(b);
}

static int commit(struct store *s, uint64_t wall_ms, struct batch *b)
{
	int error = 0;

	prepare(s, wall_ms, b);
	/* New mail only while the state can be committed, else the journal would grow and grow. */
	if (s->failing && b->count)
		error = store_checkpoint(s);
	if (error)
		refuse(b, error);
	/* The transaction first: without one the batch could not be worked in. */
	error = store_ready(s);
	if (!error) {
		error = write_batch(s, b, false);
		if (error)
			log_error("cannot write a batch of %zu messages: %s", b->count,
				  strerror(error));
	}
	if (error) {
		if (is_full(s, error))
			reserve_release(&s->reserve);
		refuse(b, error);
		error = store_ready(s);
		if (!error)
			error = write_batch(s, b, true);
	}
	if (!error)
		work_in(s, b);
	return error;
}

bool store_commit(struct store *s, uint64_t wall_ms, struct addition *additions, size_t count,
		  const struct progress *const *progress, size_t progress_count)
{
	struct batch b = {
		.additions = additions,
		.count = count,
		.progress = progress,
		.progress_count = progress_count,
		.ends = calloc(count + progress_count + 1, sizeof(*b.ends)),
	};

	if (!b.ends)
		abort();
	int error = commit(s, wall_ms, &b);
	buf_free(&b.bytes);
	free(b.ends);
	if (s->changes >= CHANGES_MAX || s->bytes >= BYTES_MAX || s->state_bytes >= STATE_BYTES_MAX)
		store_checkpoint(s);
	return !error || !progress_count;
}

/* --- reading --- */

bool store_next(struct store *s, uint64_t after, struct queued *out)
{
	const char *fault = "";
	uint64_t id = after;
	int error;

	for (;; after = id) {
		error = s->batch == s->kept.batch ? state_begin(&s->state, false) : store_ready(s);
		if (!error)
			error = state_next(&s->state, after, &id);
		if (!error)
			error = state_load(&s->state, id, out, &fault);
		state_end(&s->state);
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
	if (store_checkpoint(s) != 0)
		return;
	bodies_reclaim(s->bodies);
	store_move(s);
}

struct store_figures store_figures(struct store *s)
{
	struct store_figures f = {0};
	size_t messages = 0, damaged = 0;

	if (state_begin(&s->state, false) == 0)
		state_counts(&s->state, &messages, &damaged);
	state_end(&s->state);
	for (uint32_t n = 0; (n = bodies_next(s->bodies, n)) != 0;)
		f.segments++;
	f.messages = messages;
	f.damaged = damaged;
	return f;
}
