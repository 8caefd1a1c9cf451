/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The message as it comes in: after DATA (RFC 5321 §4.5.2, dots unstuffed) or in BDAT's chunks
 * (RFC 3030), piece by piece, handed on to a sink without being held.
 *
 * A line ends with CR LF and nothing else; a CR or LF that stands alone, and NUL, spoil the
 * message. Only CR LF "." CR LF ends DATA, whatever was wrong before it: so no two servers can
 * differ on where one message ends and the next command begins (smuggling). A spoiled message is
 * read to its end and then refused.
 *
 * Lines longer than RFC 5322's 998 bytes pass, up to a bound: they are mended when the message
 * leaves (DESIGN §7.3).
 */
#ifndef GATEPOST_RELAY_SMTP_DATA_H
#define GATEPOST_RELAY_SMTP_DATA_H

#include "lib/buf.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum data_limit {
	DATA_LINE_MAX = 4 * 1024 * 1024, /* an attachment in one line: seen in the wild */
	DATA_HEADER_MAX = 256 * 1024,
	DATA_TEXT_MAX = 160,
};

enum data_fault {
	DATA_FINE,
	DATA_BARE_CR,
	DATA_BARE_LF,
	DATA_NUL,
	DATA_LONG_LINE,
	DATA_LARGE_HEADER,
	DATA_TOO_LARGE,
};

/* Takes the next bytes of the message: CR LF lines, dots unstuffed. */
typedef void data_sink_fn(void *arg, const char *bytes, size_t n);

struct data {
	int state;
	bool chunks;
	data_sink_fn *sink;
	void *arg;
	uint64_t size, size_max; /* bytes given to the sink, and how many it may be */
	uint64_t line, line_len; /* counted from 1; bytes of it so far */
	bool eight_bit;          /* a byte over 127 was seen */
	bool header_ended;
	struct buf header; /* up to the empty line, which is not in it */
	enum data_fault fault;
	uint64_t fault_line;
};

/* chunks: BDAT. d need not be clean, but must be zeroed before its first use. */
void data_begin(struct data *d, bool chunks, uint64_t size_max, data_sink_fn *sink, void *arg);

/* DATA: takes bytes up to and with the end of the data, which sets *end; returns how many. */
size_t data_dot(struct data *d, const char *bytes, size_t n, bool *end);

/* BDAT: takes all; after the last chunk, data_last() gives a last line its end if it has none. */
void data_chunk(struct data *d, const char *bytes, size_t n);
void data_last(struct data *d);

#define DATA_TOO_LARGE_FORMAT "the message is larger than the %" PRIu64 " bytes allowed here"

/* The reply's status ("554 5.6.0") and what it says, in text; NULL when nothing is wrong. */
const char *data_refusal(const struct data *d, char text[DATA_TEXT_MAX]);

void data_free(struct data *d);

#endif
