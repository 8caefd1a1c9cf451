/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Header fields of a message or of a part (RFC 5322 §2.2, RFC 2045 §5.1) as byte ranges.
 */
#ifndef GATEPOST_RELAY_MIME_FIELD_H
#define GATEPOST_RELAY_MIME_FIELD_H

#include "lib/buf.h"

#include <stdbool.h>
#include <stddef.h>

/* Offsets into the message: start is in it, end is not. */
struct mime_range {
	size_t start, end;
};

struct mime_field {
	struct mime_range whole; /* with every continuation line and the last line end */
	struct mime_range name;
	struct mime_range value; /* after the colon, before the last line end; may be folded */
};

/* The header's end: where the empty line begins, and where the body does; both n if none. */
void mime_split_header(const char *bytes, size_t n, size_t *header_end, size_t *body_start);

/*
 * Steps through a header: *at is headers.start at first. False at its end, and at a line that is
 * no field, where *at then points.
 */
bool mime_next_field(const char *bytes, struct mime_range headers, size_t *at,
		     struct mime_field *out);

/* The first field of that name (any case); false when there is none. */
bool mime_find_field(const char *bytes, struct mime_range headers, const char *name,
		     struct mime_field *out);
bool mime_field_is(const char *bytes, const struct mime_field *f, const char *name);

/* Appends a field's value unfolded, without the white space around it. */
void mime_unfold(const char *bytes, struct mime_range value, struct buf *out);

/*
 * Appends a parameter of an unfolded Content-Type or Content-Disposition value, its quotes taken
 * off and RFC 2231 pieces (name*0, name*1*) joined. Gives how often it occurs, pieces as one: 0
 * when it is missing, more than 1 when readers may disagree about it (the first one is given).
 */
size_t mime_param(const char *value, size_t n, const char *name, struct buf *out);

#endif
