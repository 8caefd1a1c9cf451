/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Shapes: tables that say how a JSON object (RFC 7951) fills a C struct.
 *
 * One table serves reading, checking, defaults and freeing, so that none of them can forget a
 * member that another knows. A member that no table names is refused, like one of the wrong kind.
 */
#ifndef GATEPOST_RELAY_SHAPE_H
#define GATEPOST_RELAY_SHAPE_H

#include "lib/buf.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum shape_kind {
	SHAPE_TEXT,     /* char *; "" when left out */
	SHAPE_NAME,     /* char *, put into lower case: domains */
	SHAPE_TEXTS,    /* struct config_strings */
	SHAPE_NAMES,    /* struct config_strings, lower case */
	SHAPE_ADDR,     /* struct addr */
	SHAPE_ADDRS,    /* struct addr * and size_t */
	SHAPE_PREFIXES, /* struct prefix * and size_t */
	SHAPE_FLAG,     /* bool: YANG's empty leaf, [null] */
	SHAPE_MARK,     /* the same, but stores the number `min` in an int */
	SHAPE_NUMBER,   /* unsigned of `width` bytes, min to max */
	SHAPE_NUMBERS,  /* uint32_t * and size_t, each min to max */
	SHAPE_CHOICE,   /* int: one of choices */
	SHAPE_RATE,     /* struct config_rate: "20/second", "100/minute", "1000/hour" */
	SHAPE_INSIDE,   /* an object whose members lie in the same struct: a YANG container */
	SHAPE_LIST,     /* pointer and size_t: an array of objects, added to what is there */
};

struct shape_choice {
	const char *name; /* NULL ends the table */
	int value;
};

struct shape {
	size_t size; /* of the struct that one object fills; unused inside a container */
	const struct shape_field *fields;
	size_t count;
};

struct shape_field {
	const char *name;
	enum shape_kind kind;
	size_t at;       /* offset in the struct */
	size_t count_at; /* of the size_t that counts, for arrays */
	const struct shape *shape;
	const struct shape_choice *choices;
	uint64_t min, max, otherwise; /* otherwise: the default */
	size_t width;
	bool required;
	const char *text; /* the default of a SHAPE_TEXT or SHAPE_ADDR */
};

/*
 * Fills the zeroed struct *out from object; path stands before each message. False with one line
 * for every fault in error; out must be freed in either case.
 */
bool shape_read(const struct shape *s, const json_t *object, const char *path, void *out,
		struct buf *error);
/* Frees what the struct holds, not the struct. */
void shape_free(const struct shape *s, void *out);

#endif
