/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One HTTP/1.1 or HTTP/1.0 request out of the bytes of a connection (RFC 9112), strictly.
 *
 * A parser looks at each byte of a head once, however the bytes arrive, and refuses what breaks
 * the grammar as soon as the byte is there. A whole head is then cut into slices of the caller's
 * bytes. Whatever two readers of one byte stream might cut into requests at different places is
 * refused (request smuggling, RFC 9112 §11.2): a bare LF or CR, a folded field, white space before
 * a colon, two lengths, a length beside a transfer coding. A body is accepted with a length only,
 * and up to HTTP_BODY_MAX.
 */
#ifndef GATEPOST_RELAY_HTTP_REQUEST_H
#define GATEPOST_RELAY_HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum http_limit {
	HTTP_LINE_MAX = 9 * 1024, /* request line, without its CRLF: the longest token fits */
	HTTP_HEAD_MAX = 16 * 1024,
	HTTP_FIELDS_MAX = 64,
	HTTP_BODY_MAX = 64 * 1024,
};

enum http_method { HTTP_OTHER, HTTP_GET, HTTP_HEAD, HTTP_POST };

struct http_slice {
	const char *at;
	size_t len;
};

struct http_field {
	struct http_slice name, value; /* white space around the value is cut off */
};

struct http_request {
	enum http_method method;
	struct http_slice method_text;
	struct http_slice host;  /* without port; empty when an HTTP/1.0 client left it out */
	struct http_slice path;  /* begins with "/"; "*" for OPTIONS */
	struct http_slice query; /* behind the "?" */
	int minor;               /* of HTTP/1.minor: 0 or 1 */
	struct http_field fields[HTTP_FIELDS_MAX];
	size_t field_count;
	struct http_slice body;
	bool keep_alive;
};

/* Reset to zero for each request. */
struct http_parser {
	size_t scanned;    /* bytes that were looked at */
	size_t line_start; /* where the line that is being scanned begins */
	size_t head_len;   /* with its empty line; 0 while it is not whole */
	size_t body_len;
	unsigned lines; /* whole ones */
	bool wants_continue;
};

enum http_parse {
	HTTP_MORE, /* nothing wrong so far; with head_len set, the body is missing */
	HTTP_DONE, /* the first *used bytes are the request */
	HTTP_BAD,  /* *status says how; the connection is of no use any more */
};

/*
 * bytes[n]: all that came and was not used, from the same first byte in each call of one request.
 * The slices of *r point into bytes. *status: the reply that a bad request gets.
 */
enum http_parse http_parse(struct http_parser *p, const char *bytes, size_t n,
			   struct http_request *r, size_t *used, unsigned *status);

/* The first field of that name, NULL when there is none. name in lower case. */
const struct http_slice *http_field(const struct http_request *r, const char *name);

/* Names compare without regard to case; text in lower case. */
bool http_slice_is(struct http_slice s, const char *text);

#endif
