/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where an img can stand without changing the page around it.
 *
 * In the HTML standard an element like b or font that was not closed before its paragraph ended
 * lives on: the next text, or the next img, opens it anew (§13.2.4.3, "reconstruct the active
 * formatting elements"). A pixel put right behind such an end would make an element of its own
 * that was not there. This follows the open elements as far as that takes: it says whether
 * anything would be opened anew, and where the last place was at which nothing was, behind the
 * last text. An error of this small model costs nothing but a pixel that stands there instead.
 */
#ifndef GATEPOST_RELAY_HTML_FORMATTING_H
#define GATEPOST_RELAY_HTML_FORMATTING_H

#include "relay/html/elements.h"
#include "relay/html/tokenizer.h"

#include <stdbool.h>
#include <stddef.h>

enum { FORMATTING_DEPTH_MAX = 256, FORMATTING_LOST_MAX = 16 };

struct open_element {
	const struct element *element;
	struct html_range name;
	unsigned lost_before; /* of a marker: what was lost outside of it */
};

struct formatting {
	const char *bytes;
	struct open_element open[FORMATTING_DEPTH_MAX];
	size_t depth;
	/* Formatting that ended with its block, and will be opened anew; the innermost marker's. */
	struct open_element lost[FORMATTING_LOST_MAX];
	unsigned lost_count, lost_from;
	size_t safe; /* behind the last text, or what is treated like it */
	bool off;    /* deeper than is followed */
};

void formatting_open(struct formatting *f, const char *bytes);

/* What the tokenizer gave, in body, outside of svg, math, template and raw text. */
void formatting_text(struct formatting *f, const struct html_token *text);
void formatting_start(struct formatting *f, const struct html_token *tag,
		      const struct element *element);
void formatting_end(struct formatting *f, const struct html_token *tag,
		    const struct element *element);

/* An img that is to stand at `at`, where the tokenizer is: gives `at`, or the place behind the last
 * text. */
size_t formatting_place(const struct formatting *f, size_t at);

#endif
