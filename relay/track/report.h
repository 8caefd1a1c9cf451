/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What became of a message and of each link in it: for the event, and for gatepost-track --explain.
 */
#ifndef GATEPOST_RELAY_TRACK_REPORT_H
#define GATEPOST_RELAY_TRACK_REPORT_H

#include "lib/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
	TRACK_GLUED,       /* in text: what stands behind it would be taken for a part of it */
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

/* Copies url[n] into a new link. */
void track_report_link(struct track_report *r, const struct track_link *link, const char *url,
		       size_t n);
void track_report_free(struct track_report *r);

const char *track_verdict_text(enum track_verdict v);

#endif
