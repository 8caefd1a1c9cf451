/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Our control headers: what a sender asks of the tracking of one message, or of one part of it.
 *
 *	X-Gatepost-Track: opens=no; clicks=no     on the message or a part; also yes, and text=…
 *	X-Gatepost-Track: no                      all of it off
 *	X-Gatepost-Campaign: spring sale          on the message
 *
 * Every field whose name begins with X-Gatepost- is ours, and leaves the message on its way out.
 */
#ifndef GATEPOST_RELAY_TRACK_WISHES_H
#define GATEPOST_RELAY_TRACK_WISHES_H

#include "lib/buf.h"
#include "relay/mime/field.h"
#include "relay/track/token.h"

#include <stdbool.h>

struct wishes {
	bool opens, clicks_html, clicks_text;
	char campaign[TOKEN_CAMPAIGN_MAX];
};

bool wishes_is_ours(const char *bytes, const struct mime_field *f);

/*
 * Applies a field of ours to the wishes: a message can only wish for less than its account has
 * (yes is what there is anyway, and undoes an earlier no of the same field). clicks= speaks of
 * both kinds of text, text= of plain text alone. False, with *error saying what is wrong, when it
 * cannot be understood: then nothing is tracked.
 */
bool wishes_apply(const char *bytes, const struct mime_field *f, struct wishes *w,
		  struct buf *error);

#endif
