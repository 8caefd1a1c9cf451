/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Texts to numbers: finds in constant time what was met before. Keys are copied. Zeroed memory is
 * an empty map.
 */
#ifndef GATEPOST_FWRULES_KEYMAP_H
#define GATEPOST_FWRULES_KEYMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct keymap {
	struct keymap_slot *slots;
	size_t n, cap;
};

/* The number of key, or NULL. */
const size_t *keymap_get(const struct keymap *m, const char *key);
/* Gives key the number value, unless it has one; returns the number it has now. */
size_t keymap_put(struct keymap *m, const char *key, size_t value);
void keymap_free(struct keymap *m);

/* FNV-1a, 32 bits: the same for the same text at all times. */
uint32_t text_hash(const char *text);

#endif
