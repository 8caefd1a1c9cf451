/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Host names in letters beyond ASCII, as DNS wants them: punycode (RFC 3492), "xn--…".
 *
 * UTS 46 maps and normalises a name first. Its tables are not here: this does the names that it
 * would leave as they are, or only make lower case (Latin-1, Greek, Cyrillic, Hebrew, Arabic
 * letters, kana, CJK, Hangul), and says so of any other.
 */
#ifndef GATEPOST_RELAY_TRACK_IDN_H
#define GATEPOST_RELAY_TRACK_IDN_H

#include "lib/buf.h"

#include <stdbool.h>
#include <stddef.h>

/* Appends host[n] (UTF-8) in lower-case ASCII; false, and nothing appended, when it is not one of
 * those names. */
bool idn_to_ascii(const char *host, size_t n, struct buf *out);

#endif
