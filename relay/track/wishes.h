/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Our control headers: what a sender asks of the tracking of one message, or of one part of it.
 *
 *	X-Gatepost-Track: opens=no; clicks=no     on the message or a part; also yes, and text=…
 *	X-Gatepost-Track: no                      all of it off
 *	X-Gatepost-Track: unsubscribe=no          no List-Unsubscribe of ours; on the message
 *
 * X-Gatepost-Campaign and X-Gatepost-Tags are read when the message is accepted (labels.h). Every
 * field whose name begins with X-Gatepost- is ours, and leaves the message on its way out.
 */
#ifndef GATEPOST_RELAY_TRACK_WISHES_H
#define GATEPOST_RELAY_TRACK_WISHES_H

#include "lib/buf.h"
#include "relay/mime/field.h"

#include <stdbool.h>

struct wishes {
	bool opens, clicks_html, clicks_text;
	bool unsubscribe;
};

bool wishes_is_ours(const char *bytes, const struct mime_field *f);

/*
 * Applies a field of ours to the wishes. Unless `more`, a message can only wish for less than its
 * account has (yes is what there is anyway, and undoes an earlier no of the same field); and never
 * for more than List-Unsubscribe as the account has it. clicks= speaks of
 * both kinds of text, text= of plain text alone. False, with *error saying what is wrong, when it
 * cannot be understood: then nothing is tracked.
 */
bool wishes_apply(const char *bytes, const struct mime_field *f, bool more, struct wishes *w,
		  struct buf *error);

#endif
