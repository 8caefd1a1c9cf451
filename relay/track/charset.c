/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/track/charset.h"

#include "lib/utf8.h"

#include <stdlib.h>
#include <string.h>

static int by_label(const void *key, const void *entry)
{
	return strcmp(key, ((const struct charset_label *)entry)->label);
}

const struct charset *charset_find(const char *label)
{
	const struct charset_label *l = bsearch(label, charset_labels, charset_label_count,
						sizeof(*charset_labels), by_label);
	return l ? l->charset : NULL;
}

bool charset_unsafe(const char *label)
{
	static const char *const beginnings[] = {
		"utf-16",
		"utf16",
		"utf-32",
		"utf32",
		"utf-7",
		"utf7",
		"unicode-1-1-utf-7",
		"ucs-",
		"iso-10646-ucs",
		"iso-2022",
		"csiso2022",
		"iso2022",
		"hz",
		"ebcdic",
		"cp037",
		"ibm037",
		"cp500",
		"ibm500",
		"scsu",
		"bocu",
		"x-utf-",
		"csunicode",
		"unicodefffe",
		"unicode-2-0-utf-7",
		"x-user-defined",
		"cesu",
	};
	static const char *const exact[] = {"unicode", "utf_16", "utf_7", "utf_32", "replacement"};

	for (size_t i = 0; i < sizeof(beginnings) / sizeof(*beginnings); i++)
		if (strncmp(label, beginnings[i], strlen(beginnings[i])) == 0)
			return true;
	for (size_t i = 0; i < sizeof(exact) / sizeof(*exact); i++)
		if (strcmp(label, exact[i]) == 0)
			return true;
	return false;
}

static bool is_ascii(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (s[i] & 0x80)
			return false;
	return true;
}

bool charset_to_utf8(const struct charset *c, const char *s, size_t n, struct buf *out)
{
	if (is_ascii(s, n) || (c && charset_is_utf8(c) && utf8_valid(s, n))) {
		buf_append(out, s, n);
		return true;
	}
	if (!c || charset_is_utf8(c))
		return false;
	if (c->cjk)
		return cjk_to_utf8(c->cjk, s, n, out);
	for (size_t i = 0; i < n; i++) {
		unsigned char byte = (unsigned char)s[i];
		uint32_t cp = byte < 0x80 ? byte : c->high[byte - 0x80];
		char utf8[4];
		if (!cp && byte)
			return false;
		buf_append(out, utf8, utf8_encode(cp, utf8));
	}
	return true;
}

bool charset_is_utf8(const struct charset *c)
{
	return !c->high && !c->cjk;
}

bool charset_has_all(const struct charset *c)
{
	return charset_is_utf8(c) || c->cjk == CJK_GB18030;
}

size_t charset_bytes(const struct charset *c, uint32_t cp, unsigned char out[2])
{
	if (c->cjk)
		return cjk_from(c->cjk, cp, out);
	out[0] = (unsigned char)cp;
	if (cp < 0x80)
		return 1;
	for (unsigned i = 0; c->high && i < 128; i++)
		if (c->high[i] == cp) {
			out[0] = (unsigned char)(0x80 + i);
			return 1;
		}
	return 0;
}
