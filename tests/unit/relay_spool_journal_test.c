/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is read again from the journal: a copy of the spool, as a crash leaves it, is opened. */
#include "tests/unit/spool_store.h"

#define COPY "copy"

/* The spool's files as they are now, and into their directory; the store itself goes on. */
static void crash(void)
{
	assert_int_equal(system("rm -rf " COPY " && mkdir " COPY " && cp body-* state.mdb " COPY),
			 0);
	assert_int_equal(chdir(COPY), 0);
}

static void back(void)
{
	assert_int_equal(chdir(".."), 0);
}

static int teardown(void **state)
{
	return system("rm -rf " COPY) == 0 ? tmpdir_teardown(state) : -1;
}

static void what_the_state_does_not_hold_yet_is_in_the_journal(void **state)
{
	(void)state;
	struct store *s = open_store();
	struct queued q;
	uint64_t held = keep(s, 3, 500, 'h'), gone = keep(s, 1, 70000, 'g'),
		 large = keep(s, 1, 600 * KIB, 'l'), small = keep(s, 2, 0, 's');

	note(s, held, 1, RECIPIENT_HELD);
	note(s, held, 0, RECIPIENT_DELIVERED);
	deliver(s, gone);
	crash();
	for (int i = 0; i < 3; i++) {
		struct store *again = open_store();

		assert_int_equal(count(again), 3);
		assert_true(has(again, held, 'h') && has(again, large, 'l'));
		assert_true(has(again, small, 's') && !has(again, gone, 'g'));
		assert_true(store_next(again, 0, &q));
		assert_int_equal(q.envelope->recipients[0].state, RECIPIENT_DELIVERED);
		assert_int_equal(q.envelope->recipients[1].state, RECIPIENT_HELD);
		assert_string_equal(q.envelope->recipients[1].reply, "reply for 1");
		assert_int_equal(q.envelope->recipients[2].state, RECIPIENT_WAITING);
		envelope_free(q.envelope);
		store_close(again);
	}
	struct store *again = open_store();
	assert_true(keep(again, 1, 1, 'n') > small);
	store_close(again);
	back();
	store_close(s);
}

static void a_crash_after_a_crash_loses_nothing(void **state)
{
	(void)state;
	enum { LIVES = 12 };
	uint64_t ids[LIVES];
	struct store *open[LIVES];

	/* Each life ends in the middle of it. */
	for (unsigned char i = 0; i < LIVES; i++) {
		open[i] = open_store();
		assert_int_equal(count(open[i]), i);
		ids[i] = keep(open[i], 1, 1000u * i, i);
		crash();
	}
	struct store *s = open_store();
	for (unsigned char i = 0; i < LIVES; i++)
		assert_true(has(s, ids[i], i));
	store_close(s);
	for (int i = LIVES - 1; i >= 0; i--) {
		back();
		store_close(open[i]);
	}
}

/* Where in the newest segment that body begins, and the file. */
static int open_at(struct store *s, uint64_t id, off_t *at)
{
	char name[SEGMENT_NAME_MAX];
	struct queued q;

	assert_true(store_next(s, id - 1, &q));
	*at = (off_t)q.place.offset;
	int fd = open(segment_name(q.place.segment, name), O_RDWR);
	assert_true(fd >= 0);
	envelope_free(q.envelope);
	return fd;
}

static void damage(int fd, off_t at)
{
	char byte;

	assert_int_equal(pread(fd, &byte, 1, at), 1);
	byte ^= 0x20;
	assert_int_equal(pwrite(fd, &byte, 1, at), 1);
}

static void what_is_damaged_in_the_newest_batch_was_never_promised(void **state)
{
	(void)state;
	/* In the batch's head, the record's header, the body, the envelope. */
	static const off_t places[] = {-50, -10, 20, 130};

	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		struct store *s = open_store();
		uint64_t good = keep(s, 1, 100, 'g'), torn = keep(s, 1, 100, 't');
		off_t at;

		crash();
		int fd = open_at(s, torn, &at);
		damage(fd, at + places[i]);
		close(fd);
		struct store *again = open_store();
		assert_true(has(again, good, 'g') && !has(again, torn, 't'));
		assert_int_equal(store_figures(again).damaged, 0);
		/* The next one takes its place. */
		uint64_t after = keep(again, 1, 100, 'a');
		assert_int_equal(count(again), 2);
		assert_true(has(again, after, 'a'));
		store_close(again);
		back();
		deliver(s, good);
		deliver(s, torn);
		store_close(s);
	}
}

static void what_is_damaged_before_the_newest_batch_is_named_and_the_rest_goes_on(void **state)
{
	(void)state;
	static const struct {
		off_t at;
		unsigned count, aside;
	} places[] = {
		{-50, 2, 0}, /* the batch's head */
		{-10, 2, 0}, /* the record's header: nobody knows whose it was */
		{20, 3, 0},  /* the body: who reads it will notice */
		{130, 2, 1}, /* the envelope */
	};

	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		struct store *s = open_store();
		uint64_t one = keep(s, 1, 100, '1'), bad = keep(s, 1, 100, 'b'),
			 two = keep(s, 1, 100, '2');
		off_t at;

		crash();
		int fd = open_at(s, bad, &at);
		damage(fd, at + places[i].at);
		close(fd);
		struct store *again = open_store();
		assert_true(has(again, one, '1') && has(again, two, '2'));
		assert_int_equal(count(again), places[i].count);
		assert_int_equal(store_figures(again).damaged, places[i].aside);
		assert_int_equal(files("damaged-"), places[i].aside);
		store_close(again);
		back();
		deliver(s, one);
		deliver(s, bad);
		deliver(s, two);
		store_close(s);
	}
}

static void a_batch_that_was_refused_is_outdone_by_the_next(void **state)
{
	(void)state;
	static const struct extra none;
	struct segment_writer w;
	struct batch_head head;
	struct place place;
	struct store *s = open_store();
	char name[SEGMENT_NAME_MAX];
	struct stat st;

	/* A write that failed and reached the disk all the same: batch 2 in two segments. */
	uint64_t one = keep(s, 1, 100, '1');
	store_close(s);
	for (uint32_t number = 7; number <= 8; number++) {
		struct addition a = make(1, 100, (unsigned char)('a' + number));
		struct buf envelope = BUF_INIT;

		a.envelope->id = one + number;
		a.envelope->size = 100;
		envelope_encode(a.envelope, &envelope);
		struct extra extra = {envelope.data, envelope.len};
		assert_int_equal(segment_create(&w, number, SEGMENT), 0);
		segment_begin(&w);
		assert_int_equal(
			segment_append(&w, one + number, a.fd, 0, 100, NULL, &extra, &place), 0);
		assert_int_equal(segment_commit(&w, 2), 0);
		segment_begin(&w);
		assert_int_equal(segment_append(&w, 1, a.fd, 0, 100, NULL, &none, &place), 0);
		segment_abandon(&w);
		buf_free(&envelope);
		drop(&a);
		int fd = open(segment_name(number, name), O_RDONLY);
		assert_true(segment_next_batch(fd, number, 0, &head));
		assert_int_equal(head.number, 2);
		assert_int_equal(fstat(fd, &st), 0);
		assert_false(segment_next_batch(fd, number, head.at + head.length, &head));
		close(fd);
	}
	s = open_store();
	assert_int_equal(count(s), 2);
	assert_true(has(s, one, '1') && has(s, one + 8, 'a' + 8));
	assert_true(keep(s, 1, 1, 'n') > one + 8);
	store_close(s);
}

static void a_body_that_looks_like_a_batch_is_none(void **state)
{
	(void)state;
	struct store *s = open_store();
	uint64_t one = keep(s, 1, 100, '1');
	struct addition a = {.envelope = envelope_new()};
	off_t at;
	unsigned char batch[4096];

	/* Another segment's batches, as somebody would send them who has seen one. */
	int fd = open_at(s, one, &at);
	assert_int_equal(pread(fd, batch, sizeof(batch), at - 64), sizeof(batch));
	close(fd);
	store_close(s);
	s = open_store();
	a.fd = memfd_create("body", MFD_CLOEXEC);
	for (int i = 0; i < 4; i++)
		assert_int_equal(write(a.fd, batch, sizeof(batch)), sizeof(batch));
	envelope_add_recipient(a.envelope, "b@b.example");
	assert_true(store_commit(s, NOW, &a, 1, NULL, 0));
	uint64_t forged = a.envelope->id;
	crash();
	/* Its own batch's head is lost: now everything in it is looked at. */
	fd = open_at(s, forged, &at);
	damage(fd, at - 40);
	close(fd);
	struct store *again = open_store();
	assert_int_equal(count(again), 1);
	assert_true(has(again, one, '1'));
	store_close(again);
	back();
	drop(&a);
	store_close(s);
}

static void many_changes_are_committed_without_being_told(void **state)
{
	(void)state;
	enum { MANY = 20000, BATCH = 20 };
	struct store *s = open_store();
	struct stat st, after;

	assert_int_equal(stat("state.mdb", &st), 0);
	for (unsigned i = 0; i < MANY / BATCH; i++) {
		struct addition all[BATCH];

		for (unsigned j = 0; j < BATCH; j++)
			all[j] = make(1, 10, 'm');
		assert_true(store_commit(s, NOW, all, BATCH, NULL, 0));
		for (unsigned j = 0; j < BATCH; j++)
			drop(&all[j]);
	}
	assert_int_equal(stat("state.mdb", &after), 0);
	assert_true(after.st_size > st.st_size + 500000);
	assert_int_equal(count(s), MANY);
	store_close(s);
}

#define journal_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		journal_test(what_the_state_does_not_hold_yet_is_in_the_journal),
		journal_test(a_crash_after_a_crash_loses_nothing),
		journal_test(what_is_damaged_in_the_newest_batch_was_never_promised),
		journal_test(what_is_damaged_before_the_newest_batch_is_named_and_the_rest_goes_on),
		journal_test(a_batch_that_was_refused_is_outdone_by_the_next),
		journal_test(a_body_that_looks_like_a_batch_is_none),
		journal_test(many_changes_are_committed_without_being_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
