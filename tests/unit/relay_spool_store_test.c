/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/spool/bodies.h"
#include "relay/spool/state.h"
#include "tests/unit/spool_store.h"

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

	/* In one segment, each body of a size of its own. */
	for (size_t i = 0; i < MANY; i++)
		all[i] = make(1, 10 * i, (unsigned char)i);
	assert_true(store_commit(s, NOW, all, MANY, NULL, 0));
	assert_int_equal(told.segments, 1);
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
	/* Its number is not given again, even to one that never saw the file. */
	store_close(s);
	s = open_store();
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
	enum { MANY = 25 };
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

/* A queue of old messages, so long that all of it is not looked at in one step, and behind it much
 * mail that comes and goes, but for one message in each segment. */
static void old_messages_hold_little_disk_however_fast_mail_comes(void **state)
{
	(void)state;
	enum { OLD = 6000, MANY = 400 };
	struct store *s = open_store();
	uint64_t ids[MANY], now = 1;

	for (size_t i = 0; i < OLD; i += 100) {
		struct addition all[100];

		for (size_t j = 0; j < 100; j++)
			all[j] = make(1, 10, 'o');
		assert_true(store_commit(s, NOW, all, 100, NULL, 0));
		for (size_t j = 0; j < 100; j++)
			drop(&all[j]);
	}
	uint64_t before = blocks();
	for (size_t i = 0; i < MANY; i++) {
		ids[i] = keep(s, 1, 50 * KIB, (unsigned char)i);
		if (i >= 5 && i % 5)
			deliver(s, ids[i]);
		/* Far less than BODIES_REST_MS in all; BODIES_GRACE_MS goes by many times. */
		if (i % 5 == 0)
			store_tick(s, now += BODIES_GRACE_MS / 20);
		assert_true(blocks() <= before + (BODIES_DEAD_SEGMENTS + 20) * SEGMENT +
						MANY / 5 * 2 * 50 * KIB);
	}
	assert_true(told.moved > 0);
	for (size_t i = 0; i < MANY; i += 5)
		assert_true(has(s, ids[i], (unsigned char)i));
	assert_int_equal(count(s), OLD + MANY / 5 + 4);
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
	store_tick(s, 1);
	assert_int_equal(stat(STATE_NAME, &st), 0);
	assert_true((uint64_t)st.st_size > options.map_bytes);
	store_close(s);
	s = open_store();
	assert_int_equal(count(s), MANY);
	store_close(s);
	free(long_name);
}

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
		store_test(old_messages_hold_little_disk_however_fast_mail_comes),
		store_test(starting_often_costs_no_disk),
		store_test(a_disk_without_the_reserve_takes_no_new_mail),
		store_test(the_reserve_is_space_that_is_taken),
		store_test(the_state_grows_past_its_first_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
