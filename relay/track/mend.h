/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lines that SMTP does not carry, mended before the message is signed: a server on the way would
 * break them where it likes, and the signature with them (RFC 5322 §2.1.1).
 *
 * A leaf part is re-encoded, which leaves its content as it was; a header field is folded at white
 * space, else behind a comma or semicolon, else where it must be; what has no encoding (a
 * multipart's preamble, a message that cannot be parsed) is broken where it must be. Parts under
 * a signature or encryption stay as they are.
 */
#ifndef GATEPOST_RELAY_TRACK_MEND_H
#define GATEPOST_RELAY_TRACK_MEND_H

#include "relay/mime/scan.h"
#include "relay/track/edits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Edits for every part but those with done[i] set (they were rewritten); gives how many parts and
 * fields it mended. With seven_bit, bodies with bytes over 127 are re-encoded too. */
uint32_t mend_parts(const struct mime_message *m, const bool *done, bool seven_bit,
		    struct edits *e);

/* A message whose structure is not known. */
uint32_t mend_unparsed(const struct mime_message *m, struct edits *e);

/* The edit that says a part's new encoding in its header. */
void mend_encoding_field(const struct mime_message *m, size_t part, enum mime_encoding to,
			 struct edits *e);

#endif
