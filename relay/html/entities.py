#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Writes entities.c: run as `relay/html/entities.py > relay/html/entities.c`.

The names and what they stand for are Python's html.entities.html5 (PSF licence), which is the
HTML standard's list (§13.5).
"""
from html.entities import html5

HEAD = """/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Made by entities.py from Python's html.entities.html5; not to be edited. */
#include "relay/html/entities.h"

#include <string.h>

enum { NAME_MAX_BYTES = 33, UTF8_MAX_BYTES = 8 };

struct entity {
	char name[NAME_MAX_BYTES];
	char utf8[UTF8_MAX_BYTES];
};

/* In byte order of the names. */
/* clang-format off */
static const struct entity entities[] = {
"""

TAIL = """};
/* clang-format on */

#define ENTITY_COUNT (sizeof(entities) / sizeof(*entities))

/* The first entry of [lo, hi), all alike before place k, whose byte there is at least c. */
static size_t first_at_least(size_t lo, size_t hi, size_t k, unsigned c)
{
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if ((unsigned char)entities[mid].name[k] < c)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

size_t entity_match(const char *s, size_t n, const char **utf8)
{
	size_t lo = 0, hi = ENTITY_COUNT, best = 0;

	for (size_t k = 0; k < n && k + 1 < NAME_MAX_BYTES; k++) {
		unsigned c = (unsigned char)s[k];
		if (c == 0)
			break;
		lo = first_at_least(lo, hi, k, c);
		hi = first_at_least(lo, hi, k, c + 1);
		if (lo == hi)
			break;
		if (entities[lo].name[k + 1] == '\\0') {
			best = k + 1;
			*utf8 = entities[lo].utf8;
		}
	}
	return best;
}
"""


def entry(name):
    octal = "".join(f"\\{b:03o}" for b in html5[name].encode())
    assert len(name) < 33 and len(html5[name].encode()) < 8
    return f'{{"{name}", "{octal}"}},'


def main():
    print(HEAD, end="")
    line = "\t"
    for name in sorted(html5):
        e = entry(name)
        if len(line) + len(e) > 90:
            print(line.rstrip())
            line = "\t"
        line += e + " "
    print(line.rstrip())
    print(TAIL, end="")


main()
