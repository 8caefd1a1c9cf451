/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One text part of a message: which bytes of its decoded text become what.
 */
#ifndef GATEPOST_RELAY_TRACK_TEXTPART_H
#define GATEPOST_RELAY_TRACK_TEXTPART_H

#include "lib/buf.h"
#include "relay/mime/scan.h"
#include "relay/mime/splice.h"
#include "relay/track/rewrite.h"
#include "relay/track/wishes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What all parts of one message share. */
struct tracking {
	const struct track_options *o;
	const struct buf *unsubscribe; /* List-Unsubscribe's URLs, each with a NUL behind it */
	uint32_t next_link;
	bool pixel_done;
	struct track_report *report;
};

/* A part on its way. */
struct textpart {
	unsigned index;
	bool html;
	struct leaf leaf;
	char charset[MIME_TOKEN_MAX];
	struct wishes wishes;
	struct splice *splices; /* text points into texts once textpart_track() is done */
	size_t count, cap;
	struct buf texts;
};

/* NULL, or why this part is left alone. textpart_close() in either case. */
const char *textpart_open(struct textpart *p, const char *message, const struct mime_part *part,
			  unsigned index);
void textpart_close(struct textpart *p);

/* True when it holds an OpenPGP message, clear-signed or encrypted. */
bool textpart_has_pgp(const struct textpart *p);

/* Finds the part's splices, seals its tokens, reports its links. */
void textpart_track(struct textpart *p, struct tracking *t);

#endif
