/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Charsets, as far as links need them: what a byte over 127 in a link stands for, and back.
 *
 * UTF-8 and the single-byte charsets of the Encoding standard (§9) have tables; charsets.c is made
 * by charsets.py and checked in. For the others (Shift_JIS, GBK, …) ASCII links work as anywhere;
 * one with other characters is left alone.
 */
#ifndef GATEPOST_RELAY_TRACK_CHARSET_H
#define GATEPOST_RELAY_TRACK_CHARSET_H

#include "lib/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct charset {
	const char *name;     /* the standard's, lower case */
	const uint16_t *high; /* what 0x80 to 0xff stand for, 0 for nothing; NULL: UTF-8 */
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

/* The byte for a character; 0 when the charset has none (not for UTF-8). */
unsigned char charset_byte(const struct charset *c, uint32_t cp);

/* charsets.c */
struct charset_label {
	const char *label; /* in order */
	const struct charset *charset;
};
extern const struct charset_label charset_labels[];
extern const size_t charset_label_count;

#endif
