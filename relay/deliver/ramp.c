/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/deliver/ramp.h"

#include "relay/deliver/route.h"

#include <stdlib.h>
#include <string.h>

struct ramp_count {
	struct ramp_count *next;
	struct addr source;
	uint32_t hash, sent;
	char provider[];
};

uint32_t ramp_allowance(const uint32_t *table, size_t count, uint32_t begin, uint32_t day)
{
	uint32_t index = day > begin ? day - begin : 0;

	return index < count ? table[index] : RAMP_NO_BOUND;
}

void ramp_free(struct ramp *r)
{
	for (size_t i = 0; i < r->size; i++)
		for (struct ramp_count *c = r->table[i], *next; c; c = next) {
			next = c->next;
			free(c);
		}
	free(r->table);
	*r = (struct ramp){.day = r->day, .taken = r->taken};
}

static void grow(struct ramp *r)
{
	struct ramp_count **old = r->table;
	size_t size = r->size;

	if (r->count < size)
		return;
	r->size = size ? 2 * size : 64;
	r->table = calloc(r->size, sizeof(struct ramp_count *));
	if (!r->table)
		abort();
	for (size_t i = 0; i < size; i++)
		for (struct ramp_count *c = old[i], *next; c; c = next) {
			struct ramp_count **slot = &r->table[c->hash & (r->size - 1)];

			next = c->next;
			c->next = *slot;
			*slot = c;
		}
	free(old);
}

static uint32_t hash_of(const struct addr *source, const char *provider)
{
	uint32_t h = route_hash(provider);

	for (size_t i = 0; i < sizeof(source->bytes); i++)
		h = (h ^ source->bytes[i]) * UINT32_C(16777619);
	return h;
}

static struct ramp_count *find(const struct ramp *r, uint32_t hash, const struct addr *source,
			       const char *provider)
{
	struct ramp_count *c = r->size ? r->table[hash & (r->size - 1)] : NULL;

	while (c && (c->hash != hash || addr_cmp(&c->source, source) != 0 ||
		     strcmp(c->provider, provider) != 0))
		c = c->next;
	return c;
}

static void new_day(struct ramp *r, uint32_t day)
{
	if (r->day == day)
		return;
	ramp_free(r);
	r->day = day;
}

uint32_t ramp_sent(struct ramp *r, const struct addr *source, const char *provider, uint32_t day)
{
	new_day(r, day);
	const struct ramp_count *c = find(r, hash_of(source, provider), source, provider);

	return c ? c->sent : 0;
}

void ramp_add(struct ramp *r, const struct addr *source, const char *provider, uint32_t day,
	      uint32_t n)
{
	uint32_t hash = hash_of(source, provider);

	new_day(r, day);
	r->taken++;
	struct ramp_count *c = find(r, hash, source, provider);
	if (!c) {
		size_t size = strlen(provider) + 1;

		grow(r);
		c = calloc(1, sizeof(*c) + size);
		if (!c)
			abort();
		c->source = *source;
		c->hash = hash;
		memcpy(c->provider, provider, size);
		c->next = r->table[hash & (r->size - 1)];
		r->table[hash & (r->size - 1)] = c;
		r->count++;
	}
	c->sent = c->sent > UINT32_MAX - n ? UINT32_MAX : c->sent + n;
}

void ramp_save(const struct ramp *r, uint32_t least, ramp_fn *fn, void *arg)
{
	for (size_t i = 0; i < r->size; i++)
		for (const struct ramp_count *c = r->table[i]; c; c = c->next)
			if (c->sent >= least)
				fn(&c->source, c->provider, c->sent, arg);
}
