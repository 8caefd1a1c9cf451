/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Content transfer encodings (RFC 2045 §6): decode, encode, and find the way back.
 *
 * A decoder says whether the text is what the RFC allows. What is broken is not repaired: two
 * readers would see two different things in it, so nobody here rewrites it.
 */
#ifndef GATEPOST_RELAY_MIME_TRANSFER_H
#define GATEPOST_RELAY_MIME_TRANSFER_H

#include "lib/buf.h"
#include "relay/mime/field.h"

#include <stdbool.h>
#include <stddef.h>

enum mime_encoding {
	MIME_7BIT, /* also when the field is missing */
	MIME_8BIT,
	MIME_BINARY,
	MIME_QUOTED_PRINTABLE,
	MIME_BASE64,
	MIME_ENCODING_UNKNOWN,
};

enum {
	TRANSFER_LINE_MAX = 76, /* of quoted-printable and base64, RFC 2045 §6.7 and §6.8 */
	MIME_LINE_MAX = 998,    /* of anything, RFC 5322 §2.1.1; bytes without CRLF */
};

/*
 * Where decoded bytes came from: a run covers the decoded bytes from runs[i].decoded up to the
 * next run's; each of them is `width` source bytes wide, the first at runs[i].source.
 */
struct transfer_run {
	size_t decoded, source;
	unsigned width; /* 1 for a literal byte, 3 for =XX */
};

struct transfer_map {
	struct transfer_run *runs;
	size_t count, cap;
};

void transfer_map_free(struct transfer_map *m);

/* The source range of the decoded bytes [start, end) of text_len; an empty one lies before the
 * byte at start, or at source_len. */
struct mime_range transfer_map_range(const struct transfer_map *m, size_t start, size_t end,
				     size_t text_len, size_t source_len);

/*
 * Both append the decoded bytes, and give NULL when the text is sound, else what is wrong with it.
 * Behind the first fault quoted-printable goes on (faults pass literally), base64 stops. map may be
 * NULL.
 */
const char *transfer_decode_qp(const char *s, size_t n, struct buf *out, struct transfer_map *map);
const char *transfer_decode_base64(const char *s, size_t n, struct buf *out);

/*
 * Appends s[n] quoted-printable and gives the column behind it. CRLF stays a line end, lines hold
 * at most 76 characters, the first one begins at `column`. White space before a line end is
 * encoded; so is a bare CR or LF.
 */
size_t transfer_encode_qp(const char *s, size_t n, size_t column, struct buf *out);

/* Lines of line_len characters (a multiple of 4) with CRLF between them, none behind the last. */
void transfer_encode_base64(const void *bytes, size_t n, size_t line_len, struct buf *out);

/* Appends quoted-printable or base64 text with the lines over MIME_LINE_MAX broken, in a way that
 * no decoder notices; nothing else is changed. */
void transfer_break_lines(enum mime_encoding e, const char *s, size_t n, struct buf *out);

/* True when a line of s[n] is longer than MIME_LINE_MAX. */
bool transfer_lines_too_long(const char *s, size_t n);

/* What suits s[n] better, MIME_QUOTED_PRINTABLE or MIME_BASE64. */
enum mime_encoding transfer_choose(const char *s, size_t n);

/* The field's value: "quoted-printable". */
const char *transfer_name(enum mime_encoding e);

#endif
