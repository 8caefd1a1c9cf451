/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mail coming and going through the real store, without its process: what a message costs, whether
 * the rate falls once very many have come and gone, and how much disk it takes meanwhile.
 *
 *   spool_churn COUNT [name=value...]
 *
 * In the working directory, which begins empty and is left with the spool in it. COUNT messages are
 * kept in batches and delivered `lag` messages later; one in `defer` waits for `late` messages
 * more, as one whose peer is away. Their sizes are spread log-uniformly, most over min..20 KB, and
 * as many over min..max as make their mean `mean`. Then a fresh store is made in `fresh/`, and
 * both take `probe` messages (of one size: 5 KB) in turns, so that whoever else uses the disk slows
 * both. It says, in one line of JSON: the rates (of the probes the medians of the turns), the CPU
 * time of a message in the store, and the most disk that was in use, looked at as often as the
 * store is ticked.
 *
 *   batch=16 lag=256 defer=200 late=20000 min=1000 max=5000000 mean=20000 probe=2000 queued=0
 *
 * queued=N: so many messages are there before the first, and stay until the last has gone.
 */
#include "lib/buf.h"
#include "lib/log.h"
#include "relay/spool/store.h"

#include <dirent.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BODIES     512 /* of different sizes, used again and again */
#define BATCH_MAX  1024
#define PROBE_SIZE 5000
#define TURNS      7
#define TICK_EVERY 2000 /* messages: as much as a busy relay has in a second */

static struct {
	unsigned long count, batch, lag, defer, late, min, max, mean, probe, queued;
} want = {0, 16, 256, 200, 20000, 1000, 5000000, 20000, 2000, 0};

static const struct {
	const char *name;
	unsigned long *value;
} settings[] = {{"batch", &want.batch}, {"lag", &want.lag},     {"defer", &want.defer},
		{"late", &want.late},   {"min", &want.min},     {"max", &want.max},
		{"mean", &want.mean},   {"probe", &want.probe}, {"queued", &want.queued}};

static struct {
	uint64_t id;
	bool deferred;
} * waiting; /* a ring: those that were kept and are not delivered yet */
static size_t ring, first, next;
static uint64_t *late;
static size_t late_ring, late_first, late_next;

static struct store *store;
static double store_cpu_s;
static size_t since_tick;
static uint64_t disk_max, bytes_kept;
static int bodies[BODIES], probe_body;

static double clock_s(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static uint64_t random_state = 88172645463325252ULL;

static double chance(void) /* xorshift64*, in [0, 1) */
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (double)((random_state * 2685821657736338717ULL) >> 11) / (double)(1ULL << 53);
}

/* --- the store's surroundings --- */

static void ignore_segment(void *arg, uint32_t segment)
{
	(void)arg;
	(void)segment;
}

static void ignore_moved(void *arg, const struct queued *m)
{
	(void)arg;
	(void)m;
}

static void open_store(void)
{
	static const struct store_watch watch = {ignore_segment, ignore_segment, ignore_moved};
	static const struct store_options options;
	struct buf error = BUF_INIT;

	store = store_open(&options, &watch, NULL, &error);
	if (!store)
		fatal("%s", buf_str(&error));
}

static uint64_t disk_in_use(void)
{
	uint64_t bytes = 0;
	DIR *dir = opendir(".");
	struct dirent *entry;
	struct stat st;

	while (dir && (entry = readdir(dir)))
		if (strcmp(entry->d_name, "reserve") != 0 && stat(entry->d_name, &st) == 0 &&
		    S_ISREG(st.st_mode))
			bytes += (uint64_t)st.st_blocks * 512;
	if (dir)
		closedir(dir);
	return bytes;
}

static void tick(size_t messages)
{
	double before;

	since_tick += messages;
	if (since_tick < TICK_EVERY)
		return;
	since_tick = 0;
	before = clock_s(CLOCK_PROCESS_CPUTIME_ID);
	store_tick(store, (uint64_t)(clock_s(CLOCK_MONOTONIC) * 1000));
	store_cpu_s += clock_s(CLOCK_PROCESS_CPUTIME_ID) - before;
	uint64_t in_use = disk_in_use();
	if (in_use > disk_max)
		disk_max = in_use;
}

/* --- messages --- */

static int body_of(size_t size)
{
	int fd = memfd_create("body", MFD_CLOEXEC);
	char *bytes = malloc(size + 1);

	if (fd < 0 || !bytes)
		fatal("no memory for a body of %zu bytes", size);
	for (size_t i = 0; i < size; i++)
		bytes[i] = (char)(' ' + (i * 31 + size) % 90);
	if (write(fd, bytes, size) != (ssize_t)size)
		fatal("cannot write a body");
	free(bytes);
	return fd;
}

/* Log-uniform over min..max up to `mean` in the mean: what is over 100 KB is thinned out for it. */
static void make_bodies(void)
{
	double spread = log((double)want.max / (double)want.min);

	for (size_t i = 0; i < BODIES; i++) {
		double size = (double)want.min * exp(spread * ((double)i + 0.5) / BODIES);

		bodies[i] = body_of((size_t)size);
	}
	probe_body = body_of(PROBE_SIZE);
}

static int random_body(void)
{
	/* The mean of a log-uniform spread is (max - min) / log(max / min); of the small part of
	 * it alone, much less. How often the whole spread is drawn follows from the mean. */
	double mean_all = (double)(want.max - want.min) / log((double)want.max / (double)want.min);
	double small_max = want.max < 20000 ? (double)want.max : 20000;
	double mean_small = (small_max - (double)want.min) / log(small_max / (double)want.min);
	double share = ((double)want.mean - mean_small) / (mean_all - mean_small + 1);
	double spread = log((double)want.max / (double)want.min);
	double top = chance() < share ? spread : log(small_max / (double)want.min);

	return bodies[(size_t)(chance() * top / spread * (BODIES - 1))];
}

static struct addition addition(int fd)
{
	struct addition a = {.envelope = envelope_new(), .fd = fd};

	envelope_set(&a.envelope->account, "acme");
	envelope_set(&a.envelope->sender, "newsletter@acme.example");
	envelope_set(&a.envelope->header_from, "newsletter@acme.example");
	envelope_set(&a.envelope->helo, "web1.acme.example");
	envelope_set(&a.envelope->subject, "What is new in November, and what it costs");
	envelope_set(&a.envelope->message_id, "<20261123210841.4711.1@web1.acme.example>");
	envelope_set(&a.envelope->pool, "shared");
	envelope_set(&a.envelope->track_host, "t.example.net");
	envelope_set(&a.envelope->sign_domain, "acme.example");
	envelope_set(&a.envelope->sign_selector, "g1");
	envelope_add_recipient(a.envelope, "somebody.with.a.name@customer.example");
	return a;
}

static bool commit(struct addition *additions, size_t count, const struct progress *const *progress,
		   size_t progress_count)
{
	double before = clock_s(CLOCK_PROCESS_CPUTIME_ID);
	bool noted = store_commit(store, (uint64_t)(clock_s(CLOCK_REALTIME) * 1000), additions,
				  count, progress, progress_count);

	store_cpu_s += clock_s(CLOCK_PROCESS_CPUTIME_ID) - before;
	return noted;
}

static size_t in_ring(size_t from, size_t to, size_t size)
{
	return (to + size - from) % size;
}

/* Takes the oldest that are due; the ids. */
static size_t due(uint64_t *ids, size_t max, bool all)
{
	size_t n = 0;

	size_t late_allowed = all || !want.defer ? 0 : want.late / want.defer;

	while (n < max && in_ring(late_first, late_next, late_ring) > late_allowed) {
		ids[n++] = late[late_first];
		late_first = (late_first + 1) % late_ring;
	}
	while (n < max && in_ring(first, next, ring) > (all ? 0 : want.lag)) {
		if (waiting[first].deferred && !all) {
			late[late_next] = waiting[first].id;
			late_next = (late_next + 1) % late_ring;
		} else {
			ids[n++] = waiting[first].id;
		}
		first = (first + 1) % ring;
	}
	return n;
}

/* One batch: so many new ones, and as many of the old delivered. */
static size_t step(size_t count, bool probe, bool drain)
{
	static struct addition additions[BATCH_MAX];
	static struct progress progress[2 * BATCH_MAX];
	static const struct progress *all[2 * BATCH_MAX];
	static uint64_t ids[2 * BATCH_MAX];
	struct progress_item item = {.state = RECIPIENT_DELIVERED, .attempts = 1};
	size_t gone = due(ids, 2 * BATCH_MAX, drain);

	strcpy(item.reply, "250 2.0.0 Ok: queued as 4X5Y6Z7");
	for (size_t i = 0; i < count; i++)
		additions[i] = addition(probe ? probe_body : random_body());
	for (size_t i = 0; i < gone; i++) {
		progress[i] = (struct progress){ids[i], &item, 1};
		all[i] = &progress[i];
	}
	if (!commit(additions, count, all, gone))
		fatal("progress is refused");
	for (size_t i = 0; i < count; i++) {
		if (additions[i].status != SUBMIT_KEPT)
			fatal("a message is refused");
		waiting[next].id = additions[i].envelope->id;
		waiting[next].deferred = want.defer && chance() * (double)want.defer < 1;
		next = (next + 1) % ring;
		bytes_kept += additions[i].envelope->size;
		envelope_free(additions[i].envelope);
	}
	tick(count);
	return gone;
}

static double rate_of(unsigned long count, bool probe)
{
	double start = clock_s(CLOCK_MONOTONIC);

	for (unsigned long done = 0; done < count; done += want.batch)
		step(want.batch, probe, false);
	return (double)count / (clock_s(CLOCK_MONOTONIC) - start);
}

static void drain(void)
{
	while (step(0, false, true))
		;
}

/* One of the two stores, and what it did in each turn. */
struct probe {
	struct store *store;
	const char *directory; /* from the other's */
	double rates[TURNS], cpu_s;
};

static void probe(struct probe *p, size_t turn)
{
	if (chdir(p->directory) != 0)
		fatal("cannot go to '%s'", p->directory);
	store = p->store;
	store_cpu_s = 0;
	p->rates[turn] = rate_of(want.probe / TURNS, true);
	p->cpu_s += store_cpu_s;
	drain();
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(struct probe *p)
{
	qsort(p->rates, TURNS, sizeof(*p->rates), by_size);
	return p->rates[TURNS / 2];
}

static void fill_queue(void)
{
	unsigned long batch = want.batch;

	for (unsigned long done = 0; done < want.queued; done += BATCH_MAX / 2) {
		struct addition additions[BATCH_MAX / 2];

		for (size_t i = 0; i < BATCH_MAX / 2; i++)
			additions[i] = addition(probe_body);
		commit(additions, BATCH_MAX / 2, NULL, 0);
		for (size_t i = 0; i < BATCH_MAX / 2; i++)
			envelope_free(additions[i].envelope);
		tick(BATCH_MAX / 2);
	}
	want.batch = batch;
}

/* Anonymous and shared memory, in KiB; files that are mapped are the kernel's to drop. */
static unsigned long memory_kib(void)
{
	struct buf status = BUF_INIT;
	unsigned long anonymous = 0, shared = 0;
	const char *at;

	if (!buf_read_file(&status, "/proc/self/status", 65536))
		return 0;
	if ((at = strstr(buf_str(&status), "RssAnon:")))
		anonymous = strtoul(at + 8, NULL, 10);
	if ((at = strstr(buf_str(&status), "RssShmem:")))
		shared = strtoul(at + 9, NULL, 10);
	buf_free(&status);
	return anonymous + shared;
}

static bool read_settings(int argc, char **argv)
{
	if (argc < 2 || !(want.count = strtoul(argv[1], NULL, 10)))
		return false;
	for (int i = 2; i < argc; i++) {
		size_t n = strcspn(argv[i], "="), s = 0;
		size_t known = sizeof(settings) / sizeof(*settings);

		while (s < known && (strlen(settings[s].name) != n ||
				     strncmp(settings[s].name, argv[i], n) != 0))
			s++;
		if (s == known || !argv[i][n])
			return false;
		*settings[s].value = strtoul(argv[i] + n + 1, NULL, 10);
	}
	return want.batch && want.batch <= BATCH_MAX && want.min && want.max > want.min;
}

int main(int argc, char **argv)
{
	log_open("spool_churn", LOG_LEVEL_WARN);
	if (!read_settings(argc, argv)) {
		fputs("usage: spool_churn COUNT [name=value...]\n", stderr);
		return 2;
	}
	ring = want.lag + 2 * BATCH_MAX + 1;
	late_ring = (want.defer ? want.late / want.defer : 0) + 4 * BATCH_MAX;
	waiting = calloc(ring, sizeof(*waiting));
	late = calloc(late_ring, sizeof(*late));
	make_bodies();
	open_store();
	fill_queue();

	double churn = rate_of(want.count, false);
	unsigned long memory = memory_kib();
	drain();
	struct probe churned = {store, ".."}, fresh = {NULL, "fresh"};
	uint64_t left = store_figures(store).messages;
	if (mkdir("fresh", 0700) != 0 || chdir("fresh") != 0)
		fatal("cannot make the directory 'fresh'");
	open_store();
	fresh.store = store;
	for (size_t turn = 0; turn < TURNS; turn++) {
		probe(&churned, turn);
		probe(&fresh, turn);
	}
	printf("{\"messages\": %lu, \"bytes\": %" PRIu64 ", \"churn_per_s\": %.0f, "
	       "\"fresh_per_s\": %.0f, \"churned_per_s\": %.0f, \"churn_ratio\": %.2f, "
	       "\"cpu_us_fresh\": %.1f, \"cpu_us_churned\": %.1f, \"disk_max_mb\": %.1f, "
	       "\"left\": %" PRIu64 ", \"memory_kib\": %lu}\n",
	       want.count, bytes_kept, churn, median(&fresh), median(&churned),
	       median(&churned) / median(&fresh), fresh.cpu_s * 1e6 / (double)want.probe,
	       churned.cpu_s * 1e6 / (double)want.probe, (double)disk_max / 1e6, left, memory);
	store_close(churned.store);
	store_close(fresh.store);
	return 0;
}
