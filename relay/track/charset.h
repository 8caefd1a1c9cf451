/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Charsets, as far as links need them: what a byte over 127 in a link stands for, and back.
 *
 * UTF-8, the single-byte charsets of the Encoding standard (§9; charsets.c is made by charsets.py
 * and checked in) and its charsets of two bytes (cjk.h).
 */
#ifndef GATEPOST_RELAY_TRACK_CHARSET_H
#define GATEPOST_RELAY_TRACK_CHARSET_H

#include "lib/buf.h"
#include "relay/track/cjk.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct charset {
	const char *name;     /* the standard's, lower case */
	const uint16_t *high; /* what 0x80 to 0xff stand for, 0 for nothing; or NULL */
	enum cjk cjk;         /* one of two bytes; CJK_NONE with high NULL: UTF-8 */
};

/*
 * By any of its labels, in lower case; NULL when there is no table. "" and us-ascii are taken as
 * UTF-8.
 */
const struct charset *charset_find(const char *label);

/* True when ASCII bytes may mean something else in it (UTF-16, UTF-7, ISO-2022-*, HZ, EBCDIC). */
bool charset_unsafe(const char *label);

/* Appends s[n] as UTF-8; false when a byte stands for nothing. c may be NULL: only ASCII works. */
bool charset_to_utf8(const struct charset *c, const char *s, size_t n, struct buf *out);

bool charset_is_utf8(const struct charset *c);

/* A character's bytes; how many: 0 when the charset has none for it. Not for UTF-8. */
size_t charset_bytes(const struct charset *c, uint32_t cp, unsigned char out[2]);
/* True when the charset has every character: one without bytes here only lacks its table. */
bool charset_has_all(const struct charset *c);

/* charsets.c */
struct charset_label {
	const char *label; /* in order */
	const struct charset *charset;
};
extern const struct charset_label charset_labels[];
extern const size_t charset_label_count;

#endif
