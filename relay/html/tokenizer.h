/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The HTML standard's tokenizer (§13.2.5) over bytes.
 *
 * A token is where it lies in the source: names, attribute values, text and comments are byte
 * ranges, and nothing is copied or decoded until somebody asks. The bytes may be in any encoding
 * whose ASCII bytes stand for themselves. What the standard leaves to its tree construction
 * (when <style> switches to raw text, where CDATA is allowed) is the caller's to say:
 * html_set_text_mode() after a start tag, or html_text_mode_of() for the usual answer.
 *
 * Memory: one fixed struct. A tag has at most HTML_ATTRS_MAX attributes recorded; the standard
 * lets the first of a name win, so html_attr() is right for every name found among them.
 */
#ifndef GATEPOST_RELAY_HTML_TOKENIZER_H
#define GATEPOST_RELAY_HTML_TOKENIZER_H

#include "lib/buf.h"

#include <stdbool.h>
#include <stddef.h>

#define HTML_ATTRS_MAX 128

struct html_range {
	size_t start, end;
};

enum html_token_kind {
	HTML_END, /* of the input */
	HTML_TEXT,
	HTML_START_TAG,
	HTML_END_TAG,
	HTML_COMMENT,
	HTML_DOCTYPE,
};

enum html_text_mode {
	HTML_DATA,
	HTML_RCDATA,
	HTML_RAWTEXT,
	HTML_SCRIPT,
	HTML_PLAINTEXT,
	HTML_CDATA,
};

enum html_quote { HTML_NO_VALUE, HTML_UNQUOTED, HTML_SINGLE, HTML_DOUBLE };

struct html_attr {
	struct html_range name, value; /* value without its quotes */
	enum html_quote quote;
};

struct html_token {
	enum html_token_kind kind;
	struct html_range whole;
	struct html_range name;   /* tags and doctypes */
	struct html_range data;   /* text, comments */
	enum html_text_mode mode; /* text: how it was read, for html_decode_text() */
	bool self_closing;
	bool cut;                /* a comment that only the end of the input ended */
	struct html_attr *attrs; /* the tokenizer's, until the next token */
	size_t attr_count;
	bool attrs_cut; /* there were more */
	/* doctypes */
	struct html_range public_id, system_id;
	bool has_name, has_public_id, has_system_id, force_quirks;
};

struct html_tokenizer {
	const char *bytes;
	size_t len, at;
	enum html_text_mode mode;
	struct html_range last_start; /* name of the last start tag, in last_bytes */
	const char *last_bytes;
	bool cdata_allowed; /* the adjusted current node is not an HTML element */
	struct html_attr attrs[HTML_ATTRS_MAX];
};

void html_open(struct html_tokenizer *t, const char *bytes, size_t n);

/*
 * The next token; false when there is none: kind is then HTML_END, and whole what the end of the
 * input cut off (a tag without its '>'; else empty).
 */
bool html_next(struct html_tokenizer *t, struct html_token *out);

/* How the text from here on is read, until the end tag `name` (lower case, the caller's). */
void html_set_text_mode(struct html_tokenizer *t, enum html_text_mode mode, const char *name);

/* What an HTML element's content is read as, scripting disabled (§13.2.6.4). */
enum html_text_mode html_text_mode_of(const char *bytes, const struct html_token *tag);

/* True when a tag's (or attribute's) name is that, in any case. lower is in lower case. */
bool html_name_is(const char *bytes, struct html_range name, const char *lower);

/* The first attribute of that name; NULL when there is none. */
const struct html_attr *html_attr(const char *bytes, const struct html_token *tag,
				  const char *lower);

/*
 * Append what the source range means: CRLF and CR become LF, character references their UTF-8,
 * and U+0000 U+FFFD where the standard says so. Bytes over 127 pass as they are.
 */
void html_decode_text(const char *bytes, const struct html_token *text, struct buf *out);
void html_decode_attr(const char *bytes, struct html_range value, struct buf *out);

#endif
