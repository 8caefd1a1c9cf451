/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/track/idn.h"

#include "lib/utf8.h"

#include <stdint.h>
#include <string.h>

enum { LABEL_MAX = 63 };

/* Characters that UTS 46 keeps, or (shift) makes lower case by adding. NFC leaves each alone. */
static const struct {
	uint32_t first, last, shift;
} plain_letters[] = {
	{'-', '-', 0},       {'0', '9', 0},       {'A', 'Z', 32},      {'a', 'z', 0},
	{'_', '_', 0},       {0xc0, 0xd6, 32},    {0xd8, 0xde, 32},    {0xdf, 0xf6, 0},
	{0xf8, 0xff, 0},     {0x391, 0x3a1, 32},  {0x3a3, 0x3a9, 32},  {0x3ac, 0x3ce, 0},
	{0x400, 0x40f, 80},  {0x410, 0x42f, 32},  {0x430, 0x45f, 0},   {0x5d0, 0x5ea, 0},
	{0x620, 0x63f, 0},   {0x641, 0x64a, 0},   {0x3041, 0x3094, 0}, {0x30a1, 0x30f6, 0},
	{0x30fc, 0x30fc, 0}, {0x3400, 0x4dbf, 0}, {0x4e00, 0x9fff, 0}, {0xac00, 0xd7a3, 0},
};

static bool map_letter(uint32_t *cp)
{
	for (size_t i = 0; i < sizeof(plain_letters) / sizeof(*plain_letters); i++)
		if (*cp >= plain_letters[i].first && *cp <= plain_letters[i].last) {
			*cp += plain_letters[i].shift;
			return true;
		}
	return false;
}

/* --- RFC 3492 §6 ------------------------------------------------------------------------- */

enum { BASE = 36, T_MIN = 1, T_MAX = 26, SKEW = 38, DAMP = 700, FIRST_BIAS = 72, FIRST_N = 128 };

static uint32_t adapt(uint32_t delta, uint32_t points, bool first)
{
	uint32_t k = 0;

	delta = first ? delta / DAMP : delta / 2;
	delta += delta / points;
	for (; delta > (BASE - T_MIN) * T_MAX / 2; k += BASE)
		delta /= BASE - T_MIN;
	return k + (BASE - T_MIN + 1) * delta / (delta + SKEW);
}

static char digit(uint32_t d)
{
	return (char)(d < 26 ? 'a' + d : '0' + d - 26);
}

static void append_varint(uint32_t q, uint32_t bias, struct buf *out)
{
	for (uint32_t k = BASE;; k += BASE) {
		uint32_t t = k <= bias ? T_MIN : k >= bias + T_MAX ? T_MAX : k - bias;
		if (q < t)
			break;
		buf_appendc(out, digit(t + (q - t) % (BASE - t)));
		q = (q - t) / (BASE - t);
	}
	buf_appendc(out, digit(q));
}

/* label: at most LABEL_MAX characters, so nothing here overflows 32 bits. */
static void punycode(const uint32_t *label, size_t len, struct buf *out)
{
	uint32_t n = FIRST_N, delta = 0, bias = FIRST_BIAS, basic = 0;

	for (size_t i = 0; i < len; i++)
		if (label[i] < 0x80) {
			buf_appendc(out, (char)label[i]);
			basic++;
		}
	uint32_t done = basic;
	if (basic)
		buf_appendc(out, '-');
	while (done < len) {
		uint32_t next = UINT32_MAX;
		for (size_t i = 0; i < len; i++)
			if (label[i] >= n && label[i] < next)
				next = label[i];
		delta += (next - n) * (done + 1);
		n = next;
		for (size_t i = 0; i < len; i++) {
			if (label[i] < n)
				delta++;
			if (label[i] != n)
				continue;
			append_varint(delta, bias, out);
			bias = adapt(delta, done + 1, done == basic);
			delta = 0;
			done++;
		}
		delta++;
		n++;
	}
}

static bool append_label(const uint32_t *label, size_t len, bool ascii, struct buf *out)
{
	size_t start = out->len;

	if (!ascii) {
		buf_appends(out, "xn--");
		punycode(label, len, out);
	} else {
		for (size_t i = 0; i < len; i++)
			buf_appendc(out, (char)label[i]);
	}
	return out->len - start <= LABEL_MAX;
}

bool idn_to_ascii(const char *host, size_t n, struct buf *out)
{
	uint32_t label[LABEL_MAX];
	size_t len = 0, start = out->len;
	bool ascii = true;

	for (size_t i = 0; i <= n;) {
		uint32_t cp = '.';
		size_t step = i < n ? utf8_decode(host + i, n - i, &cp) : 1;
		if (step == 0)
			goto other;
		i += step;
		if (cp != '.') {
			if (len == LABEL_MAX || !map_letter(&cp))
				goto other;
			ascii = ascii && cp < 0x80;
			label[len++] = cp;
			continue;
		}
		if (!append_label(label, len, ascii, out))
			goto other;
		if (i <= n)
			buf_appendc(out, '.');
		len = 0;
		ascii = true;
	}
	return true;
other:
	buf_truncate(out, start);
	return false;
}
