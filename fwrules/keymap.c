/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fwrules/keymap.h"

#include <stdlib.h>
#include <string.h>

struct keymap_slot {
	char *key; /* NULL: free */
	size_t value;
};

uint32_t text_hash(const char *text)
{
	uint32_t h = 2166136261u;

	for (; *text; text++)
		h = (h ^ (unsigned char)*text) * 16777619u;
	return h;
}

/* The slot that holds key, or the free one where it belongs. cap is a power of two, never full. */
static struct keymap_slot *slot_of(struct keymap_slot *slots, size_t cap, const char *key)
{
	size_t i = text_hash(key) & (cap - 1);

	while (slots[i].key && strcmp(slots[i].key, key) != 0)
		i = (i + 1) & (cap - 1);
	return &slots[i];
}

const size_t *keymap_get(const struct keymap *m, const char *key)
{
	if (!m->cap)
		return NULL;
	const struct keymap_slot *slot = slot_of(m->slots, m->cap, key);
	return slot->key ? &slot->value : NULL;
}

static void grow(struct keymap *m)
{
	size_t cap = m->cap ? m->cap * 2 : 64;
	struct keymap_slot *slots = calloc(cap, sizeof(*slots));

	if (!slots)
		abort();
	for (size_t i = 0; i < m->cap; i++)
		if (m->slots[i].key)
			*slot_of(slots, cap, m->slots[i].key) = m->slots[i];
	free(m->slots);
	m->slots = slots;
	m->cap = cap;
}

size_t keymap_put(struct keymap *m, const char *key, size_t value)
{
	if (m->n * 2 >= m->cap)
		grow(m);
	struct keymap_slot *slot = slot_of(m->slots, m->cap, key);
	if (!slot->key) {
		slot->key = strdup(key);
		if (!slot->key)
			abort();
		slot->value = value;
		m->n++;
	}
	return slot->value;
}

void keymap_free(struct keymap *m)
{
	for (size_t i = 0; i < m->cap; i++)
		free(m->slots[i].key);
	free(m->slots);
	*m = (struct keymap){0};
}
