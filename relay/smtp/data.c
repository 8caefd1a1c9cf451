/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/smtp/data.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
	LINE_START,
	IN_LINE,
	AFTER_CR,
	AFTER_DOT,    /* a dot began the line; it is no part of the message */
	AFTER_DOT_CR, /* one LF from the end */
};

void data_begin(struct data *d, bool chunks, uint64_t size_max, data_sink_fn *sink, void *arg)
{
	struct buf header = d->header;

	buf_clear(&header);
	*d = (struct data){
		.state = LINE_START,
		.chunks = chunks,
		.sink = sink,
		.arg = arg,
		.size_max = size_max,
		.line = 1,
		.header = header,
	};
}

void data_free(struct data *d)
{
	buf_free(&d->header);
}

static void spoil(struct data *d, enum data_fault fault)
{
	if (d->fault)
		return;
	d->fault = fault;
	d->fault_line = d->line;
}

/* Bytes before the next one that may be CR, LF or NUL. Eight at a time: every byte comes by. */
static size_t uneventful(const char *p, size_t n, bool *eight_bit)
{
	const uint64_t ones = 0x0101010101010101, high = ones * 0x80;
	uint64_t seen = 0;
	size_t i = 0;

	for (; i + 8 <= n; i += 8) {
		uint64_t w;

		memcpy(&w, p + i, 8);
		if (~((w | high) - ones * 0x0e) & ~w & high)
			break;
		seen |= w;
	}
	for (; i < n && (unsigned char)p[i] >= 0x0e; i++)
		seen |= (unsigned char)p[i];
	*eight_bit |= (seen & high) != 0;
	return i;
}

static void keep_header(struct data *d, const char *bytes, size_t n)
{
	size_t before = d->header.len;
	const char *from, *end;

	if (before + n > DATA_HEADER_MAX + 4)
		n = DATA_HEADER_MAX + 4 - before;
	buf_append(&d->header, bytes, n);
	if (d->header.len >= 2 && memcmp(d->header.data, "\r\n", 2) == 0) {
		d->header_ended = true;
		buf_clear(&d->header);
		return;
	}
	from = d->header.data + (before > 3 ? before - 3 : 0);
	end = memmem(from, (size_t)(d->header.data + d->header.len - from), "\r\n\r\n", 4);
	if (end) {
		d->header_ended = true;
		buf_truncate(&d->header, (size_t)(end - d->header.data) + 2);
	} else if (d->header.len > DATA_HEADER_MAX) {
		spoil(d, DATA_LARGE_HEADER);
	}
}

static void pass_on(struct data *d, const char *bytes, size_t n)
{
	if (n == 0 || d->fault)
		return;
	d->size += n;
	if (d->size > d->size_max) {
		spoil(d, DATA_TOO_LARGE);
		return;
	}
	if (!d->header_ended)
		keep_header(d, bytes, n);
	if (!d->fault)
		d->sink(d->arg, bytes, n);
}

/* The byte that ended an uneventful stretch. */
static void event_in_line(struct data *d, char c)
{
	if (c == '\r')
		d->state = AFTER_CR;
	else if (c == '\n')
		spoil(d, DATA_BARE_LF);
	else if (c == '\0')
		spoil(d, DATA_NUL);
	else
		d->line_len++;
}

static void take_line_end(struct data *d)
{
	d->state = LINE_START;
	d->line++;
	d->line_len = 0;
}

static size_t take(struct data *d, const char *bytes, size_t n, bool *end)
{
	size_t start = 0; /* of what was not passed on yet */
	size_t i = 0;

	while (i < n) {
		switch (d->state) {
		case LINE_START:
			d->state = IN_LINE;
			if (bytes[i] == '.' && !d->chunks) {
				pass_on(d, bytes + start, i - start);
				start = ++i;
				d->state = AFTER_DOT;
			}
			break;
		case IN_LINE: {
			size_t run = uneventful(bytes + i, n - i, &d->eight_bit);

			d->line_len += run;
			i += run;
			if (d->line_len > DATA_LINE_MAX)
				spoil(d, DATA_LONG_LINE);
			if (i < n)
				event_in_line(d, bytes[i++]);
			break;
		}
		case AFTER_CR:
			if (bytes[i] == '\n') {
				take_line_end(d);
				i++;
			} else {
				spoil(d, DATA_BARE_CR);
				d->state = IN_LINE;
			}
			break;
		case AFTER_DOT:
			d->state = IN_LINE;
			if (bytes[i] == '\r') {
				start = ++i;
				d->state = AFTER_DOT_CR;
			}
			break;
		case AFTER_DOT_CR:
			if (bytes[i] == '\n') {
				*end = true;
				return i + 1;
			}
			spoil(d, DATA_BARE_CR);
			d->state = IN_LINE;
			break;
		}
	}
	pass_on(d, bytes + start, n - start);
	return n;
}

size_t data_dot(struct data *d, const char *bytes, size_t n, bool *end)
{
	*end = false;
	return take(d, bytes, n, end);
}

void data_chunk(struct data *d, const char *bytes, size_t n)
{
	bool end;

	take(d, bytes, n, &end);
}

void data_last(struct data *d)
{
	if (d->state == AFTER_CR)
		spoil(d, DATA_BARE_CR);
	else if (d->state == IN_LINE)
		pass_on(d, "\r\n", 2);
}

const char *data_refusal(const struct data *d, char text[DATA_TEXT_MAX])
{
	static const struct {
		const char *status, *what;
	} faults[] = {
		[DATA_BARE_CR] = {"554 5.6.0", "has a CR without LF: lines end with CR LF"},
		[DATA_BARE_LF] = {"554 5.6.0", "has a LF without CR: lines end with CR LF"},
		[DATA_NUL] = {"554 5.6.0", "has a NUL: encode binary data in base64"},
		[DATA_LONG_LINE] = {"554 5.6.0", "is too long"},
	};

	switch (d->fault) {
	case DATA_FINE:
		return NULL;
	case DATA_LARGE_HEADER:
		snprintf(text, DATA_TEXT_MAX, "the message's header is larger than %d bytes",
			 DATA_HEADER_MAX);
		return "552 5.3.4";
	case DATA_TOO_LARGE:
		snprintf(text, DATA_TEXT_MAX, DATA_TOO_LARGE_FORMAT, d->size_max);
		return "552 5.3.4";
	default:
		snprintf(text, DATA_TEXT_MAX, "line %" PRIu64 " of the message %s", d->fault_line,
			 faults[d->fault].what);
		return faults[d->fault].status;
	}
}
