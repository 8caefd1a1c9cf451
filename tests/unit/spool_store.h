/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A store in a directory of the test's own, and messages for it. */
#ifndef GATEPOST_TESTS_UNIT_SPOOL_STORE_H
#define GATEPOST_TESTS_UNIT_SPOOL_STORE_H

#include "relay/spool/segment.h"
#include "relay/spool/store.h"
#include "tests/unit/cmocka.h"
#include "tests/unit/tmpdir.h"

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

static inline void on_segment(void *arg, uint32_t segment)
{
	(void)arg;
	int fd = store_segment_fd(segment);
	assert_true(fd >= 0);
	close(fd);
	told.segments++;
}

static inline void on_gone(void *arg, uint32_t segment)
{
	(void)arg;
	(void)segment;
	told.gone++;
}

static inline void on_moved(void *arg, const struct queued *m)
{
	(void)arg;
	told.moved++;
	told.last_moved.place = m->place;
	assert_true(m->envelope->id != 0);
}

static const struct store_watch watch = {on_segment, on_gone, on_moved};
static struct store_options options = {SEGMENT, 1024 * KIB, 1024 * KIB};

static inline struct store *open_store(void)
{
	struct buf error = BUF_INIT;
	struct store *s = store_open(&options, &watch, NULL, &error);

	if (!s)
		fail_msg("%s", buf_str(&error));
	buf_free(&error);
	return s;
}

static inline int setup(void **state)
{
	memset(&told, 0, sizeof(told));
	options = (struct store_options){SEGMENT, 1024 * KIB, 1024 * KIB};
	return tmpdir_setup(state);
}

/* --- messages --- */

static inline int body_fd(size_t n, unsigned char fill)
{
	int fd = memfd_create("body", MFD_CLOEXEC);
	char *bytes = malloc(n + 1);

	memset(bytes, fill, n + 1);
	assert_int_equal(write(fd, bytes, n), n);
	free(bytes);
	return fd;
}

static inline struct addition make(unsigned recipients, size_t size, unsigned char fill)
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

static inline void drop(struct addition *a)
{
	close(a->fd);
	envelope_free(a->envelope);
}

static inline uint64_t keep(struct store *s, unsigned recipients, size_t size, unsigned char fill)
{
	struct addition a = make(recipients, size, fill);

	assert_true(store_commit(s, NOW, &a, 1, NULL, 0));
	assert_int_equal(a.status, SUBMIT_KEPT);
	uint64_t id = a.envelope->id;
	drop(&a);
	return id;
}

static inline void note(struct store *s, uint64_t id, uint32_t recipient,
			enum recipient_state state)
{
	struct progress_item item = {
		.recipient = recipient, .state = (uint8_t)state, .attempts = 1, .next_ms = NOW + 1};
	struct progress p = {.message = id, .items = &item, .count = 1};
	const struct progress *all[] = {&p};

	snprintf(item.reply, sizeof(item.reply), "reply for %u", recipient);
	assert_true(store_commit(s, NOW, NULL, 0, all, 1));
}

static inline void deliver(struct store *s, uint64_t id)
{
	note(s, id, 0, RECIPIENT_DELIVERED);
}

static inline void assert_body(const struct place *place, uint64_t id, unsigned char fill)
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
static inline bool has(struct store *s, uint64_t id, unsigned char fill)
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

static inline unsigned count(struct store *s)
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

static inline unsigned files(const char *prefix)
{
	DIR *dir = opendir(".");
	struct dirent *entry;
	unsigned n = 0;

	while ((entry = readdir(dir)))
		n += strncmp(entry->d_name, prefix, strlen(prefix)) == 0;
	closedir(dir);
	return n;
}

#define store_test(f) cmocka_unit_test_setup_teardown(f, setup, tmpdir_teardown)

#endif
