/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The spool's store without its process, for the crash test. In the working directory:
 *
 *   spool_driver run SEED STEPS    works at random; says what it is about to do, does it, says
 *                                  what came of it
 *   spool_driver check             opens what a power cut left, says what is there, and keeps one
 *                                  message more
 *   spool_driver export DIRECTORY  writes each message's bytes to a file there
 *
 * Each line leaves in one write(2), so that drop_unsynced.c has it in order with the writes to the
 * disk. Lines:
 *   trying SIZE CRC                 noting ID RECIPIENT STATE
 *   kept ID SIZE CRC RECIPIENTS     noted ID RECIPIENT STATE      (or: failed ID)
 *   refused SIZE CRC full|error
 *   have ID SIZE CRC STATES         a digit per recipient
 *   moved ID                        its body has a new place
 *   damaged N                       messages set aside
 *   usable
 */
#include "lib/buf.h"
#include "lib/log.h"
#include "relay/spool/bodies.h"
#include "relay/spool/crc32c.h"
#include "relay/spool/segment.h"
#include "relay/spool/store.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BATCH_MAX      8
#define RECIPIENTS_MAX 3
#define KNOWN_MAX      4096

static uint64_t random_state;

static unsigned pick(unsigned n) /* xorshift64* */
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (unsigned)((random_state * 2685821657736338717ULL) >> 33) % n;
}

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *format, ...)
{
	struct buf line = BUF_INIT;
	va_list ap;

	va_start(ap, format);
	buf_vprintf(&line, format, ap);
	va_end(ap);
	if (write(STDOUT_FILENO, line.data, line.len) != (ssize_t)line.len)
		exit(3);
	buf_free(&line);
}

static void ignore_segment(void *arg, uint32_t segment)
{
	(void)arg;
	(void)segment;
}

static void say_moved(void *arg, const struct queued *m)
{
	(void)arg;
	say("moved %" PRIu64 "\n", m->envelope->id);
}

static struct store *open_store(void)
{
	static const struct store_watch watch = {ignore_segment, ignore_segment, say_moved};
	static const struct store_options options = {256 * 1024, 1024 * 1024, 256 * 1024};
	struct buf error = BUF_INIT;
	struct store *s = store_open(&options, &watch, NULL, &error);

	if (!s) {
		dprintf(STDERR_FILENO, "spool_driver: %s\n", buf_str(&error));
		exit(2);
	}
	return s;
}

/* --- what it keeps --- */

static struct known {
	uint64_t id;
	uint32_t recipients;
} known[KNOWN_MAX];
static size_t known_count;

static size_t random_size(void)
{
	switch (pick(8)) {
	case 0:
		return pick(64);
	case 1:
		return 100 * 1024 + pick(400 * 1024); /* over the write buffer, over a segment */
	default:
		return pick(20000);
	}
}

static struct addition random_addition(uint32_t *crc)
{
	struct addition a = {.envelope = envelope_new(), .fd = -1};
	size_t n = random_size();
	unsigned char *bytes = malloc(n + 1);

	for (size_t i = 0; i < n; i++)
		bytes[i] = (unsigned char)pick(256);
	*crc = crc32c(0, bytes, n);
	/* Bodies come as bytes or as a file. */
	if (n % 2) {
		a.bytes = bytes;
		a.size = n;
	} else {
		a.fd = memfd_create("body", 0);
		if (write(a.fd, bytes, n) != (ssize_t)n)
			exit(3);
		free(bytes);
	}
	a.envelope->size = n;
	for (unsigned i = 1 + pick(RECIPIENTS_MAX); i; i--)
		envelope_add_recipient(a.envelope, "c@d.example");
	return a;
}

static void drop(struct addition *a)
{
	envelope_free(a->envelope);
	if (a->fd >= 0)
		close(a->fd);
	free((void *)(uintptr_t)a->bytes);
}

struct batch {
	struct addition additions[BATCH_MAX];
	uint32_t crcs[BATCH_MAX];
	size_t count;
	struct progress progress[BATCH_MAX];
	struct progress_item items[BATCH_MAX];
	size_t progress_count;
};

static void plan(struct batch *b)
{
	*b = (struct batch){.count = pick(BATCH_MAX + 1), .progress_count = pick(BATCH_MAX + 1)};
	for (size_t i = 0; i < b->count; i++) {
		b->additions[i] = random_addition(&b->crcs[i]);
		say("trying %" PRIu64 " %08x\n", b->additions[i].envelope->size, b->crcs[i]);
	}
	if (!known_count)
		b->progress_count = 0;
	for (size_t i = 0; i < b->progress_count; i++) {
		/* Mostly young ones: old ones get moved. */
		size_t window = pick(4) ? (known_count < 40 ? known_count : 40) : known_count;
		const struct known *k = &known[known_count - 1 - pick((unsigned)window)];
		unsigned roll = pick(10);

		b->items[i] = (struct progress_item){.recipient = pick(k->recipients),
						     .state = roll < 7   ? RECIPIENT_DELIVERED
							      : roll < 8 ? RECIPIENT_FAILED
									 : RECIPIENT_HELD,
						     .attempts = 1};
		b->progress[i] = (struct progress){k->id, &b->items[i], 1};
		say("noting %" PRIu64 " %u %u\n", k->id, b->items[i].recipient, b->items[i].state);
	}
}

static void report(struct batch *b, bool noted)
{
	for (size_t i = 0; i < b->count; i++) {
		struct addition *a = &b->additions[i];
		const struct envelope *e = a->envelope;

		if (a->status == SUBMIT_KEPT) {
			say("kept %" PRIu64 " %" PRIu64 " %08x %zu\n", e->id, e->size, b->crcs[i],
			    e->recipient_count);
			if (known_count < KNOWN_MAX)
				known[known_count++] =
					(struct known){e->id, (uint32_t)e->recipient_count};
		} else {
			say("refused %" PRIu64 " %08x %s\n", e->size, b->crcs[i],
			    a->status == SUBMIT_FULL ? "full" : "error");
		}
		drop(a);
	}
	for (size_t i = 0; i < b->progress_count; i++) {
		if (noted)
			say("noted %" PRIu64 " %u %u\n", b->progress[i].message,
			    b->items[i].recipient, b->items[i].state);
		else
			say("failed %" PRIu64 "\n", b->progress[i].message);
	}
}

static int run(uint64_t seed, unsigned steps)
{
	const struct progress *progress[BATCH_MAX];
	static struct batch b;
	struct store *s = open_store();
	uint64_t now_ms = 1;

	random_state = seed * 2654435761ULL + 1;
	for (unsigned i = 0; i < steps; i++) {
		plan(&b);
		for (size_t j = 0; j < b.progress_count; j++)
			progress[j] = &b.progress[j];
		report(&b, store_commit(s, 1700000000000 + now_ms, b.additions, b.count, progress,
					b.progress_count));
		/* Batches that the state does not hold yet, some of them many. */
		now_ms += pick(2) ? 1000 : BODIES_REST_MS;
		if (!pick(4))
			store_tick(s, now_ms);
	}
	store_close(s);
	return 0;
}

/* --- what is left --- */

static bool body_crc(const struct queued *q, uint32_t *crc)
{
	int fd = store_segment_fd(q->place.segment);
	const char *fault =
		fd < 0 ? "no segment"
		       : segment_check(fd, q->envelope->id, &q->place, SEGMENT_BODY, crc);

	if (fault)
		say("bad %" PRIu64 " %s\n", q->envelope->id, fault);
	if (fd >= 0)
		close(fd);
	return !fault;
}

static int check(void)
{
	struct store *s = open_store();
	uint64_t after = 0;
	struct queued q;
	uint32_t crc;

	while (store_next(s, after, &q)) {
		char states[RECIPIENTS_MAX + 1] = "";

		after = q.envelope->id;
		for (size_t i = 0; i < q.envelope->recipient_count; i++)
			states[i] = (char)('0' + q.envelope->recipients[i].state);
		if (body_crc(&q, &crc))
			say("have %" PRIu64 " %" PRIu64 " %08x %s\n", after, q.place.size, crc,
			    states);
		envelope_free(q.envelope);
	}
	say("damaged %" PRIu64 "\n", store_figures(s).damaged);

	struct addition a = random_addition(&crc);
	if (store_commit(s, 1700000000000, &a, 1, NULL, 0) && a.status == SUBMIT_KEPT &&
	    a.envelope->id > after)
		say("usable\n");
	drop(&a);
	store_close(s);
	return 0;
}

static void write_body(const struct queued *q, const char *directory)
{
	int from = store_segment_fd(q->place.segment), to;
	char *bytes = malloc(q->place.size + 1);
	struct buf path = BUF_INIT;

	buf_printf(&path, "%s/%" PRIu64, directory, q->envelope->id);
	to = open(buf_str(&path), O_WRONLY | O_CREAT | O_EXCL, 0600);
	ssize_t n = (ssize_t)q->place.size;
	if (from < 0 || to < 0 || !bytes ||
	    pread(from, bytes, (size_t)n, (off_t)q->place.offset) != n ||
	    write(to, bytes, (size_t)n) != n)
		exit(3);
	close(from);
	close(to);
	free(bytes);
	buf_free(&path);
}

static int export(const char *directory)
{
	struct store *s = open_store();
	uint64_t after = 0;
	struct queued q;

	while (store_next(s, after, &q)) {
		after = q.envelope->id;
		write_body(&q, directory);
		envelope_free(q.envelope);
	}
	say("damaged %" PRIu64 "\n", store_figures(s).damaged);
	store_close(s);
	return 0;
}

int main(int argc, char **argv)
{
	log_open("spool_driver", LOG_LEVEL_WARN);
	random_state = 1;
	if (argc == 4 && strcmp(argv[1], "run") == 0)
		return run(strtoull(argv[2], NULL, 10), (unsigned)strtoul(argv[3], NULL, 10));
	if (argc == 2 && strcmp(argv[1], "check") == 0)
		return check();
	if (argc == 3 && strcmp(argv[1], "export") == 0)
		return export(argv[2]);
	fputs("usage: spool_driver run SEED STEPS | check | export DIRECTORY\n", stderr);
	return 2;
}
