/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The address behind a link, made fit to be sealed and to come back in a Location field.
 *
 * An ASCII URL comes out byte for byte, but for what the URL standard strips before it looks
 * (white space around it, tabs and line ends in it). One with other characters is serialised as
 * a browser would (URL standard §4.4): host in punycode, path and fragment percent-encoded UTF-8,
 * the query in the document's charset. A host that idn.h does not do is percent-encoded, which the
 * standard's host parser takes back.
 */
#ifndef GATEPOST_RELAY_TRACK_URL_H
#define GATEPOST_RELAY_TRACK_URL_H

#include "lib/buf.h"
#include "relay/track/charset.h"

#include <stdbool.h>
#include <stddef.h>

enum url_verdict {
	URL_OK,
	URL_NOTRACK,  /* http+notrack: or https+notrack:; out holds it without +notrack */
	URL_NOT_WEB,  /* another scheme, a fragment, a relative link */
	URL_NO_HOST,  /* not "//" and a host behind the scheme, or not one that a browser takes */
	URL_CONTROL,  /* a control character in it */
	URL_USERINFO, /* user@ before the host */
	URL_CHARSET,  /* not valid UTF-8, or its query is for a charset without a table */
};

/*
 * value[n]: UTF-8, character references decoded. c is the document's charset, NULL when there is
 * no table for it. Appends to out when URL_OK or URL_NOTRACK.
 */
enum url_verdict url_normalise(const char *value, size_t n, const struct charset *c,
			       struct buf *out);

/* The part of an http or https URL that is the host, without its port. False when none. */
bool url_host(const char *url, size_t n, size_t *start, size_t *end);

bool url_is_https(const char *url, size_t n);

#endif
