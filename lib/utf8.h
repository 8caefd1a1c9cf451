/* SPDX-License-Identifier: GPL-2.0-or-later */
/* UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef GATEPOST_LIB_UTF8_H
#define GATEPOST_LIB_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The length (1 to 4) of the well-formed character that s[n] begins with, or 0; *cp its number. */
size_t utf8_decode(const char *s, size_t n, uint32_t *cp);

/* The length of the printable character that s[n] begins with; 0 for a control (C0, DEL, C1),
 * a line or paragraph separator, a bidirectional override, or a malformed byte. */
size_t utf8_printable(const char *s, size_t n);

bool utf8_valid(const char *s, size_t n);

/* Writes cp to out (room for 4); returns the length, 0 when cp is no character. */
size_t utf8_encode(uint32_t cp, char *out);

#endif
