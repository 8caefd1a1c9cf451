/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The parts of a message (RFC 5322, RFC 2045, RFC 2046) as byte ranges of it.
 *
 * Nothing is copied or changed: a part is where its header fields and its body lie, and what its
 * fields say. Depth and number of parts are bounded. A message whose structure can be read in two
 * ways (a multipart without a boundary, two Content-Type fields, a field that is none) is reported
 * with the offending text and not guessed at: whoever rewrites it leaves it as it came.
 *
 * Lines end in CRLF. A bare LF ends a line as well, so that odd input can be looked at, but what
 * is in the relay never has one (DESIGN §7.8).
 */
#ifndef GATEPOST_RELAY_MIME_SCAN_H
#define GATEPOST_RELAY_MIME_SCAN_H

#include "relay/mime/field.h"
#include "relay/mime/transfer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum mime_limit {
	MIME_DEPTH_MAX = 32,
	MIME_PARTS_MAX = 1000,
	MIME_FIELDS_MAX = 2000, /* in one header */
	MIME_TOKEN_MAX = 64,    /* type, subtype, charset */
};

#define MIME_NO_PART SIZE_MAX

struct mime_part {
	size_t parent;             /* index; MIME_NO_PART for the message itself */
	unsigned depth;            /* 0 for the message itself */
	struct mime_range headers; /* the fields with their line ends, without the empty line */
	struct mime_range body;    /* without the line end that belongs to the boundary after it */
	struct mime_range type_field;     /* the whole Content-Type field; empty when missing */
	struct mime_range encoding_field; /* the whole Content-Transfer-Encoding field */
	enum mime_encoding encoding;
	char type[MIME_TOKEN_MAX], subtype[MIME_TOKEN_MAX]; /* lower case; text/plain if missing */
	char charset[MIME_TOKEN_MAX];                       /* lower case, "" for none */
	bool multipart;                                     /* its children follow it in parts[] */
	bool message; /* message/rfc822 or message/global: its one child is the message inside */
	/* Not shown as the mail's text: a disposition other than inline, a file name, or a part of
	 * multipart/related that is not its root. */
	bool attachment;
	bool amp;      /* text/x-amp-html */
	bool sealed;   /* in multipart/signed or multipart/encrypted, or S/MIME itself */
	bool embedded; /* inside a message/rfc822, or any other message/ or report part */
};

struct mime_message {
	const char *bytes; /* the caller's */
	size_t len;
	struct mime_part *parts; /* parts[0] is the message itself; parents before children */
	size_t count;
	bool mime_version; /* the message has a MIME-Version field */
	char error[256];   /* "" when the structure was understood */
};

/*
 * False when the structure cannot be told; error says why. parts[0] then still has the ranges of
 * the header and the body. mime_free() in either case.
 */
bool mime_scan(const char *bytes, size_t n, struct mime_message *out);
void mime_free(struct mime_message *m);

#endif
