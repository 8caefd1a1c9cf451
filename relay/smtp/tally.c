/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/smtp/tally.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tally_entry {
	struct tally_entry *next;
	uint64_t amount;
	char name[TALLY_NAME_MAX + 1];
};

static size_t hash(const char *name)
{
	uint64_t h = 0xcbf29ce484222325;

	for (; *name; name++)
		h = (h ^ (unsigned char)*name) * 0x100000001b3;
	return (size_t)(h ^ h >> 31);
}

/* Where the entry hangs, or would. t has buckets. */
static struct tally_entry **find(const struct tally *t, const char *name)
{
	struct tally_entry **at = &t->buckets[hash(name) & (t->bucket_count - 1)];

	while (*at && strcmp((*at)->name, name) != 0)
		at = &(*at)->next;
	return at;
}

static void grow(struct tally *t)
{
	struct tally old = *t;

	t->bucket_count = old.bucket_count ? 2 * old.bucket_count : 64;
	t->buckets = calloc(t->bucket_count, sizeof(struct tally_entry *));
	if (!t->buckets)
		abort();
	for (size_t i = 0; i < old.bucket_count; i++) {
		while (old.buckets[i]) {
			struct tally_entry *e = old.buckets[i];

			old.buckets[i] = e->next;
			e->next = NULL;
			*find(t, e->name) = e;
		}
	}
	free(old.buckets);
}

uint64_t tally_of(const struct tally *t, const char *name)
{
	const struct tally_entry *e = t->bucket_count ? *find(t, name) : NULL;

	return e ? e->amount : 0;
}

void tally_add(struct tally *t, const char *name, uint64_t amount)
{
	struct tally_entry **at;

	if (!amount)
		return;
	if (t->entries >= t->bucket_count)
		grow(t);
	at = find(t, name);
	if (!*at) {
		*at = calloc(1, sizeof(**at));
		if (!*at)
			abort();
		snprintf((*at)->name, sizeof((*at)->name), "%s", name);
		t->entries++;
	}
	(*at)->amount += amount;
}

void tally_take(struct tally *t, const char *name, uint64_t amount)
{
	struct tally_entry **at = t->bucket_count ? find(t, name) : NULL;
	struct tally_entry *e = at ? *at : NULL;

	if (!e)
		return;
	if (e->amount > amount) {
		e->amount -= amount;
		return;
	}
	*at = e->next;
	free(e);
	t->entries--;
}

void tally_set(struct tally *t, const char *name, uint64_t amount)
{
	uint64_t now = tally_of(t, name);

	if (amount > now)
		tally_add(t, name, amount - now);
	else
		tally_take(t, name, now - amount);
}

void tally_free(struct tally *t)
{
	for (size_t i = 0; i < t->bucket_count; i++) {
		while (t->buckets[i]) {
			struct tally_entry *e = t->buckets[i];

			t->buckets[i] = e->next;
			free(e);
		}
	}
	free(t->buckets);
	*t = (struct tally){0};
}
