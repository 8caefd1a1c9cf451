/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A message in, the tracked message out: a pure function of the bytes and the options.
 *
 * Links and the pixel are spliced into the bytes; everything else passes as it came, but for the
 * exceptions of DESIGN §7.3 that belong here: our control headers are taken out, and lines over
 * 998 bytes are mended. trace.h makes the Received line, a missing Date and Message-ID, and
 * signing comes after both.
 *
 * Control headers, on the message or on one part of it:
 *
 *	X-Gatepost-Track: opens=no; clicks=no    ("no" alone means all of it)
 *
 * In the mail: data-gatepost-notrack on a link, or on html or body for the whole part;
 * http+notrack://… leaves as http://…; <!--gatepost-pixel--> is where the pixel goes.
 *
 * A message that cannot be parsed, or whose foreign signature tracking would break (§7.6), is not
 * tracked and the report says why.
 */
#ifndef GATEPOST_RELAY_TRACK_REWRITE_H
#define GATEPOST_RELAY_TRACK_REWRITE_H

#include "lib/buf.h"
#include "relay/track/report.h"
#include "relay/track/token.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum track_limit {
	TRACK_URL_MAX = 2000, /* a tracked URL longer than this breaks in Outlook */
};

struct track_options {
	bool opens, clicks_html, clicks_text;
	bool https;          /* tracking URLs begin with https:// */
	bool seven_bit;      /* for a peer without 8BITMIME: re-encode what is not ASCII */
	bool foreign_signed; /* track even where that breaks a foreign signature */
	bool one_click;      /* RFC 8058 List-Unsubscribe, when the message has none; needs https */
	const char *host;    /* tracking host, lower case */
	const char *account;
	const char *campaign; /* may be NULL, as tags (labels.h) */
	const char *tags;
	struct token_ring *ring; /* may be NULL when nothing is to be tracked */
	uint32_t key_id;
	uint64_t message;
	uint32_t recipient;
	const char *address; /* the recipient's, for one_click; may be NULL */
	int64_t accepted;    /* seconds since 1970 */
	/* Domains that will sign this message anew: their old signatures are replaced. */
	const char *const *own_domains;
	size_t own_domain_count;
};

/*
 * Appends the message to out. The report is the caller's to free. A message may come out as it
 * went in; that is no failure. in must be CRLF lines.
 */
void track_rewrite(const char *in, size_t n, const struct track_options *o, struct buf *out,
		   struct track_report *report);

#endif
