/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Edits of a message: byte ranges of it, and what stands there instead.
 */
#ifndef GATEPOST_RELAY_TRACK_EDITS_H
#define GATEPOST_RELAY_TRACK_EDITS_H

#include "lib/buf.h"
#include "relay/mime/field.h"

#include <stddef.h>

struct edit {
	struct mime_range range;
	size_t text, text_end; /* in texts */
};

struct edits {
	struct edit *items;
	size_t count, cap;
	struct buf texts;
};

/* What is appended to e->texts until edits_add() takes the place of range. Ranges may be given in
 * any order; one inside another is without effect. */
size_t edits_begin(struct edits *e);
void edits_add(struct edits *e, struct mime_range range, size_t begun);

/* Appends in[n] with the edits made; of two insertions at one place the earlier added is first. */
void edits_apply(struct edits *e, const char *in, size_t n, struct buf *out);

/* Forgets the edits from that count on. */
void edits_truncate(struct edits *e, size_t count);
void edits_free(struct edits *e);

#endif
