/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * URLs in plain text: where one begins and ends, as a person would say.
 *
 * Only what names its scheme counts: http:// and https:// (and http+notrack://). "example.com" is
 * as often the end of a sentence or a file name, and mail that was not asked to be a link is not
 * made one. Brackets belong to the URL in pairs; a full stop, comma, quote or bracket at its end
 * belongs to the sentence; a URL in <> ends there. Letters of every script may stand in it; the
 * text is in any charset in which ASCII bytes stand for themselves.
 */
#ifndef GATEPOST_RELAY_TRACK_TEXTLINKS_H
#define GATEPOST_RELAY_TRACK_TEXTLINKS_H

#include "relay/track/charset.h"

#include <stdbool.h>
#include <stddef.h>

struct text_link {
	size_t start, end;
	/* What stands right behind it would belong to a longer URL in its place
	 * ("http://a.example,b" ends at the comma, which a path may hold). */
	bool glued;
};

/*
 * The next URL at or after *at; false when there is none. *at then is behind it. With c, white
 * space and brackets of other scripts end a URL too; where c is NULL, because the charset has no
 * table, or is one of two bytes, no byte over 127 ends one.
 */
bool text_link_next(const char *text, size_t n, const struct charset *c, size_t *at,
		    struct text_link *out);

#endif
