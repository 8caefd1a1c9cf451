/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Changes to the decoded text of a leaf part, carried back into its transfer encoding.
 *
 * 7bit and 8bit: the bytes are exchanged where they are. Quoted-printable: the same, in the
 * encoded text, with soft line breaks where a line grows over 76. Base64: encoded anew from the
 * line of the first change on, in lines as long as they were. Only where a line would grow over
 * 998 bytes (or a byte over 127 may not leave) does a part get another encoding.
 */
#ifndef GATEPOST_RELAY_MIME_SPLICE_H
#define GATEPOST_RELAY_MIME_SPLICE_H

#include "lib/buf.h"
#include "relay/mime/scan.h"
#include "relay/mime/transfer.h"

#include <stdbool.h>
#include <stddef.h>

/* decoded[start, end) becomes text[len] (ASCII). In order, not overlapping. */
struct splice {
	size_t start, end;
	const char *text;
	size_t len;
};

/* A leaf's body, decoded for looking at. */
struct leaf {
	const char *source; /* the encoded body: the caller's */
	size_t source_len;
	enum mime_encoding encoding;
	const char *text; /* the decoded body; source itself for 7bit and 8bit */
	size_t text_len;
	struct buf decoded;
	struct transfer_map map;
};

/* NULL, or why the body cannot be decoded. leaf_close() in either case. */
const char *leaf_open(struct leaf *l, const char *source, size_t n, enum mime_encoding e);
void leaf_close(struct leaf *l);

/*
 * Appends the body with the splices in it, and says which encoding it is in now. With
 * seven_bit, bytes over 127 may not stay as they are. With no splices, only lines over
 * MIME_LINE_MAX are mended: that also works on a leaf that leaf_open() found broken.
 */
enum mime_encoding leaf_splice(const struct leaf *l, const struct splice *splices, size_t count,
			       bool seven_bit, struct buf *out);

#endif
