/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/spool/bodies.h"
#include "relay/spool/segment.h"
#include "relay/spool/state.h"
#include "relay/spool/store.h"
#include "tests/unit/cmocka.h"
#include "tests/unit/tmpdir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define KIB     ((uint64_t)1024)
#define SEGMENT (256 * KIB)
#define NOW     1700000000000ULL

/* What the store told its owner. */
static struct {
	unsigned segments, gone, moved;
	struct queued last_moved;
} told;

static void on_segment(void *arg, uint32_t segment)
{
	(void)arg;
	int fd = store_segment_fd(segment);
	assert_true(fd >= 0);
	close(fd);
	told.segments++;
}

static void on_gone(void *arg, uint32_t segment)
{
	(void)arg;
	(void)segment;
	told.gone++;
}

static void on_moved(void *arg, const struct queued *m)
{
	(void)arg;
	told.moved++;
	told.last_moved.place = m->place;
	assert_true(m->envelope->id != 0);
}

static const struct store_watch watch = {on_segment, on_gone, on_moved};
static struct store_options options = {SEGMENT, 1024 * KIB, 1024 * KIB};

static struct store *open_store(void)
{
	struct buf error = BUF_INIT;
	struct store *s = store_open(&options, &watch, NULL, &error);

	if (!s)
		fail_msg("%s", buf_str(&error));
	buf_free(&error);
	return s;
}

static int setup(void **state)
{
	memset(&told, 0, sizeof(told));
	options = (struct store_options){SEGMENT, 1024 * KIB, 1024 * KIB};
	return tmpdir_setup(state);
}

/* --- messages --- */

static int body_fd(size_t n, unsigned char fill)
{
	int fd = memfd_create("body", MFD_CLOEXEC);
	char *bytes = malloc(n + 1);

	memset(bytes, fill, n + 1);
	assert_int_equal(write(fd, bytes, n), n);
	free(bytes);
	return fd;
}

static struct addition make(unsigned recipients, size_t size, unsigned char fill)
{
	struct addition a = {.envelope = envelope_new(), .fd = body_fd(size, fill)};
	char address[32];

	for (unsigned i = 0; i < recipients; i++) {
		snprintf(address, sizeof(address), "r%u@b.example", i);
		envelope_add_recipient(a.envelope, address);
	}
	envelope_set(&a.envelope->sender, "a@a.example");
	return a;
}

static void drop(struct addition *a)
{
	close(a->fd);
	envelope_free(a->envelope);
}

static uint64_t keep(struct store *s, unsigned recipients, size_t size, unsigned char fill)
{
	struct addition a = make(recipients, size, fill);

	assert_true(store_commit(s, NOW, &a, 1, NULL, 0));
	assert_int_equal(a.status, SUBMIT_KEPT);
	uint64_t id = a.envelope->id;
	drop(&a);
	return id;
}

static void note(struct store *s, uint64_t id, uint32_t recipient, enum recipient_state state)
{
	struct progress_item item = {
		.recipient = recipient, .state = (uint8_t)state, .attempts = 1, .next_ms = NOW + 1};
	struct progress p = {.message = id, .items = &item, .count = 1};
	const struct progress *all[] = {&p};

	snprintf(item.reply, sizeof(item.reply), "reply for %u", recipient);
	assert_true(store_commit(s, NOW, NULL, 0, all, 1));
}

static void deliver(struct store *s, uint64_t id)
{
	note(s, id, 0, RECIPIENT_DELIVERED);
}

static void assert_body(const struct place *place, uint64_t id, unsigned char fill)
{
	int fd = store_segment_fd(place->segment);
	unsigned char *bytes = malloc(place->size + 1);

	assert_true(fd >= 0);
	assert_null(segment_check(fd, id, place, SEGMENT_BODY, NULL));
	assert_int_equal(pread(fd, bytes, place->size, (off_t)place->offset), place->size);
	for (uint64_t i = 0; i < place->size; i++)
		assert_int_equal(bytes[i], fill);
	free(bytes);
	close(fd);
}

/* Reads it back whole; false when it is not there. */
static bool has(struct store *s, uint64_t id, unsigned char fill)
{
	struct queued q;
	bool found = store_next(s, id - 1, &q);

	if (found && q.envelope->id != id) {
		envelope_free(q.envelope);
		return false;
	}
	if (found) {
		assert_body(&q.place, id, fill);
		envelope_free(q.envelope);
	}
	return found;
}

static unsigned count(struct store *s)
{
	struct queued q;
	uint64_t after = 0;
	unsigned n = 0;

	for (; store_next(s, after, &q); n++) {
		after = q.envelope->id;
		envelope_free(q.envelope);
	}
	assert_int_equal(store_figures(s).messages, n);
	return n;
}

static unsigned files(const char *prefix)
{
	DIR *dir = opendir(".");
	struct dirent *entry;
	unsigned n = 0;

	while ((entry = readdir(dir)))
		n += strncmp(entry->d_name, prefix, strlen(prefix)) == 0;
	closedir(dir);
	return n;
}

/* --- keeping --- */

static void what_was_kept_is_there_after_a_restart(void **state)
{
	(void)state;
	struct store *s = open_store();
	uint64_t one = keep(s, 2, 5000, 'x'), two = keep(s, 1, 0, 'y');

	assert_true(has(s, one, 'x') && has(s, two, 'y'));
	for (int i = 0; i < 3; i++) {
		store_close(s);
		s = open_store();
		assert_true(has(s, one, 'x') && has(s, two, 'y'));
		assert_int_equal(count(s), 2);
	}
	struct queued q;
	assert_true(store_next(s, 0, &q));
	assert_int_equal(q.envelope->id, one);
	assert_int_equal(q.envelope->size, 5000);
	assert_int_equal(q.envelope->recipient_count, 2);
	assert_string_equal(q.envelope->sender, "a@a.example");
	envelope_free(q.envelope);
	store_close(s);
}

static void a_batch_keeps_all_its_messages_under_ids_that_go_up(void **state)
{
	(void)state;
	enum { MANY = 300 };
	struct store *s = open_store();
	static struct addition all[MANY];

	/* Over several segments, each body of a size of its own. */
	for (size_t i = 0; i < MANY; i++)
		all[i] = make(1, 10 * i, (unsigned char)i);
	assert_true(store_commit(s, NOW, all, MANY, NULL, 0));
	assert_true(told.segments > 1);
	for (size_t i = 0; i < MANY; i++) {
		assert_int_equal(all[i].status, SUBMIT_KEPT);
		assert_true(i == 0 || all[i].envelope->id > all[i - 1].envelope->id);
		assert_true(has(s, all[i].envelope->id, (unsigned char)i));
	}
	for (size_t i = 0; i < MANY; i++)
		drop(&all[i]);
	assert_int_equal(count(s), MANY);
	store_close(s);
}

static void a_message_larger_than_a_segment_gets_one_of_its_own_size(void **state)
{
	(void)state;
	struct store *s = open_store();
	uint64_t before = keep(s, 1, 100, 'a');
	uint64_t large = keep(s, 1, 5 * SEGMENT, 'b');
	uint64_t after = keep(s, 1, 100, 'c');

	assert_int_equal(told.segments, 3);
	assert_true(has(s, before, 'a') && has(s, large, 'b') && has(s, after, 'c'));
	store_close(s);
	s = open_store();
	assert_true(has(s, before, 'a') && has(s, large, 'b') && has(s, after, 'c'));
	store_close(s);
}

static void a_message_without_its_bytes_fails_alone(void **state)
{
	(void)state;
	struct store *s = open_store();
	struct addition all[3] = {make(1, 10, 'a'), make(1, 10, 'b'), make(1, 10, 'c')};
	int pipes[2];

	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(dup2(pipes[0], all[1].fd), all[1].fd);
	assert_true(store_commit(s, NOW, all, 3, NULL, 0));
	assert_int_equal(all[0].status, SUBMIT_KEPT);
	assert_int_equal(all[1].status, SUBMIT_ERROR);
	assert_int_equal(all[2].status, SUBMIT_KEPT);
	assert_int_equal(count(s), 2);
	for (size_t i = 0; i < 3; i++)
		drop(&all[i]);
	close(pipes[0]);
	close(pipes[1]);
	store_close(s);
}

static void ids_go_up_over_restarts_and_whatever_the_clock_does(void **state)
{
	(void)state;
	static const uint64_t clock[] = {NOW, NOW, NOW - 1000000, 0, NOW + 5, UINT64_MAX, NOW};
	uint64_t last = 0;

	for (size_t i = 0; i < 2 * sizeof(clock) / sizeof(*clock); i++) {
		struct store *s = open_store();
		struct addition a = make(1, 1, 'x');

		assert_true(store_commit(s, clock[i / 2], &a, 1, NULL, 0));
		assert_int_equal(a.status, SUBMIT_KEPT);
		assert_true(a.envelope->id > last);
		last = a.envelope->id;
		deliver(s, last);
		drop(&a);
		store_close(s);
	}
	assert_true(last >> 20 == NOW + 5);
}

/* --- progress --- */

static void recipients_stand_as_they_were_noted(void **state)
{
	(void)state;
	struct store *s = open_store();
	struct queued q;
	uint64_t id = keep(s, 3, 10, 'x');

	note(s, id, 0, RECIPIENT_DELIVERED);
	note(s, id, 2, RECIPIENT_HELD);
	store_close(s);
	s = open_store();
	assert_true(store_next(s, 0, &q));
	assert_int_equal(q.envelope->recipients[0].state, RECIPIENT_DELIVERED);
	assert_int_equal(q.envelope->recipients[1].state, RECIPIENT_WAITING);
	assert_int_equal(q.envelope->recipients[1].attempts, 0);
	assert_int_equal(q.envelope->recipients[2].state, RECIPIENT_HELD);
	assert_int_equal(q.envelope->recipients[2].attempts, 1);
	assert_true(q.envelope->recipients[2].next_ms == NOW + 1);
	assert_string_equal(q.envelope->recipients[2].reply, "reply for 2");
	envelope_free(q.envelope);
	store_close(s);
}

static void a_message_is_forgotten_with_its_last_recipient_and_no_sooner(void **state)
{
	(void)state;
	struct store *s = open_store();
	uint64_t other = keep(s, 2, 10, 'o'), id = keep(s, 3, 10, 'x');

	note(s, id, 1, RECIPIENT_FAILED);
	note(s, id, 0, RECIPIENT_HELD);
	note(s, id, 2, RECIPIENT_DELIVERED);
	/* The same again counts once. */
	note(s, id, 2, RECIPIENT_DELIVERED);
	assert_true(has(s, id, 'x'));
	note(s, id, 0, RECIPIENT_WAITING);
	assert_true(has(s, id, 'x'));
	note(s, id, 0, RECIPIENT_DELIVERED);
	assert_false(has(s, id, 'x'));
	assert_true(has(s, other, 'o'));
	/* A repeated progress of a forgotten one, and one that names no recipient, do no harm. */
	note(s, id, 0, RECIPIENT_DELIVERED);
	note(s, other, 2, RECIPIENT_DELIVERED);
	note(s, other, UINT32_MAX, RECIPIENT_DELIVERED);
	assert_int_equal(count(s), 1);
	store_close(s);
}

static void a_held_recipient_of_a_new_message_is_held(void **state)
{
	(void)state;
	struct store *s = open_store();
	struct addition a = make(2, 10, 'x');
	struct queued q;

	a.envelope->recipients[1].state = RECIPIENT_HELD;
	a.envelope->recipients[0].state = RECIPIENT_FAILED;
	assert_true(store_commit(s, NOW, &a, 1, NULL, 0));
	assert_true(store_next(s, 0, &q));
	assert_int_equal(q.envelope->recipients[0].state, RECIPIENT_FAILED);
	assert_int_equal(q.envelope->recipients[1].state, RECIPIENT_HELD);
	envelope_free(q.envelope);
	note(s, a.envelope->id, 1, RECIPIENT_FAILED);
	assert_int_equal(count(s), 0);
	drop(&a);
	store_close(s);
}

static void a_batch_may_bring_mail_and_progress_of_many(void **state)
{
	(void)state;
	struct store *s = open_store();
	uint64_t one = keep(s, 2, 10, '1'), two = keep(s, 1, 10, '2');
	struct addition a = make(1, 10, '3');
	struct progress_item both[2] = {{.recipient = 0, .state = RECIPIENT_DELIVERED},
					{.recipient = 1, .state = RECIPIENT_FAILED}};
	struct progress p1 = {one, both, 2}, p2 = {two, both, 1}, p3 = {two, both, 1};
	const struct progress *all[] = {&p1, &p2, &p3};

	assert_true(store_commit(s, NOW, &a, 1, all, 3));
	assert_int_equal(a.status, SUBMIT_KEPT);
	assert_int_equal(count(s), 1);
	assert_true(has(s, a.envelope->id, '3'));
	drop(&a);
	store_close(s);
}

/* --- space --- */

static void a_segment_goes_with_its_last_message(void **state)
{
	(void)state;
	enum { MANY = 40 };
	struct store *s = open_store();
	uint64_t ids[MANY];

	for (size_t i = 0; i < MANY; i++)
		ids[i] = keep(s, 1, 50 * KIB, (unsigned char)i);
	assert_int_equal(told.segments, MANY / 5);
	assert_int_equal(files("body-"), MANY / 5);
	for (size_t i = 0; i < MANY; i++)
		deliver(s, ids[i]);
	store_tick(s, 1);
	/* All but the one that is written to. */
	assert_int_equal(files("body-"), 1);
	assert_int_equal(told.gone, MANY / 5 - 1);
	assert_int_equal(told.moved, 0);
	store_close(s);
	s = open_store();
	assert_int_equal(files("body-"), 0);
	/* Its number is not given again. */
	keep(s, 1, 10, 'x');
	assert_int_equal(store_next_segment(s, 0), MANY / 5 + 1);
	store_close(s);
}

static uint64_t blocks(void)
{
	uint64_t bytes = 0;
	DIR *dir = opendir(".");
	struct dirent *entry;
	struct stat st;

	while ((entry = readdir(dir)))
		if (strncmp(entry->d_name, "body-", 5) == 0 && stat(entry->d_name, &st) == 0)
			bytes += (uint64_t)st.st_blocks * 512;
	closedir(dir);
	return bytes;
}

static void one_old_message_does_not_pin_a_segment(void **state)
{
	(void)state;
	enum { MANY = 40 };
	struct store *s = open_store();
	uint64_t ids[MANY];

	store_tick(s, 1);
	for (size_t i = 0; i < MANY; i++)
		ids[i] = keep(s, 1, 50 * KIB, (unsigned char)i);
	/* One old message stays in each segment. */
	for (size_t i = 0; i < MANY; i++)
		if (i % 5)
			deliver(s, ids[i]);
	store_tick(s, BODIES_REST_MS - 1);
	assert_int_equal(told.moved, 0);
	for (uint64_t t = 0; t < 40; t++)
		store_tick(s, BODIES_REST_MS + 1 + t * 10);
	assert_true(told.moved >= MANY / 5 - 2);
	/* The old places are still good for a while. */
	assert_int_equal(told.gone, 0);
	assert_int_equal(files("body-"), told.segments);
	store_tick(s, BODIES_REST_MS + BODIES_GRACE_MS + 1000);
	assert_true(told.gone >= MANY / 5 - 2);
	assert_true(blocks() <= 4 * SEGMENT);
	assert_int_equal(count(s), MANY / 5);
	for (size_t i = 0; i < MANY; i += 5)
		assert_true(has(s, ids[i], (unsigned char)i));
	store_close(s);
	s = open_store();
	for (size_t i = 0; i < MANY; i += 5)
		assert_true(has(s, ids[i], (unsigned char)i));
	store_close(s);
}

static void starting_often_costs_no_disk(void **state)
{
	(void)state;
	for (unsigned char i = 0; i < 20; i++) {
		struct store *s = open_store();

		keep(s, 1, 3 * KIB, i);
		store_close(s);
	}
	struct store *s = open_store();
	assert_int_equal(count(s), 20);
	assert_true(blocks() <= 20 * 8 * KIB);
	store_close(s);
}

static void a_disk_without_the_reserve_takes_no_new_mail(void **state)
{
	(void)state;
	struct store *s = open_store();
	uint64_t id = keep(s, 2, 10, 'x');

	store_close(s);
	options.reserve_bytes = UINT64_MAX / 4;
	s = open_store();
	struct addition a = make(1, 10, 'y');
	assert_true(store_commit(s, NOW, &a, 1, NULL, 0));
	assert_int_equal(a.status, SUBMIT_FULL);
	drop(&a);
	/* What is there goes on. */
	note(s, id, 0, RECIPIENT_DELIVERED);
	assert_true(has(s, id, 'x'));
	note(s, id, 1, RECIPIENT_DELIVERED);
	assert_int_equal(count(s), 0);
	store_close(s);
}

static void the_reserve_is_space_that_is_taken(void **state)
{
	(void)state;
	struct stat st;
	struct store *s = open_store();

	assert_int_equal(stat("reserve", &st), 0);
	assert_true((uint64_t)st.st_blocks * 512 >= options.reserve_bytes);
	store_close(s);
}

static void the_state_grows_past_its_first_bound(void **state)
{
	(void)state;
	enum { MANY = 400 };
	static struct addition all[MANY];
	struct store *s = open_store();
	char *long_name = malloc(256);
	struct stat st;

	memset(long_name, 'n', 255);
	long_name[255] = '\0';
	for (size_t i = 0; i < MANY; i++) {
		all[i] = make(20, 10, 'x');
		for (unsigned r = 0; r < 20; r++)
			envelope_set(&all[i].envelope->recipients[r].orcpt, long_name);
	}
	assert_true(store_commit(s, NOW, all, MANY, NULL, 0));
	for (size_t i = 0; i < MANY; i++) {
		assert_int_equal(all[i].status, SUBMIT_KEPT);
		drop(&all[i]);
	}
	assert_int_equal(stat(STATE_NAME, &st), 0);
	assert_true((uint64_t)st.st_size > options.map_bytes);
	store_close(s);
	s = open_store();
	assert_int_equal(count(s), MANY);
	store_close(s);
	free(long_name);
}

/* --- damage --- */

/* Changes a byte of a record, as a bad disk would. */
static void damage(const char *database, uint64_t id, size_t at)
{
	struct state st;
	struct buf error = BUF_INIT;
	unsigned char key[RECORD_ID_KEY], copy[4096];
	MDB_val k = {sizeof(key), key}, v;
	MDB_dbi dbi;

	assert_true(state_open(&st, 0, &error));
	assert_int_equal(state_begin(&st, true), 0);
	assert_int_equal(mdb_dbi_open(st.txn, database, 0, &dbi), 0);
	record_id_key(id, key);
	assert_int_equal(mdb_get(st.txn, dbi, &k, &v), 0);
	memcpy(copy, v.mv_data, v.mv_size);
	copy[at % v.mv_size] ^= 0x40;
	v.mv_data = copy;
	assert_int_equal(mdb_put(st.txn, dbi, &k, &v, 0), 0);
	assert_int_equal(state_commit(&st), 0);
	state_close(&st);
}

static void remove_record(const char *database, uint64_t id)
{
	struct state st;
	struct buf error = BUF_INIT;
	unsigned char key[RECORD_ID_KEY];
	MDB_val k = {sizeof(key), key};
	MDB_dbi dbi;

	assert_true(state_open(&st, 0, &error));
	assert_int_equal(state_begin(&st, true), 0);
	assert_int_equal(mdb_dbi_open(st.txn, database, 0, &dbi), 0);
	record_id_key(id, key);
	assert_int_equal(mdb_del(st.txn, dbi, &k, NULL), 0);
	assert_int_equal(state_commit(&st), 0);
	state_close(&st);
}

static void assert_rescued(uint64_t id, size_t size, char fill)
{
	char name[64], text[MESSAGE_ID_STR_MAX];
	struct buf bytes = BUF_INIT;

	snprintf(name, sizeof(name), "damaged-%s.eml", message_id_format(id, text));
	assert_true(buf_read_file(&bytes, name, 1 << 20));
	assert_int_equal(bytes.len, size);
	for (size_t i = 0; i < size; i++)
		assert_int_equal(bytes.data[i], fill);
	buf_free(&bytes);
}

static void a_damaged_record_is_set_aside_and_the_rest_goes_on(void **state)
{
	(void)state;
	static const char *const databases[] = {"envelopes", "places"};

	for (size_t d = 0; d < 2; d++)
		for (size_t at = 0; at < 120; at += 7) {
			struct store *s = open_store();
			uint64_t one = keep(s, 1, 100, 'a'), bad = keep(s, 2, 70000, 'b'),
				 two = keep(s, 1, 100, 'c');
			uint64_t before = store_figures(s).damaged;

			store_close(s);
			damage(databases[d], bad, at);
			s = open_store();
			assert_true(has(s, one, 'a') && has(s, two, 'c'));
			assert_false(has(s, bad, 'b'));
			assert_int_equal(count(s), 2);
			assert_int_equal(store_figures(s).damaged, before + 1);
			assert_rescued(bad, 70000, 'b');
			deliver(s, one);
			deliver(s, two);
			store_tick(s, 1);
			assert_true(has(s, keep(s, 1, 10, 'd'), 'd'));
			store_close(s);
			s = open_store();
			assert_int_equal(count(s), 1);
			struct queued q;
			assert_true(store_next(s, 0, &q));
			deliver(s, q.envelope->id);
			envelope_free(q.envelope);
			store_close(s);
		}
}

static void records_damaged_while_in_use_are_set_aside_by_their_progress(void **state)
{
	(void)state;
	struct store *s = open_store();
	uint64_t bad = keep(s, 1, 100, 'b'), good = keep(s, 1, 100, 'g');

	/* Behind the store's back; LMDB has no lock, and nothing is under way. */
	damage("places", bad, 3);
	deliver(s, bad);
	assert_int_equal(count(s), 1);
	assert_true(has(s, good, 'g'));
	assert_rescued(bad, 100, 'b');
	store_close(s);
}

static void an_envelope_without_a_place_and_a_place_without_one_are_set_aside(void **state)
{
	(void)state;
	struct store *s = open_store();
	uint64_t no_place = keep(s, 2, 100, 'p'), no_envelope = keep(s, 1, 100, 'e'),
		 good = keep(s, 1, 100, 'g');

	store_close(s);
	remove_record("places", no_place);
	remove_record("envelopes", no_envelope);
	s = open_store();
	assert_int_equal(count(s) + 0, 1);
	assert_true(has(s, good, 'g'));
	assert_int_equal(store_figures(s).damaged, 2);
	assert_rescued(no_place, 100, 'p');
	assert_rescued(no_envelope, 100, 'e');
	store_close(s);
}

static void messages_of_a_lost_segment_are_set_aside(void **state)
{
	(void)state;
	struct store *s = open_store();
	char name[SEGMENT_NAME_MAX];

	for (int i = 0; i < 4; i++)
		keep(s, 1, 100 * KIB, 'x');
	uint32_t first = store_next_segment(s, 0), second = store_next_segment(s, first);
	store_close(s);
	assert_int_equal(unlink(segment_name(first, name)), 0);
	assert_int_equal(truncate(segment_name(second, name), 150 * KIB), 0);
	s = open_store();
	assert_int_equal(count(s), 1);
	assert_int_equal(store_figures(s).damaged, 3);
	struct queued q;
	assert_true(store_next(s, 0, &q));
	assert_body(&q.place, q.envelope->id, 'x');
	envelope_free(q.envelope);
	store_tick(s, 1);
	assert_int_equal(count(s), 1);
	store_close(s);
}

static void a_damaged_standing_counts_as_waiting(void **state)
{
	(void)state;
	struct store *s = open_store();
	struct state st;
	struct buf error = BUF_INIT;
	unsigned char key[RECORD_RECIPIENT_KEY];
	uint64_t id = keep(s, 2, 10, 'x');
	struct queued q;

	note(s, id, 0, RECIPIENT_DELIVERED);
	store_close(s);
	assert_true(state_open(&st, 0, &error));
	assert_int_equal(state_begin(&st, true), 0);
	record_recipient_key(id, 0, key);
	MDB_val k = {sizeof(key), key}, v = {4, "oops"};
	assert_int_equal(mdb_put(st.txn, st.recipients, &k, &v, 0), 0);
	assert_int_equal(state_commit(&st), 0);
	state_close(&st);

	s = open_store();
	assert_true(store_next(s, 0, &q));
	assert_int_equal(q.envelope->recipients[0].state, RECIPIENT_WAITING);
	envelope_free(q.envelope);
	/* Delivered again: the other recipient must not be lost over it. */
	note(s, id, 0, RECIPIENT_DELIVERED);
	assert_true(has(s, id, 'x'));
	note(s, id, 1, RECIPIENT_DELIVERED);
	assert_int_equal(count(s), 0);
	store_close(s);
}

static void a_body_that_went_bad_is_not_moved_as_if_it_were_good(void **state)
{
	(void)state;
	enum { MANY = 10 };
	struct store *s = open_store();
	uint64_t ids[MANY];
	char name[SEGMENT_NAME_MAX];
	struct queued q;

	store_tick(s, 1);
	for (size_t i = 0; i < MANY; i++)
		ids[i] = keep(s, 1, 30 * KIB, 'x');
	for (size_t i = 2; i < MANY; i++)
		deliver(s, ids[i]);
	assert_true(store_next(s, 0, &q));
	int fd = open(segment_name(q.place.segment, name), O_RDWR);
	assert_int_equal(pwrite(fd, "!", 1, (off_t)q.place.offset + 5), 1);
	close(fd);
	envelope_free(q.envelope);
	store_tick(s, BODIES_REST_MS + 1);
	assert_int_equal(told.moved, 1);
	assert_int_equal(count(s), 1);
	assert_true(has(s, ids[1], 'x'));
	assert_int_equal(store_figures(s).damaged, 1);
	store_close(s);
}

static void a_state_that_is_none_is_refused_with_advice(void **state)
{
	(void)state;
	struct buf error = BUF_INIT;
	struct store *s = open_store();

	keep(s, 1, 10, 'x');
	store_close(s);
	assert_int_equal(truncate(STATE_NAME, 4096 * 3), 0);
	assert_null(store_open(&options, &watch, NULL, &error));
	assert_non_null(strstr(buf_str(&error), "state.mdb"));
	assert_non_null(strstr(buf_str(&error), "move the whole spool aside"));
	buf_clear(&error);

	int fd = open(STATE_NAME, O_RDWR | O_TRUNC);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(write(fd, "not an LMDB file", 16), 16);
	close(fd);
	assert_null(store_open(&options, &watch, NULL, &error));
	assert_non_null(strstr(buf_str(&error), "move the whole spool aside"));
	buf_free(&error);
}

static void a_state_that_was_not_finished_is_made_again(void **state)
{
	(void)state;
	int fd = open("state.new", O_RDWR | O_CREAT, 0600);

	assert_int_equal(write(fd, "half a page", 11), 11);
	close(fd);
	struct store *s = open_store();
	assert_true(has(s, keep(s, 1, 10, 'x'), 'x'));
	assert_int_equal(files("state.new"), 0);
	store_close(s);
}

#define store_test(f) cmocka_unit_test_setup_teardown(f, setup, tmpdir_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		store_test(what_was_kept_is_there_after_a_restart),
		store_test(a_batch_keeps_all_its_messages_under_ids_that_go_up),
		store_test(a_message_larger_than_a_segment_gets_one_of_its_own_size),
		store_test(a_message_without_its_bytes_fails_alone),
		store_test(ids_go_up_over_restarts_and_whatever_the_clock_does),
		store_test(recipients_stand_as_they_were_noted),
		store_test(a_message_is_forgotten_with_its_last_recipient_and_no_sooner),
		store_test(a_held_recipient_of_a_new_message_is_held),
		store_test(a_batch_may_bring_mail_and_progress_of_many),
		store_test(a_segment_goes_with_its_last_message),
		store_test(one_old_message_does_not_pin_a_segment),
		store_test(starting_often_costs_no_disk),
		store_test(a_disk_without_the_reserve_takes_no_new_mail),
		store_test(the_reserve_is_space_that_is_taken),
		store_test(the_state_grows_past_its_first_bound),
		store_test(a_damaged_record_is_set_aside_and_the_rest_goes_on),
		store_test(records_damaged_while_in_use_are_set_aside_by_their_progress),
		store_test(an_envelope_without_a_place_and_a_place_without_one_are_set_aside),
		store_test(messages_of_a_lost_segment_are_set_aside),
		store_test(a_damaged_standing_counts_as_waiting),
		store_test(a_body_that_went_bad_is_not_moved_as_if_it_were_good),
		store_test(a_state_that_is_none_is_refused_with_advice),
		store_test(a_state_that_was_not_finished_is_made_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
