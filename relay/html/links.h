/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The links of an HTML mail, and where its body ends.
 *
 * A link is the href of an a or area element, or of a VML shape (v:roundrect and its kin, the
 * "bulletproof" buttons of Outlook), also inside a conditional comment (<!--[if mso]>). Not base,
 * link, form; nothing in head, script, style, textarea, template, or an ordinary comment. What is
 * inside and outside follows the standard's tree construction as far as it decides that: head
 * ends where the standard ends it, svg and math have no raw text.
 *
 * The pixel's place is the standard's body end: before the last </body>, else the last </html>,
 * else at the end; or at the sender's placeholder, the comment <!--gatepost-pixel-->.
 */
#ifndef GATEPOST_RELAY_HTML_LINKS_H
#define GATEPOST_RELAY_HTML_LINKS_H

#include "relay/html/tokenizer.h"

#include <stdbool.h>
#include <stddef.h>

#define HTML_LINKS_MAX 5000

struct html_link {
	struct html_range value; /* of the attribute, without quotes, in the source */
	enum html_quote quote;
	bool opted_out;   /* data-gatepost-notrack on the element, or on html or body */
	bool conditional; /* inside a conditional comment */
};

struct html_links {
	struct html_link *links;
	size_t count;
	bool links_cut;       /* there were more than HTML_LINKS_MAX */
	bool opted_out;       /* data-gatepost-notrack on html or body */
	bool has_pixel_place; /* false: no place that would be shown (a frameset; unclosed head) */
	struct html_range pixel; /* what the pixel takes the place of: empty, or the placeholder */
	char charset[64];        /* of a meta element, lower case; "" for none */
};

void html_find_links(const char *bytes, size_t n, struct html_links *out);
void html_links_free(struct html_links *l);

#endif
