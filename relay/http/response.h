/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One HTTP response as bytes (RFC 9112 §4). Nothing here may be stored by anybody: what is served
 * counts what happens to somebody's mail. No cookie, no Referrer-Policy: a redirect must not change
 * what the browser would have sent to the original address.
 */
#ifndef GATEPOST_RELAY_HTTP_RESPONSE_H
#define GATEPOST_RELAY_HTTP_RESPONSE_H

#include "lib/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

struct http_response {
	unsigned status;
	const char *type; /* of the body; NULL for plain text */
	const char *body; /* NULL: the status in words, none with a location */
	size_t body_len;
	const char *location; /* NULL for none; no control characters */
	const char *allow;    /* NULL for none: the methods that a 405 tells */
};

#define HTTP_DATE_MAX 30
/* IMF-fixdate, RFC 9110 §5.6.7. */
const char *http_date(time_t t, char out[HTTP_DATE_MAX]);

/*
 * head: the request was a HEAD, the body stays away. minor: of the request's version, so that an
 * HTTP/1.0 client learns when its connection is kept. A location with a control character becomes
 * a 500: it would end the field.
 */
void http_response_format(const struct http_response *r, int minor, bool head, bool keep_alive,
			  const char *date, struct buf *out);

/* "Not Found"; "" for a status that is never sent. */
const char *http_status_text(unsigned status);

#endif
