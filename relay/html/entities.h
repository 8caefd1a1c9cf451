/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Named character references (HTML standard §13.5).
 *
 * entities.c is made by entities.py out of Python's html.entities.html5, and checked in.
 */
#ifndef GATEPOST_RELAY_HTML_ENTITIES_H
#define GATEPOST_RELAY_HTML_ENTITIES_H

#include <stddef.h>

/*
 * The longest name that s[n] (what follows the &) begins with: its length, a ';' counted if the
 * name has one, and *utf8, a string, what it stands for. 0 when none fits.
 */
size_t entity_match(const char *s, size_t n, const char **utf8);

#endif
