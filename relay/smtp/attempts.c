/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/smtp/attempts.h"

#include <stdlib.h>
#include <string.h>

enum { BUCKETS = 4096, NONE = -1, RINGS = 2 };

struct waiting {
	struct waiting *next;
	void *item;
};

/* A source's logins of one kind, its place in that kind's ring, and what they got wrong. */
struct queue {
	struct waiting *first, *last;
	int next_in_ring;
	unsigned waiting, failures;
	uint64_t failed_ms, not_before_ms;
};

struct source {
	struct addr network;
	bool used;
	int next_in_bucket;
	uint64_t failed_ms;         /* of either kind */
	struct queue queues[RINGS]; /* strangers, trusted */
};

/* Sources with something waiting, in the order of their turns. */
struct ring {
	int first, last;
	unsigned waiting;
};

struct attempts {
	struct source sources[ATTEMPTS_SOURCES_MAX];
	int buckets[BUCKETS];
	struct ring rings[RINGS];
	unsigned turn; /* which ring is asked first */
	uint64_t seed;
};

struct attempts *attempts_new(void)
{
	struct attempts *a = calloc(1, sizeof(*a));

	if (!a)
		abort();
	a->seed = (uint64_t)(uintptr_t)a;
	for (size_t i = 0; i < BUCKETS; i++)
		a->buckets[i] = NONE;
	for (size_t i = 0; i < RINGS; i++)
		a->rings[i] = (struct ring){.first = NONE, .last = NONE};
	return a;
}

void attempts_clear(struct attempts *a, void (*drop)(void *item))
{
	uint64_t wait_ms;
	void *item;

	while ((item = attempts_next(a, UINT64_MAX, &wait_ms)))
		drop(item);
}

void attempts_free(struct attempts *a)
{
	free(a);
}

struct addr attempts_source(const struct addr *a)
{
	struct addr network = *a;

	if (a->family == AF_INET6)
		memset(network.bytes + 8, 0, 8);
	return network;
}

/* ---- the table of sources ---- */

static int *bucket_of(struct attempts *a, const struct addr *network)
{
	uint64_t h = a->seed ^ 0xcbf29ce484222325;

	for (size_t i = 0; i < sizeof(network->bytes); i++)
		h = (h ^ network->bytes[i]) * 0x100000001b3;
	return &a->buckets[(h ^ h >> 29) % BUCKETS];
}

static struct source *find(struct attempts *a, const struct addr *network)
{
	for (int i = *bucket_of(a, network); i != NONE; i = a->sources[i].next_in_bucket)
		if (addr_cmp(&a->sources[i].network, network) == 0)
			return &a->sources[i];
	return NULL;
}

static void unlink_source(struct attempts *a, struct source *s)
{
	int *at = bucket_of(a, &s->network);
	int index = (int)(s - a->sources);

	while (*at != index)
		at = &a->sources[*at].next_in_bucket;
	*at = s->next_in_bucket;
	s->used = false;
}

static bool has_waiting(const struct source *s)
{
	return s->queues[0].waiting || s->queues[1].waiting;
}

/* A free place, or that of whom it costs least to forget: nothing waits, failed longest ago. */
static struct source *place(struct attempts *a)
{
	struct source *best = NULL;

	for (size_t i = 0; i < ATTEMPTS_SOURCES_MAX; i++) {
		struct source *s = &a->sources[i];

		if (!s->used)
			return s;
		if (!has_waiting(s) && (!best || s->failed_ms < best->failed_ms))
			best = s;
	}
	if (best)
		unlink_source(a, best);
	return best;
}

static struct source *find_or_add(struct attempts *a, const struct addr *source)
{
	struct addr network = attempts_source(source);
	struct source *s = find(a, &network);
	int *bucket;

	if (s)
		return s;
	s = place(a);
	if (!s)
		return NULL;
	bucket = bucket_of(a, &network);
	*s = (struct source){.network = network, .used = true, .next_in_bucket = *bucket};
	*bucket = (int)(s - a->sources);
	return s;
}

static void forget_old_failures(struct queue *q, uint64_t now_ms)
{
	if (q->failures && now_ms - q->failed_ms > ATTEMPTS_FORGOTTEN_MS)
		q->failures = 0;
}

/* ---- turns ---- */

static void join_ring(struct attempts *a, struct ring *r, size_t ring, int index)
{
	a->sources[index].queues[ring].next_in_ring = NONE;
	if (r->last == NONE)
		r->first = index;
	else
		a->sources[r->last].queues[ring].next_in_ring = index;
	r->last = index;
}

static int leave_ring(struct attempts *a, struct ring *r, size_t ring)
{
	int index = r->first;

	r->first = a->sources[index].queues[ring].next_in_ring;
	if (r->first == NONE)
		r->last = NONE;
	return index;
}

bool attempts_add(struct attempts *a, const struct addr *source, bool trusted, void *item,
		  uint64_t now_ms)
{
	size_t ring = trusted;
	struct source *s;
	struct queue *q;
	struct waiting *w;

	if (a->rings[ring].waiting >= ATTEMPTS_WAITING_MAX)
		return false;
	s = find_or_add(a, source);
	q = s ? &s->queues[ring] : NULL;
	if (!q || q->waiting >= ATTEMPTS_PER_SOURCE_MAX)
		return false;
	forget_old_failures(q, now_ms);
	if (!trusted && q->failures >= ATTEMPTS_REFUSED_AFTER)
		return false;
	w = calloc(1, sizeof(*w));
	if (!w)
		abort();
	w->item = item;
	if (q->first)
		q->last->next = w;
	else
		join_ring(a, &a->rings[ring], ring, (int)(s - a->sources));
	if (!q->first)
		q->first = w;
	q->last = w;
	q->waiting++;
	a->rings[ring].waiting++;
	return true;
}

static void *take(struct attempts *a, struct source *s, size_t ring)
{
	struct queue *q = &s->queues[ring];
	struct waiting *w = q->first;
	void *item = w->item;

	q->first = w->next;
	if (q->first)
		join_ring(a, &a->rings[ring], ring, (int)(s - a->sources));
	q->waiting--;
	a->rings[ring].waiting--;
	free(w);
	return item;
}

/* The first source in the ring that is due; those before it go behind the others. */
static void *next_of(struct attempts *a, size_t ring, uint64_t now_ms, uint64_t *wait_ms)
{
	struct ring *r = &a->rings[ring];
	int last = r->last;

	while (r->first != NONE) {
		int index = leave_ring(a, r, ring);
		struct source *s = &a->sources[index];

		uint64_t not_before_ms = s->queues[ring].not_before_ms;

		if (not_before_ms <= now_ms)
			return take(a, s, ring);
		if (not_before_ms - now_ms < *wait_ms)
			*wait_ms = not_before_ms - now_ms;
		join_ring(a, r, ring, index);
		if (index == last)
			break;
	}
	return NULL;
}

void *attempts_next(struct attempts *a, uint64_t now_ms, uint64_t *wait_ms)
{
	*wait_ms = UINT64_MAX;
	for (size_t i = 0; i < RINGS; i++) {
		size_t ring = (a->turn + 1 + i) % RINGS;
		void *item = next_of(a, ring, now_ms, wait_ms);

		if (item) {
			a->turn = (unsigned)ring;
			return item;
		}
	}
	return NULL;
}

unsigned attempts_failed(struct attempts *a, const struct addr *source, bool trusted,
			 uint64_t now_ms)
{
	struct source *s = find_or_add(a, source);
	uint64_t delay_ms = 1000;
	struct queue *q;

	if (!s)
		return 0;
	q = &s->queues[trusted];
	forget_old_failures(q, now_ms);
	q->failures++;
	q->failed_ms = s->failed_ms = now_ms;
	for (unsigned i = ATTEMPTS_SLOWED_AFTER; i < q->failures && delay_ms < ATTEMPTS_SLOWEST_MS;
	     i++)
		delay_ms *= 2;
	if (q->failures >= ATTEMPTS_SLOWED_AFTER)
		q->not_before_ms = now_ms + delay_ms;
	return q->failures;
}
