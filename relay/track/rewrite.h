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
 *	X-Gatepost-Track: opens=no; clicks=no    ("no" alone means both)
 *	X-Gatepost-Campaign: spring sale         (on the message only)
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
	const char *campaign;    /* unless the message names one; may be NULL */
	struct token_ring *ring; /* may be NULL when nothing is to be tracked */
	uint32_t key_id;
	uint64_t message;
	uint32_t recipient;
	int64_t accepted; /* seconds since 1970 */
	/* Domains that will sign this message anew: their old signatures are replaced. */
	const char *const *own_domains;
	size_t own_domain_count;
};

enum track_verdict {
	TRACK_DONE,
	TRACK_OPTED_OUT,   /* data-gatepost-notrack, http+notrack: */
	TRACK_NOT_WEB,     /* not http or https: a fragment, mailto:, a relative link */
	TRACK_ALREADY,     /* a tracking link of ours or of another sender's service */
	TRACK_UNSUBSCRIBE, /* the target of List-Unsubscribe */
	TRACK_TOO_LONG,    /* would be longer than TRACK_URL_MAX */
	TRACK_DOWNGRADE,   /* an https link, and tracking links are http */
	TRACK_USERINFO,
	TRACK_CONTROL,     /* a control character in it */
	TRACK_CHARSET,     /* not ASCII, in a charset without a table */
	TRACK_NOT_WANTED,  /* the account or the message does not want clicks tracked */
	TRACK_NOT_TRACKED, /* the whole message is not; see the report's reason */
};

struct track_link {
	enum track_verdict verdict;
	bool html;
	unsigned part; /* index in mime_scan()'s parts */
	char *url;     /* as a browser would ask for it; as written when not TRACK_DONE */
};

struct track_report {
	bool changed; /* more than a control header differs */
	bool pixel;
	uint32_t link_count; /* TRACK_DONE */
	uint32_t mended;     /* parts or fields with lines over 998 bytes */
	uint32_t signatures_removed;
	struct buf reason; /* why the message is not tracked; empty when it is, or none asked */
	struct buf notes;  /* a line for each part that was left alone, and why */
	struct track_link *links;
	size_t links_len, links_cap;
};

/*
 * Appends the message to out. The report is the caller's to free. A message may come out as it
 * went in; that is no failure. in must be CRLF lines.
 */
void track_rewrite(const char *in, size_t n, const struct track_options *o, struct buf *out,
		   struct track_report *report);
void track_report_free(struct track_report *r);
const char *track_verdict_text(enum track_verdict v);

#endif
