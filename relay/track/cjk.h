/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shift_JIS, EUC-JP, EUC-KR, GBK and Big5, as the Encoding standard has them (§10 to §14):
 * characters of two bytes, found by a pointer into an index.
 *
 * Left out, so that text with them is not understood: EUC-JP's JIS X 0212, GB18030's four bytes,
 * Big5's pairs of a letter and a mark.
 */
#ifndef GATEPOST_RELAY_TRACK_CJK_H
#define GATEPOST_RELAY_TRACK_CJK_H

#include "lib/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum cjk { CJK_NONE, CJK_SHIFT_JIS, CJK_EUC_JP, CJK_EUC_KR, CJK_GBK, CJK_GB18030, CJK_BIG5 };

/* Appends s[n] as UTF-8; false when something in it stands for nothing, or is left out here. */
bool cjk_to_utf8(enum cjk kind, const char *s, size_t n, struct buf *out);

/* A character's bytes; how many: 0 when the charset has none for it. */
size_t cjk_from(enum cjk kind, uint32_t cp, unsigned char out[2]);

/* cjk_NAME.c: the characters of each row of an index, a space for none; NULL: an empty row. */
enum { CJK_ROWS = 126 };
extern const char *const cjk_jis0208[CJK_ROWS];
extern const char *const cjk_euckr[CJK_ROWS];
extern const char *const cjk_gbk[CJK_ROWS];
extern const char *const cjk_big5[CJK_ROWS];

#endif
