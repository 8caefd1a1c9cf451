/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/http/answer.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

enum state { STATUS_LINE, FIELDS, BODY, CHUNK_SIZE, CHUNK, CHUNK_END, TRAILER, DONE, BAD };

void answer_init(struct answer *a, size_t body_max)
{
	*a = (struct answer){.body_max = body_max};
}

void answer_free(struct answer *a)
{
	buf_free(&a->body);
	buf_free(&a->line);
}

static void refuse(struct answer *a, const char *error)
{
	a->error = error;
	a->state = BAD;
}

/* ---- the head ---- */

/* "HTTP/1.1 200 OK" */
static void take_status(struct answer *a, const char *line)
{
	if (strncmp(line, "HTTP/1.", 7) != 0 || !isdigit((unsigned char)line[7]) ||
	    line[8] != ' ' || line[9] < '1' || line[9] > '5' || !isdigit((unsigned char)line[10]) ||
	    !isdigit((unsigned char)line[11]) || (line[12] != ' ' && line[12] != '\0')) {
		refuse(a, "it does not begin with HTTP/1.1 and a status");
		return;
	}
	a->status = (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
	a->type[0] = '\0';
	a->chunked = a->sized = false;
	a->state = FIELDS;
}

static void take_length(struct answer *a, const char *value)
{
	uint64_t n = 0;
	size_t digits = strspn(value, "0123456789");

	if (!digits || digits > 18 || value[digits]) {
		refuse(a, "its Content-Length is no number");
		return;
	}
	for (size_t i = 0; i < digits; i++)
		n = n * 10 + (uint64_t)(value[i] - '0');
	if (a->sized && n != a->left)
		refuse(a, "it has two Content-Lengths");
	a->sized = true;
	a->left = n;
}

static void take_field(struct answer *a, char *line)
{
	char *colon = strchr(line, ':'), *value;
	size_t n;

	if (!colon || colon == line || line[0] == ' ' || line[0] == '\t') {
		refuse(a, "a header field has no name");
		return;
	}
	*colon = '\0';
	value = colon + 1 + strspn(colon + 1, " \t");
	for (n = strlen(value); n && (value[n - 1] == ' ' || value[n - 1] == '\t');)
		value[--n] = '\0';
	if (strcasecmp(line, "Content-Length") == 0) {
		take_length(a, value);
	} else if (strcasecmp(line, "Transfer-Encoding") == 0) {
		if (strcasecmp(value, "chunked") != 0 || a->chunked)
			refuse(a, "its Transfer-Encoding is not chunked");
		a->chunked = true;
	} else if (strcasecmp(line, "Content-Type") == 0) {
		n = strcspn(value, "; \t");
		for (size_t i = 0; i < n && i + 1 < sizeof(a->type); i++) {
			a->type[i] = (char)tolower((unsigned char)value[i]);
			a->type[i + 1] = '\0';
		}
	}
}

static void end_head(struct answer *a)
{
	if (a->status < 200) { /* §15.2 of RFC 9110: the answer proper follows */
		a->state = STATUS_LINE;
	} else if (a->chunked && a->sized) {
		refuse(a, "it has both a Content-Length and chunks");
	} else if (a->status == 204 || a->status == 304) {
		a->state = DONE;
	} else if (a->chunked) {
		a->state = CHUNK_SIZE;
	} else if (a->sized && a->left > a->body_max) {
		refuse(a, "its body is too long");
	} else {
		a->state = a->sized && !a->left ? DONE : BODY;
	}
}

/* ---- chunks ---- */

static void take_chunk_size(struct answer *a, const char *line)
{
	uint64_t n = 0;
	size_t digits = strspn(line, "0123456789abcdefABCDEF");

	if (!digits || digits > 8 || !strchr("; \t", line[digits])) {
		refuse(a, "the size of a chunk is no number");
		return;
	}
	for (size_t i = 0; i < digits; i++) {
		int c = tolower((unsigned char)line[i]);
		n = n * 16 + (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
	}
	if (n > a->body_max - a->body.len) {
		refuse(a, "its body is too long");
		return;
	}
	a->left = n;
	a->state = n ? CHUNK : TRAILER;
}

/* ---- bytes ---- */

static void take_line(struct answer *a, char *line)
{
	switch ((enum state)a->state) {
	case STATUS_LINE:
		take_status(a, line);
		break;
	case FIELDS:
		if (*line)
			take_field(a, line);
		else
			end_head(a);
		break;
	case CHUNK_SIZE:
		take_chunk_size(a, line);
		break;
	case CHUNK_END:
		if (*line)
			refuse(a, "a chunk is longer than it says");
		else
			a->state = CHUNK_SIZE;
		break;
	case TRAILER:
		if (!*line)
			a->state = DONE;
		break;
	default:
		break;
	}
}

/* Up to the end of a line; the number of bytes that were used. */
static size_t feed_line(struct answer *a, const char *bytes, size_t n)
{
	const char *nl = memchr(bytes, '\n', n);
	size_t used = nl ? (size_t)(nl - bytes) + 1 : n;

	a->head_bytes += used;
	if (a->head_bytes > ANSWER_HEAD_MAX) {
		refuse(a, "its head is too long");
		return used;
	}
	buf_append(&a->line, bytes, nl ? used - 1 : used);
	if (!nl)
		return used;
	if (a->line.len && a->line.data[a->line.len - 1] == '\r')
		a->line.len--;
	if (a->line.len && memchr(a->line.data, '\0', a->line.len)) {
		refuse(a, "it holds a NUL");
		return used;
	}
	buf_appendc(&a->line, '\0');
	take_line(a, a->line.data);
	buf_clear(&a->line);
	return used;
}

static size_t feed_body(struct answer *a, const char *bytes, size_t n)
{
	bool bounded = a->state == CHUNK || a->sized;
	size_t used = bounded && n > a->left ? (size_t)a->left : n;

	if (used > a->body_max - a->body.len) {
		refuse(a, "its body is too long");
		return n;
	}
	buf_append(&a->body, bytes, used);
	if (!bounded)
		return used;
	a->left -= used;
	if (!a->left)
		a->state = a->state == CHUNK ? CHUNK_END : DONE;
	return used;
}

static enum answer_status standing(const struct answer *a)
{
	return a->state == DONE ? ANSWER_DONE : a->state == BAD ? ANSWER_BAD : ANSWER_MORE;
}

enum answer_status answer_feed(struct answer *a, const char *bytes, size_t n)
{
	while (n && a->state != DONE && a->state != BAD) {
		bool body = a->state == BODY || a->state == CHUNK;
		size_t used = body ? feed_body(a, bytes, n) : feed_line(a, bytes, n);

		bytes += used;
		n -= used;
	}
	return standing(a);
}

enum answer_status answer_end(struct answer *a)
{
	if (a->state == BODY && !a->sized)
		a->state = DONE;
	else if (a->state != DONE && a->state != BAD)
		refuse(a, "the server closed the connection before its end");
	return standing(a);
}
