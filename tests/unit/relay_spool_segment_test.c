/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/spool/crc32c.h"
#include "relay/spool/segment.h"
#include "tests/unit/cmocka.h"
#include "tests/unit/tmpdir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIZE ((uint64_t)4 * 1024 * 1024)

static int body_fd(size_t n, unsigned seed)
{
	int fd = memfd_create("body", MFD_CLOEXEC);
	unsigned char *bytes = malloc(n + 1);

	for (size_t i = 0; i < n; i++)
		bytes[i] = (unsigned char)(seed + i * 7 + (i >> 8));
	assert_int_equal(write(fd, bytes, n), n);
	free(bytes);
	return fd;
}

/* Every third one from memory, the others from a file. */
static struct place append(struct segment_writer *w, uint64_t id, size_t n)
{
	struct place place;
	struct extra extra = {.bytes = "what lies beside it", .n = (size_t)(id % 20)};
	int fd = body_fd(n, (unsigned)id);
	void *bytes = malloc(n + 1);

	if (id % 3) {
		assert_int_equal(segment_append(w, id, fd, 0, n, NULL, &extra, &place), 0);
	} else {
		assert_int_equal(pread(fd, bytes, n, 0), n);
		assert_int_equal(segment_append_bytes(w, id, bytes, n, &extra, &place), 0);
	}
	free(bytes);
	close(fd);
	return place;
}

static void assert_body(int fd, const struct place *place, uint64_t id)
{
	unsigned char *bytes = malloc(place->size + 1);

	assert_int_equal(pread(fd, bytes, place->size, (off_t)place->offset), place->size);
	for (size_t i = 0; i < place->size; i++)
		assert_int_equal(bytes[i], (unsigned char)(id + i * 7 + (i >> 8)));
	free(bytes);
}

/* What both ways of reading say of a record: the same. */
static const char *fault(int fd, uint64_t id, const struct place *place)
{
	const char *checked = segment_check(fd, id, place, SEGMENT_BODY, NULL), *body = NULL;
	struct buf buffer = BUF_INIT;

	if (place->size <= SIZE) {
		const char *read = segment_read(fd, id, place, &buffer, &body);

		assert_int_equal(read == NULL, checked == NULL);
	}
	for (uint64_t i = 0; !checked && i < place->size; i++)
		assert_int_equal((unsigned char)body[i], (unsigned char)(id + i * 7 + (i >> 8)));
	buf_free(&buffer);
	return checked;
}

static const size_t sizes[] = {0, 1, 7, 8, 5000, 262111, 262112, 262144, 262145, 1000003, 9};
#define COUNT (sizeof(sizes) / sizeof(*sizes))

static void the_checksum_is_castagnolis_either_way(void **state)
{
	(void)state;
	unsigned char zeros[32] = {0}, ups[32];

	/* RFC 3720 appendix B.4 */
	for (unsigned char i = 0; i < 32; i++)
		ups[i] = i;
	assert_true(crc32c(0, zeros, 32) == 0x8a9136aaU);
	assert_true(crc32c(0, ups, 32) == 0x46dd794eU);
	assert_true(crc32c_table(0, zeros, 32) == 0x8a9136aaU);
	assert_true(crc32c_table(0, ups, 32) == 0x46dd794eU);
	assert_true(crc32c(crc32c(0, ups, 13), ups + 13, 19) == 0x46dd794eU);
}

static void bodies_of_every_size_are_read_back_after_a_seal(void **state)
{
	(void)state;
	struct segment_writer w;
	struct place places[COUNT], found;
	char name[SEGMENT_NAME_MAX];
	struct stat st;

	assert_int_equal(segment_create(&w, 42, SIZE), 0);
	assert_int_equal(fstat(w.fd, &st), 0);
	assert_int_equal(st.st_size, SIZE);
	/* All in one batch; the last two in one of their own. */
	segment_begin(&w);
	for (size_t i = 0; i < COUNT; i++) {
		if (i == COUNT - 2) {
			assert_int_equal(segment_commit(&w, 1), 0);
			segment_begin(&w);
		}
		places[i] = append(&w, i + 1, sizes[i]);
	}
	assert_int_equal(segment_commit(&w, 2), 0);
	assert_int_equal(segment_seal(&w), 0);

	int fd = open(segment_name(42, name), O_RDONLY);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, w.used);
	for (size_t i = 0; i < COUNT; i++) {
		assert_body(fd, &places[i], i + 1);
		assert_null(fault(fd, i + 1, &places[i]));
		assert_true(segment_find(fd, 42, i + 1, &found));
		assert_true(found.segment == 42 && found.offset == places[i].offset);
		assert_true(found.size == places[i].size);
	}
	assert_false(segment_find(fd, 42, COUNT + 1, &found));
	assert_false(segment_find(fd, 43, 1, &found));
	close(fd);
}

static void a_segment_that_is_there_is_never_overwritten(void **state)
{
	(void)state;
	struct segment_writer w, again;

	assert_int_equal(segment_create(&w, 1, SIZE), 0);
	assert_int_equal(segment_create(&again, 1, SIZE), EEXIST);
	segment_abandon(&w);
}

static void a_body_that_is_shorter_than_promised_leaves_no_trace(void **state)
{
	(void)state;
	static const size_t promised[] = {100, 300000};
	struct segment_writer w;
	struct place place;

	static const struct extra none;

	assert_int_equal(segment_create(&w, 1, SIZE), 0);
	segment_begin(&w);
	struct place first = append(&w, 20, 10);
	for (size_t i = 0; i < 2; i++) {
		int fd = body_fd(promised[i] - 1, 0);

		assert_int_equal(segment_append(&w, 9, fd, 0, promised[i], NULL, &none, &place),
				 EBADMSG);
		close(fd);
	}
	struct place second = append(&w, 40, 10);
	assert_int_equal(segment_commit(&w, 1), 0);
	assert_int_equal(second.offset, first.offset + segment_record_size(10));
	assert_null(segment_check(w.fd, 20, &first, SEGMENT_BODY, NULL));
	assert_null(segment_check(w.fd, 40, &second, SEGMENT_BODY, NULL));
	assert_false(segment_find(w.fd, 1, 9, &place));
	segment_abandon(&w);
}

static void a_copy_takes_over_the_checksum_that_was_promised(void **state)
{
	(void)state;
	struct segment_writer from, to;
	struct place place, copy;
	uint32_t crc, wrong;

	assert_int_equal(segment_create(&from, 1, SIZE), 0);
	assert_int_equal(segment_create(&to, 2, SIZE), 0);
	static const struct extra none;

	segment_begin(&from);
	segment_begin(&to);
	append(&from, 5, 77);
	place = append(&from, 6, 5000);
	assert_int_equal(segment_commit(&from, 1), 0);
	assert_null(segment_check(from.fd, 6, &place, SEGMENT_HEADER, &crc));
	wrong = crc + 1;
	assert_int_equal(segment_append(&to, 6, from.fd, place.offset, 5000, &wrong, &none, &copy),
			 EILSEQ);
	assert_int_equal(segment_append(&to, 6, from.fd, place.offset, 5000, &crc, &none, &copy),
			 0);
	assert_int_equal(segment_commit(&to, 1), 0);
	assert_body(to.fd, &copy, 6);
	segment_abandon(&from);
	segment_abandon(&to);
}

static void every_damaged_byte_of_a_record_is_noticed(void **state)
{
	(void)state;
	struct segment_writer w;

	assert_int_equal(segment_create(&w, 1, SIZE), 0);
	segment_begin(&w);
	struct place place = append(&w, 1, 50);
	assert_int_equal(segment_commit(&w, 1), 0);
	for (uint64_t at = place.offset - 32; at < place.offset + 50; at++) {
		unsigned char byte, damaged;

		assert_int_equal(pread(w.fd, &byte, 1, (off_t)at), 1);
		damaged = byte ^ 0x10;
		assert_int_equal(pwrite(w.fd, &damaged, 1, (off_t)at), 1);
		assert_non_null(fault(w.fd, 1, &place));
		assert_int_equal(pwrite(w.fd, &byte, 1, (off_t)at), 1);
	}
	assert_null(fault(w.fd, 1, &place));
	segment_abandon(&w);
}

static void a_wrong_place_is_refused(void **state)
{
	(void)state;
	struct segment_writer w;

	assert_int_equal(segment_create(&w, 1, SIZE), 0);
	segment_begin(&w);
	append(&w, 1, 50);
	struct place good = append(&w, 2, 50), bad;
	assert_int_equal(segment_commit(&w, 1), 0);
	assert_string_equal(segment_check(w.fd, 3, &good, SEGMENT_HEADER, NULL),
			    "another message lies at that place");
	bad = good, bad.size--;
	assert_non_null(fault(w.fd, 2, &bad));
	static const uint64_t offsets[] = {0, 8, 40, 1, INT64_MAX, UINT64_MAX - 7, SIZE, 2 * SIZE};
	for (size_t i = 0; i < sizeof(offsets) / sizeof(*offsets); i++) {
		bad = good, bad.offset = offsets[i];
		assert_non_null(fault(w.fd, 2, &bad));
	}
	segment_abandon(&w);
}

static void only_names_of_segments_are_names_of_segments(void **state)
{
	(void)state;
	static const char *const bad[] = {
		"body-",     "body-1", "body-0000002A",  "body-000000002", "body-0000002x",
		"state.mdb", "",       "body-0000002a~", "body- 000002a"};
	char name[SEGMENT_NAME_MAX];
	uint32_t number;

	assert_true(segment_name_parse(segment_name(UINT32_MAX, name), &number));
	assert_true(number == UINT32_MAX);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_false(segment_name_parse(bad[i], &number));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_checksum_is_castagnolis_either_way),
		tmpdir_test(bodies_of_every_size_are_read_back_after_a_seal),
		tmpdir_test(a_segment_that_is_there_is_never_overwritten),
		tmpdir_test(a_body_that_is_shorter_than_promised_leaves_no_trace),
		tmpdir_test(a_copy_takes_over_the_checksum_that_was_promised),
		tmpdir_test(every_damaged_byte_of_a_record_is_noticed),
		tmpdir_test(a_wrong_place_is_refused),
		cmocka_unit_test(only_names_of_segments_are_names_of_segments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
