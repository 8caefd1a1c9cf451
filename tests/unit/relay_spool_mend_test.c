/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is damaged is set aside, and the rest goes on. */
#include "relay/spool/bodies.h"
#include "relay/spool/state.h"
#include "tests/unit/spool_store.h"

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

	/* Behind the store's back; LMDB has no lock, and once committed nothing is under way. */
	store_tick(s, 1);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
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
