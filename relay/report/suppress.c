/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The set is a table of marks, a power of two and at most half full; who is not at his place is at
 * one of the next. What is taken out leaves a hole that those behind it move into.
 */
#include "relay/report/suppress.h"

#include <ctype.h>
#include <mbedtls/sha256.h>
#include <stdlib.h>
#include <string.h>

uint64_t suppress_mark(const char *account, const char *address)
{
	mbedtls_sha256_context c;
	uint8_t sum[32];
	uint64_t mark = 0;

	mbedtls_sha256_init(&c);
	mbedtls_sha256_starts_ret(&c, 0);
	mbedtls_sha256_update_ret(&c, (const uint8_t *)account, strlen(account) + 1);
	for (const char *p = address; *p; p++) {
		uint8_t byte = (uint8_t)tolower((unsigned char)*p);
		mbedtls_sha256_update_ret(&c, &byte, 1);
	}
	mbedtls_sha256_finish_ret(&c, sum);
	mbedtls_sha256_free(&c);
	memcpy(&mark, sum, sizeof(mark));
	return mark ? mark : 1;
}

struct suppress_set {
	uint64_t *slots; /* 0: free */
	size_t size, count;
};

struct suppress_set *suppress_set_new(void)
{
	struct suppress_set *s = calloc(1, sizeof(*s));

	if (!s)
		abort();
	return s;
}

void suppress_set_free(struct suppress_set *s)
{
	if (s)
		free(s->slots);
	free(s);
}

size_t suppress_set_count(const struct suppress_set *s)
{
	return s->count;
}

static size_t find(const struct suppress_set *s, uint64_t mark)
{
	size_t i = mark & (s->size - 1);

	while (s->slots[i] && s->slots[i] != mark)
		i = (i + 1) & (s->size - 1);
	return i;
}

bool suppress_set_has(const struct suppress_set *s, uint64_t mark)
{
	return s->count && s->slots[find(s, mark)] == mark;
}

static void grow(struct suppress_set *s)
{
	struct suppress_set larger = {.size = s->size ? 2 * s->size : 64};

	larger.slots = calloc(larger.size, sizeof(*larger.slots));
	if (!larger.slots)
		abort();
	for (size_t i = 0; i < s->size; i++)
		if (s->slots[i])
			suppress_set_add(&larger, s->slots[i]);
	free(s->slots);
	*s = larger;
}

void suppress_set_add(struct suppress_set *s, uint64_t mark)
{
	if (2 * (s->count + 1) > s->size)
		grow(s);
	size_t i = find(s, mark);
	s->count += s->slots[i] == 0;
	s->slots[i] = mark;
}

void suppress_set_remove(struct suppress_set *s, uint64_t mark)
{
	if (!suppress_set_has(s, mark))
		return;
	size_t hole = find(s, mark);
	s->slots[hole] = 0;
	s->count--;
	for (size_t i = (hole + 1) & (s->size - 1); s->slots[i]; i = (i + 1) & (s->size - 1)) {
		uint64_t moved = s->slots[i];

		s->slots[i] = 0;
		s->slots[find(s, moved)] = moved;
	}
}
