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
#include "relay/mime/scan.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Where decoded bytes came from: run i covers the decoded bytes from runs[i].decoded up to the
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

/* The source range of the decoded bytes [start, end); an empty range lies before that byte. */
struct mime_range transfer_map_range(const struct transfer_map *m, size_t start, size_t end,
				     size_t source_len);

/*
 * Appends the decoded bytes. NULL when the text is sound, else what is wrong with the first fault
 * ("=G" is no hexadecimal pair); decoding goes on behind it, faults pass literally. map may be
 * NULL.
 */
const char *transfer_decode_qp(const char *s, size_t n, struct buf *out, struct transfer_map *map);

/* Characters outside the alphabet other than white space are a fault; so is bad padding. */
const char *transfer_decode_base64(const char *s, size_t n, struct buf *out);

/*
 * Appends s[n] quoted-printable. Text: CRLF stays a line end, lines hold at most 76 characters,
 * column is where the first one begins; a trailing space or tab before a line end is encoded.
 */
size_t transfer_encode_qp(const char *s, size_t n, size_t column, struct buf *out);

/* Lines of line_len characters (a multiple of 4), each ended by CRLF, the last one as well. */
void transfer_encode_base64(const void *bytes, size_t n, size_t line_len, struct buf *out);

/* The field's value; NULL for MIME_ENCODING_UNKNOWN. */
const char *transfer_name(enum mime_encoding e);

#endif
