/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The address behind a link, made fit to be sealed and to come back in a Location field.
 *
 * An ASCII URL comes out byte for byte, but for what the URL standard strips before it looks
 * (white space around it, tabs and line ends in it). One with other characters is serialised as
 * a browser would: host and path in UTF-8, the query in the document's charset, percent-encoded
 * (a host percent-encoded is made punycode by whoever follows it, as the standard says).
 */
#ifndef GATEPOST_RELAY_TRACK_URL_H
#define GATEPOST_RELAY_TRACK_URL_H

#include "lib/buf.h"

#include <stdbool.h>
#include <stddef.h>

enum url_verdict {
	URL_OK,
	URL_NOTRACK,  /* http+notrack: or https+notrack:; out holds it without +notrack */
	URL_NOT_WEB,  /* another scheme, a fragment, a relative link */
	URL_CONTROL,  /* a control character in it */
	URL_USERINFO, /* user@ before the host */
	URL_NO_HOST,  /* http:/path, http:// alone */
	URL_CHARSET,  /* characters that the charset table does not know */
};

/* How bytes over 127 in the document are to be read. */
struct charset;

/* NULL when the charset is not known; "" and us-ascii are taken as UTF-8. Name in lower case. */
const struct charset *charset_find(const char *name);
bool charset_is_utf8(const struct charset *c);

/* True when ASCII bytes may mean something else in it (UTF-16, UTF-7, ISO-2022-*, HZ, EBCDIC). */
bool charset_unsafe(const char *name);

/*
 * value[n]: the attribute after html_decode_attr(), so raw bytes are in the document's charset
 * (NULL: unknown) and characters from references in UTF-8; or text. Appends to out when URL_OK or
 * URL_NOTRACK.
 */
enum url_verdict url_normalise(const char *value, size_t n, const struct charset *c,
			       struct buf *out);

/* The host of an http or https URL, its port left out. False when there is none. */
bool url_host(const char *url, size_t n, size_t *start, size_t *end);

#endif
