/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An index is kept as text, which is small and can be read; the first character that is asked of it
 * unfolds it into two tables, from pointers to characters and back.
 */
#include "relay/track/cjk.h"

#include "lib/utf8.h"

#include <stdlib.h>
#include <string.h>

enum { BMP = 0x10000, NOWHERE = 0xffff, COLUMNS_MAX = 190 };

struct index {
	const char *const *rows;
	unsigned columns;
	/* Pointers that the encoder does not give, as long as there is another: */
	unsigned hidden, hidden_end;
	bool hide_all;        /* ... and even if there is none */
	uint32_t *characters; /* by pointer, 0 for none; NULL: still folded */
	uint16_t *pointers;   /* by character, NOWHERE for none */
};

/* The standard's "index Shift_JIS pointer" leaves NEC's copies of IBM's characters out; its "index
 * Big5 pointer" all that comes before the first character of Big5 proper. */
static struct index jis0208 = {.rows = cjk_jis0208, .columns = 94};
static struct index shift_jis = {
	.rows = cjk_jis0208, .columns = 94, .hidden = 8272, .hidden_end = 8836, .hide_all = true};
static struct index euckr = {.rows = cjk_euckr, .columns = 190};
static struct index gbk = {.rows = cjk_gbk, .columns = 190};
static struct index big5 = {.rows = cjk_big5,
			    .columns = 157,
			    .hidden = 0,
			    .hidden_end = (0xa1 - 0x81) * 157,
			    .hide_all = true};

static void unfold_row(struct index *x, unsigned row)
{
	const char *s = x->rows[row], *end = s ? s + strlen(s) : s;

	for (unsigned i = row * x->columns; s < end; i++) {
		uint32_t cp;

		s += utf8_decode(s, (size_t)(end - s), &cp);
		if (cp == ' ')
			continue;
		x->characters[i] = cp;
		bool hides = x->hide_all && i >= x->hidden && i < x->hidden_end;
		if (cp < BMP && !hides && x->pointers[cp] == NOWHERE)
			x->pointers[cp] = (uint16_t)i;
	}
}

static void unfold(struct index *x)
{
	/* Of six characters that it has twice, Big5 gives the second (§14.2.1). */
	static const struct {
		uint16_t cp, pointer;
	} second[] = {{0x2550, 18991}, {0x255e, 18975}, {0x2561, 18977},
		      {0x256a, 18976}, {0x5341, 5512},  {0x5345, 5599}};

	if (x->characters)
		return;
	x->characters = calloc((size_t)CJK_ROWS * x->columns, sizeof(*x->characters));
	x->pointers = malloc(BMP * sizeof(*x->pointers));
	if (!x->characters || !x->pointers)
		abort();
	memset(x->pointers, 0xff, BMP * sizeof(*x->pointers));
	for (unsigned row = 0; row < CJK_ROWS; row++)
		unfold_row(x, row);
	for (size_t i = 0; x == &big5 && i < sizeof(second) / sizeof(*second); i++)
		x->pointers[second[i].cp] = second[i].pointer;
}

/* 0 for none. */
static uint32_t character_at(struct index *x, unsigned pointer)
{
	unfold(x);
	return pointer < CJK_ROWS * x->columns ? x->characters[pointer] : 0;
}

static unsigned pointer_of(struct index *x, uint32_t cp)
{
	unfold(x);
	if (cp < BMP)
		return x->pointers[cp];
	for (unsigned i = x->hidden_end; i < CJK_ROWS * x->columns; i++)
		if (x->characters[i] == cp)
			return i;
	return NOWHERE;
}

/* ---- decoders: the character of one or two bytes; *used 0 when they are not understood ---- */

static uint32_t from_shift_jis(const unsigned char *s, size_t n, size_t *used)
{
	unsigned lead = s[0], trail = n > 1 ? s[1] : 0;

	*used = 1;
	if (lead == 0x80)
		return lead;
	if (lead >= 0xa1 && lead <= 0xdf)
		return 0xff61 - 0xa1 + lead;
	*used = (lead >= 0x81 && lead <= 0x9f) || (lead >= 0xe0 && lead <= 0xfc) ? 2 : 0;
	if (!((trail >= 0x40 && trail <= 0x7e) || (trail >= 0x80 && trail <= 0xfc)))
		*used = 0;
	return character_at(&jis0208, (lead - (lead < 0xa0 ? 0x81 : 0xc1)) * 188 + trail -
					      (trail < 0x7f ? 0x40 : 0x41));
}

static uint32_t from_euc_jp(const unsigned char *s, size_t n, size_t *used)
{
	unsigned lead = s[0], trail = n > 1 ? s[1] : 0;

	*used = 2;
	if (lead == 0x8e && trail >= 0xa1 && trail <= 0xdf)
		return 0xff61 - 0xa1 + trail;
	if (lead < 0xa1 || lead > 0xfe || trail < 0xa1 || trail > 0xfe)
		*used = 0;
	return character_at(&jis0208, (lead - 0xa1) * 94 + trail - 0xa1);
}

static uint32_t from_euc_kr(const unsigned char *s, size_t n, size_t *used)
{
	unsigned lead = s[0], trail = n > 1 ? s[1] : 0;

	*used = lead >= 0x81 && lead <= 0xfe && trail >= 0x41 && trail <= 0xfe ? 2 : 0;
	return character_at(&euckr, (lead - 0x81) * 190 + trail - 0x41);
}

static uint32_t from_gbk(const unsigned char *s, size_t n, size_t *used)
{
	unsigned lead = s[0], trail = n > 1 ? s[1] : 0;

	*used = 1;
	if (lead == 0x80)
		return 0x20ac;
	*used = lead >= 0x81 && lead <= 0xfe &&
				((trail >= 0x40 && trail <= 0x7e) ||
				 (trail >= 0x80 && trail <= 0xfe))
			? 2
			: 0;
	return character_at(&gbk, (lead - 0x81) * 190 + trail - (trail < 0x7f ? 0x40 : 0x41));
}

static uint32_t from_big5(const unsigned char *s, size_t n, size_t *used)
{
	unsigned lead = s[0], trail = n > 1 ? s[1] : 0;

	*used = lead >= 0x81 && lead <= 0xfe &&
				((trail >= 0x40 && trail <= 0x7e) ||
				 (trail >= 0xa1 && trail <= 0xfe))
			? 2
			: 0;
	return character_at(&big5, (lead - 0x81) * 157 + trail - (trail < 0x7f ? 0x40 : 0x62));
}

/* ---- encoders ---- */

static size_t put(unsigned char out[2], unsigned lead, unsigned trail)
{
	out[0] = (unsigned char)lead;
	out[1] = (unsigned char)trail;
	return 2;
}

static size_t to_japanese(uint32_t cp, bool euc, unsigned char out[2])
{
	if (cp == 0xa5 || cp == 0x203e || (cp == 0x80 && !euc)) {
		out[0] = cp == 0xa5 ? 0x5c : cp == 0x80 ? 0x80 : 0x7e;
		return 1;
	}
	if (cp >= 0xff61 && cp <= 0xff9f) {
		unsigned byte = cp - 0xff61 + 0xa1;

		if (euc)
			return put(out, 0x8e, byte);
		out[0] = (unsigned char)byte;
		return 1;
	}
	unsigned p = pointer_of(euc ? &jis0208 : &shift_jis, cp == 0x2212 ? 0xff0d : cp);
	if (p == NOWHERE || (euc && p >= 94 * 94))
		return 0;
	if (euc)
		return put(out, p / 94 + 0xa1, p % 94 + 0xa1);
	return put(out, p / 188 + (p / 188 < 0x1f ? 0x81 : 0xc1),
		   p % 188 + (p % 188 < 0x3f ? 0x40 : 0x41));
}

static size_t to_shift_jis(uint32_t cp, unsigned char out[2])
{
	return to_japanese(cp, false, out);
}

static size_t to_euc_jp(uint32_t cp, unsigned char out[2])
{
	return to_japanese(cp, true, out);
}

static size_t to_euc_kr(uint32_t cp, unsigned char out[2])
{
	unsigned p = pointer_of(&euckr, cp);

	return p == NOWHERE ? 0 : put(out, p / 190 + 0x81, p % 190 + 0x41);
}

static size_t to_gb18030(uint32_t cp, unsigned char out[2])
{
	unsigned p = pointer_of(&gbk, cp);

	return p == NOWHERE ? 0
			    : put(out, p / 190 + 0x81, p % 190 + (p % 190 < 0x3f ? 0x40 : 0x41));
}

static size_t to_gbk(uint32_t cp, unsigned char out[2])
{
	out[0] = 0x80;
	return cp == 0x20ac ? 1 : to_gb18030(cp, out);
}

static size_t to_big5(uint32_t cp, unsigned char out[2])
{
	unsigned p = pointer_of(&big5, cp);

	return p == NOWHERE ? 0
			    : put(out, p / 157 + 0x81, p % 157 + (p % 157 < 0x3f ? 0x40 : 0x62));
}

/* ---- both ---- */

static const struct {
	uint32_t (*from)(const unsigned char *s, size_t n, size_t *used);
	size_t (*to)(uint32_t cp, unsigned char out[2]);
} codecs[] = {
	[CJK_SHIFT_JIS] = {from_shift_jis, to_shift_jis}, [CJK_EUC_JP] = {from_euc_jp, to_euc_jp},
	[CJK_EUC_KR] = {from_euc_kr, to_euc_kr},          [CJK_GBK] = {from_gbk, to_gbk},
	[CJK_GB18030] = {from_gbk, to_gb18030},           [CJK_BIG5] = {from_big5, to_big5},
};

bool cjk_to_utf8(enum cjk kind, const char *s, size_t n, struct buf *out)
{
	size_t start = out->len;

	for (size_t i = 0, used = 1; i < n; i += used) {
		uint32_t cp = (unsigned char)s[i];
		char utf8[4];

		used = 1;
		if (cp >= 0x80)
			cp = codecs[kind].from((const unsigned char *)s + i, n - i, &used);
		if (!used || (!cp && s[i])) {
			buf_truncate(out, start);
			return false;
		}
		buf_append(out, utf8, utf8_encode(cp, utf8));
	}
	return true;
}

size_t cjk_from(enum cjk kind, uint32_t cp, unsigned char out[2])
{
	out[0] = (unsigned char)cp;
	return cp < 0x80 ? 1 : codecs[kind].to(cp, out);
}
