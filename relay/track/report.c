/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/track/report.h"

#include <stdlib.h>
#include <string.h>

const char *track_verdict_text(enum track_verdict v)
{
	static const char *const texts[] = {
		[TRACK_DONE] = "tracked",
		[TRACK_OPTED_OUT] = "its sender opted it out",
		[TRACK_NOT_WEB] = "not http or https with a host",
		[TRACK_ALREADY] = "tracked already",
		[TRACK_UNSUBSCRIBE] = "the target of List-Unsubscribe",
		[TRACK_TOO_LONG] = "would be longer than 2000 characters",
		[TRACK_DOWNGRADE] = "https, and tracking links are http",
		[TRACK_USERINFO] = "has a user name in it",
		[TRACK_CONTROL] = "has a control character in it",
		[TRACK_CHARSET] = "not ASCII, and the charset has no table",
		[TRACK_GLUED] = "what stands behind it would be taken for a part of it",
		[TRACK_NOT_WANTED] = "clicks are not wanted here",
		[TRACK_NOT_TRACKED] = "the message is not tracked",
	};

	return texts[v];
}

void track_report_link(struct track_report *r, const struct track_link *link, const char *url,
		       size_t n)
{
	if (r->links_len == r->links_cap) {
		r->links_cap = r->links_cap ? r->links_cap * 2 : 16;
		r->links = realloc(r->links, r->links_cap * sizeof(*r->links));
		if (!r->links)
			abort();
	}
	struct track_link *to = &r->links[r->links_len++];
	*to = *link;
	to->url = strndup(url, n);
	if (!to->url)
		abort();
}

void track_report_free(struct track_report *r)
{
	for (size_t i = 0; i < r->links_len; i++)
		free(r->links[i].url);
	free(r->links);
	buf_free(&r->reason);
	buf_free(&r->notes);
	*r = (struct track_report){0};
}
