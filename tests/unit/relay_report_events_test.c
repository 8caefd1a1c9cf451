/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/report/events.h"
#include "tests/unit/cmocka.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct events_bounds roomy = {
	.file_bytes = 1 << 20, .keep_bytes = 0, .total_bytes = 1 << 30};

struct place {
	char path[64];
	int dir;
};

static int make_place(void **state)
{
	static struct place place;
	struct place *t = &place;

	*t = (struct place){0};
	snprintf(t->path, sizeof(t->path), "/tmp/gatepost-events-XXXXXX");
	if (!mkdtemp(t->path))
		return -1;
	t->dir = open(t->path, O_RDONLY | O_DIRECTORY);
	*state = t;
	return t->dir < 0 ? -1 : 0;
}

/* Calls fn (may be NULL) for each journal file; how many there are. */
static size_t each_file(int dir, void (*fn)(int dir, const char *name))
{
	DIR *d = fdopendir(openat(dir, ".", O_RDONLY | O_DIRECTORY));
	struct dirent *e;
	size_t n = 0;

	while ((e = readdir(d)))
		if (strncmp(e->d_name, "journal.", 8) == 0) {
			n++;
			if (fn)
				fn(dir, e->d_name);
		}
	closedir(d);
	return n;
}

static void remove_file(int dir, const char *name)
{
	unlinkat(dir, name, 0);
}

static int remove_place(void **state)
{
	struct place *t = *state;

	each_file(t->dir, remove_file);
	close(t->dir);
	rmdir(t->path);
	return 0;
}

static struct events *open_events(struct place *t, const struct events_bounds *b, uint64_t *torn)
{
	struct buf error = BUF_INIT;
	uint64_t none = 0;
	struct events *e = events_open(t->dir, b, 0, torn ? torn : &none, &error);

	if (!e)
		fail_msg("%s", buf_str(&error));
	return e;
}

/* Records are "record N", N from first on. */
static void write_records(struct events *e, unsigned first, unsigned count)
{
	char text[32];

	for (unsigned i = first; i < first + count; i++) {
		int n = snprintf(text, sizeof(text), "record %u", i);
		assert_true(events_add(e, text, (size_t)n));
	}
	assert_true(events_write(e));
}

/* How many records come, each the one after the last, beginning with first. */
static unsigned read_records(struct events_reader *r, unsigned first)
{
	struct place_in_events at, last = {0};
	const void *payload;
	unsigned count = 0;
	char text[32];
	size_t n;

	while (events_next(r, &at, &payload, &n) == EVENTS_RECORD) {
		int len = snprintf(text, sizeof(text), "record %u", first + count);
		assert_int_equal(n, len);
		assert_memory_equal(payload, text, n);
		assert_true(at.file > last.file || at.offset > last.offset);
		last = at;
		count++;
	}
	return count;
}

static unsigned read_all(struct place *t, unsigned first)
{
	struct events_reader *r = events_reader_new(t->dir, (struct place_in_events){0});
	unsigned count = read_records(r, first);

	events_reader_free(r);
	return count;
}

static void what_was_written_is_read_in_order_across_files(void **state)
{
	struct place *t = *state;
	const struct events_bounds small = {.file_bytes = 200, .total_bytes = 1 << 20};
	struct events *e = open_events(t, &small, NULL);
	struct events_reader *r = events_reader_new(t->dir, (struct place_in_events){0});

	assert_int_equal(read_records(r, 0), 0);
	for (unsigned i = 0; i < 100; i += 5) {
		write_records(e, i, 5);
		assert_int_equal(read_records(r, i), 5);
	}
	assert_true(each_file(t->dir, NULL) > 5);
	events_reader_free(r);
	events_close(e);
	assert_int_equal(read_all(t, 0), 100);
}

static void a_reader_goes_on_from_a_place(void **state)
{
	struct place *t = *state;
	const struct events_bounds small = {.file_bytes = 100, .total_bytes = 1 << 20};
	struct events *e = open_events(t, &small, NULL);
	struct events_reader *r = events_reader_new(t->dir, (struct place_in_events){0});
	struct place_in_events at;
	const void *payload;
	size_t n;

	for (unsigned i = 0; i < 30; i++)
		write_records(e, i, 1);
	for (unsigned i = 0; i < 30; i++) {
		assert_int_equal(events_next(r, &at, &payload, &n), EVENTS_RECORD);
		struct events_reader *again = events_reader_new(t->dir, events_reader_place(r));
		assert_int_equal(read_records(again, i + 1), 29 - i);
		events_reader_free(again);
		again = events_reader_new(t->dir, at);
		assert_int_equal(read_records(again, i), 30 - i);
		events_reader_free(again);
	}
	events_reader_free(r);
	events_close(e);
}

static char first_file[256];

static void note_file(int dir, const char *name)
{
	(void)dir;
	snprintf(first_file, sizeof(first_file), "%s", name);
}

/* The end of the process, or of the power, at every byte of the last record. */
static void a_torn_end_is_cut_off_and_counted(void **state)
{
	struct place *t = *state;
	struct stat st;
	struct events *e = open_events(t, &roomy, NULL);

	write_records(e, 0, 3);
	each_file(t->dir, note_file);
	assert_int_equal(fstatat(t->dir, first_file, &st, 0), 0);
	off_t sound = st.st_size;
	write_records(e, 3, 1);
	assert_int_equal(fstatat(t->dir, first_file, &st, 0), 0);
	events_close(e);
	for (off_t size = st.st_size - 1; size > sound; size--) {
		int fd = openat(t->dir, first_file, O_WRONLY);
		uint64_t torn = 0;
		assert_int_equal(ftruncate(fd, size), 0);
		e = open_events(t, &roomy, &torn);
		assert_int_equal(torn, size - sound);
		write_records(e, 3, 1); /* in a new file */
		events_close(e);
		assert_int_equal(read_all(t, 0), 4);
		/* Back to the one torn file, for the next size. */
		char keep[256];
		snprintf(keep, sizeof(keep), "%s", first_file);
		assert_int_equal(renameat(t->dir, keep, t->dir, "keep"), 0);
		each_file(t->dir, remove_file);
		assert_int_equal(renameat(t->dir, "keep", t->dir, keep), 0);
		assert_int_equal(ftruncate(fd, sound), 0);
		assert_int_equal(lseek(fd, 0, SEEK_END), sound);
		assert_int_equal(
			write(fd, "\x08\0\0\0\1\2\3\4garbage\xff", (size_t)(size - sound - 1)),
			size - sound - 1);
		close(fd);
	}
}

/* A power cut may leave zeros where the last records were to be. */
static void zeros_at_the_end_are_no_records(void **state)
{
	struct place *t = *state;
	struct events *e = open_events(t, &roomy, NULL);
	uint64_t torn = 0;
	struct stat st;

	write_records(e, 0, 3);
	each_file(t->dir, note_file);
	events_close(e);
	fstatat(t->dir, first_file, &st, 0);
	int fd = openat(t->dir, first_file, O_WRONLY);
	assert_int_equal(ftruncate(fd, st.st_size + 5000), 0);
	close(fd);
	e = open_events(t, &roomy, &torn);
	assert_int_equal(torn, 5000);
	events_close(e);
	e = open_events(t, &roomy, &torn); /* counted once */
	assert_int_equal(torn, 5000);
	write_records(e, 3, 1);
	events_close(e);
	assert_int_equal(read_all(t, 0), 4);
}

/* Any one byte of a record damaged: that record is gone, its neighbours are not. */
static void damage_is_stepped_over(void **state)
{
	struct place *t = *state;
	struct events *e = open_events(t, &roomy, NULL);
	const size_t record = EVENTS_RECORD_HEAD + strlen("record 0");

	write_records(e, 0, 3);
	each_file(t->dir, note_file);
	events_close(e);
	e = open_events(t, &roomy, NULL);
	write_records(e, 3, 1);
	events_close(e);
	int fd = openat(t->dir, first_file, O_RDWR);
	for (size_t i = 0; i < record; i++) {
		off_t at = (off_t)(EVENTS_HEAD + record + i);
		char was, now;
		assert_int_equal(pread(fd, &was, 1, at), 1);
		now = (char)~was;
		assert_int_equal(pwrite(fd, &now, 1, at), 1);
		struct events_reader *r = events_reader_new(t->dir, (struct place_in_events){0});
		struct place_in_events place;
		const void *payload;
		char seen[64] = "";
		size_t n;
		while (events_next(r, &place, &payload, &n) == EVENTS_RECORD)
			strncat(seen, (const char *)payload + n - 1, 1);
		assert_string_equal(seen, "023");
		assert_int_equal(events_damaged(r), record);
		events_reader_free(r);
		assert_int_equal(pwrite(fd, &was, 1, at), 1);
	}
	close(fd);
}

static void a_start_never_gives_a_place_again(void **state)
{
	struct place *t = *state;
	struct buf error = BUF_INIT;
	uint64_t torn = 0;
	struct events *e = open_events(t, &roomy, NULL);
	struct events_reader *r = events_reader_new(t->dir, (struct place_in_events){0});

	write_records(e, 0, 2);
	assert_int_equal(read_records(r, 0), 2);
	struct place_in_events there = events_reader_place(r);
	events_reader_free(r);
	events_close(e);
	/* The power cut took the file with it; the store remembers the place. */
	each_file(t->dir, remove_file);
	e = events_open(t->dir, &roomy, there.file, &torn, &error);
	write_records(e, 2, 2);
	r = events_reader_new(t->dir, there);
	assert_int_equal(read_records(r, 2), 2);
	events_reader_free(r);
	events_close(e);
}

static void files_go_when_they_were_followed_and_not_before(void **state)
{
	struct place *t = *state;
	const struct events_bounds small = {.file_bytes = 60, .total_bytes = 1 << 20};
	struct events *e = open_events(t, &small, NULL);
	struct events_reader *r = events_reader_new(t->dir, (struct place_in_events){0});

	for (unsigned i = 0; i < 30; i += 3)
		write_records(e, i, 3);
	assert_int_equal(each_file(t->dir, NULL), 10);
	events_forget(e, (struct place_in_events){0});
	assert_int_equal(each_file(t->dir, NULL), 10);
	assert_int_equal(read_records(r, 0), 30);
	events_followed(e, events_reader_place(r));
	events_forget(e, events_reader_place(r));
	assert_int_equal(each_file(t->dir, NULL), 1);
	write_records(e, 30, 1);
	assert_int_equal(read_records(r, 30), 1);
	assert_int_equal(events_lost(e), 0);
	events_reader_free(r);
	events_close(e);
}

static void some_that_might_go_are_kept(void **state)
{
	struct place *t = *state;
	const struct events_bounds b = {
		.file_bytes = 60, .keep_bytes = 200, .total_bytes = 1 << 20};
	struct events *e = open_events(t, &b, NULL);

	for (unsigned i = 0; i < 10; i++)
		write_records(e, i, 3);
	events_forget(e, (struct place_in_events){.file = 1000});
	assert_in_range(events_bytes(e), 200, 300);
	events_close(e);
}

/* Nobody follows: the journal stays within its bound, and what goes is counted. */
static void the_journal_is_bounded_and_says_what_it_lost(void **state)
{
	struct place *t = *state;
	const struct events_bounds b = {.file_bytes = 100, .total_bytes = 500};
	struct events *e = open_events(t, &b, NULL);

	for (unsigned i = 0; i < 90; i += 3)
		write_records(e, i, 3);
	assert_true(events_bytes(e) <= 500 + 100);
	uint64_t lost = events_lost(e);
	assert_true(lost > 0);
	events_close(e);
	assert_int_equal(read_all(t, (unsigned)lost), 90 - lost);
}

static void a_full_disk_takes_all_of_a_batch_or_nothing(void **state)
{
	struct place *t = *state;
	struct events *e = open_events(t, &roomy, NULL);
	struct rlimit limit, was;
	struct stat st;

	write_records(e, 0, 3);
	each_file(t->dir, note_file);
	fstatat(t->dir, first_file, &st, 0);
	getrlimit(RLIMIT_FSIZE, &was);
	limit = was;
	limit.rlim_cur = (rlim_t)st.st_size + 20; /* in the middle of the second */
	setrlimit(RLIMIT_FSIZE, &limit);
	assert_true(events_add(e, "record 3", 8));
	assert_true(events_add(e, "record 4", 8));
	assert_false(events_write(e));
	assert_int_equal(errno, EFBIG);
	assert_true(events_batch(e) > 0);
	assert_int_equal(read_all(t, 0), 3);
	setrlimit(RLIMIT_FSIZE, &was);
	assert_true(events_write(e));
	assert_int_equal(events_batch(e), 0);
	assert_int_equal(read_all(t, 0), 5);
	events_close(e);
}

static void a_full_disk_is_not_filled_with_empty_files(void **state)
{
	struct place *t = *state;
	struct events *e = open_events(t, &roomy, NULL);
	struct rlimit limit, was;

	getrlimit(RLIMIT_FSIZE, &was);
	limit = was;
	limit.rlim_cur = 4;
	setrlimit(RLIMIT_FSIZE, &limit);
	assert_true(events_add(e, "record 0", 8));
	for (int i = 0; i < 3; i++)
		assert_false(events_write(e));
	assert_int_equal(each_file(t->dir, NULL), 0);
	setrlimit(RLIMIT_FSIZE, &was);
	assert_true(events_write(e));
	assert_int_equal(read_all(t, 0), 1);
	events_close(e);
}

static void records_have_a_bound(void **state)
{
	struct place *t = *state;
	struct events *e = open_events(t, &roomy, NULL);
	char *big = calloc(1, EVENTS_RECORD_MAX + 1);

	assert_false(events_add(e, big, EVENTS_RECORD_MAX + 1));
	assert_false(events_add(e, big, 0));
	assert_true(events_add(e, big, EVENTS_RECORD_MAX));
	assert_int_equal(events_drop(e), 1);
	assert_int_equal(events_batch(e), 0);
	free(big);
	events_close(e);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_place, remove_place)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_was_written_is_read_in_order_across_files),
		TEST(a_reader_goes_on_from_a_place),
		TEST(a_torn_end_is_cut_off_and_counted),
		TEST(zeros_at_the_end_are_no_records),
		TEST(damage_is_stepped_over),
		TEST(a_start_never_gives_a_place_again),
		TEST(files_go_when_they_were_followed_and_not_before),
		TEST(some_that_might_go_are_kept),
		TEST(the_journal_is_bounded_and_says_what_it_lost),
		TEST(a_full_disk_takes_all_of_a_batch_or_nothing),
		TEST(a_full_disk_is_not_filled_with_empty_files),
		TEST(records_have_a_bound),
	};

	signal(SIGXFSZ, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
