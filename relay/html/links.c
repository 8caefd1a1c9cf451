/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * No tree is built. Of the standard's tree construction (§13.2.6) this follows what decides
 * whether a link is shown: where head ends and body begins, what template and frameset hide, when
 * an element's content is raw text, and svg and math, in which it never is. The raw text of
 * conditional comments is looked at the way Outlook does, as HTML of its own.
 */
#include "relay/html/links.h"

#include "lib/buf.h"
#include "relay/html/elements.h"
#include "relay/html/formatting.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { FOREIGN_DEPTH_MAX = 64 };

/* An svg or math element, or a place inside one where HTML goes on (§13.2.6.5). */
struct foreign {
	struct html_range name;
	bool html; /* an integration point */
};

struct finder {
	const char *bytes;
	struct html_links *out;
	struct html_tokenizer t;
	bool in_head_tag; /* head has begun, and body has not */
	bool in_body;
	bool frameset;
	size_t templates; /* open ones */
	struct formatting formatting;
	struct foreign foreign[FOREIGN_DEPTH_MAX];
	size_t foreign_depth;
	struct html_range placeholder;
	size_t body_end, html_end; /* NONE or where the last end tag begins */
	size_t hidden_from;        /* where the template or raw text that is open began */
};

#define NONE ((size_t)-1)

static const struct element *element_of(const char *bytes, const struct html_token *tag)
{
	return element_find(bytes + tag->name.start, tag->name.end - tag->name.start);
}

/* --- svg and math ------------------------------------------------------------------------ */

static bool in_foreign(const struct finder *f)
{
	return f->foreign_depth && !f->foreign[f->foreign_depth - 1].html;
}

/* Tags that end svg and math wherever they stand in it. */
static bool breaks_out(const struct finder *f, const struct html_token *tag,
		       const struct element *e)
{
	if (e->id == E_FONT)
		return html_attr(f->bytes, tag, "color") || html_attr(f->bytes, tag, "face") ||
		       html_attr(f->bytes, tag, "size");
	return e->facts & ELEMENT_BREAKS_OUT;
}

static void foreign_start(struct finder *f, const struct html_token *tag, const struct element *e)
{
	bool html = false;

	if (in_foreign(f) && breaks_out(f, tag, e))
		while (in_foreign(f))
			f->foreign_depth--;
	if (in_foreign(f) && e->facts & ELEMENT_INTEGRATION)
		html = true;
	else if (e->id != E_SVG && e->id != E_MATH)
		return;
	if (!tag->self_closing && f->foreign_depth < FOREIGN_DEPTH_MAX)
		f->foreign[f->foreign_depth++] = (struct foreign){tag->name, html};
}

static void foreign_end(struct finder *f, const struct html_token *tag)
{
	size_t n = tag->name.end - tag->name.start;

	for (size_t i = f->foreign_depth; i-- > 0;) {
		struct html_range open = f->foreign[i].name;
		if (open.end - open.start == n &&
		    !strncasecmp(f->bytes + open.start, f->bytes + tag->name.start, n)) {
			f->foreign_depth = i;
			return;
		}
	}
}

/* --- links ------------------------------------------------------------------------------- */

static void add_link(struct finder *f, const struct html_token *tag, const struct html_attr *href,
		     size_t base, bool conditional)
{
	struct html_links *l = f->out;

	if (l->count == HTML_LINKS_MAX) {
		l->links_cut = true;
		return;
	}
	if ((l->count & (l->count - 1)) == 0) {
		l->links = realloc(l->links, (l->count ? l->count * 2 : 1) * sizeof(*l->links));
		if (!l->links)
			abort();
	}
	l->links[l->count++] = (struct html_link){
		.value = {base + href->value.start, base + href->value.end},
		.quote = href->quote,
		.opted_out = html_attr(f->bytes + base, tag, "data-gatepost-notrack") != NULL,
		.conditional = conditional,
	};
}

/* base: where the token's bytes begin in the document. */
static void look_for_link(struct finder *f, const struct html_token *tag, const struct element *e,
			  size_t base, bool conditional)
{
	const char *bytes = f->bytes + base;
	size_t n = tag->name.end - tag->name.start;
	bool vml = n > 2 && strncasecmp(bytes + tag->name.start, "v:", 2) == 0;

	if (!vml && !(e->facts & ELEMENT_LINK))
		return;
	const struct html_attr *href = html_attr(bytes, tag, "href");
	if (href && href->quote != HTML_NO_VALUE)
		add_link(f, tag, href, base, conditional);
}

static const char *find_text(const char *s, size_t n, const char *text)
{
	return memmem(s, n, text, strlen(text));
}

/* <!--[if …]> HTML <![endif]-->: the HTML; false for any other comment. */
static bool conditional_content(const struct finder *f, struct html_range data,
				struct html_range *out)
{
	static const char end[] = "<![endif]";
	const char *s = f->bytes + data.start;
	size_t n = data.end - data.start;

	if (n < 3 || strncasecmp(s, "[if", 3) != 0)
		return false;
	const char *open = find_text(s, n, "]>");
	if (!open)
		return false;
	size_t from = (size_t)(open - s) + 2;
	while (n > from && isspace((unsigned char)s[n - 1]))
		n--;
	if (n - from < strlen(end) || strncasecmp(s + n - strlen(end), end, strlen(end)) != 0)
		return false;
	*out = (struct html_range){data.start + from, data.start + n - strlen(end)};
	return true;
}

static void look_into_comment(struct finder *f, struct html_range content)
{
	struct html_tokenizer t;
	struct html_token token;

	html_open(&t, f->bytes + content.start, content.end - content.start);
	while (html_next(&t, &token)) {
		if (token.kind != HTML_START_TAG)
			continue;
		const struct element *e = element_of(t.bytes, &token);
		look_for_link(f, &token, e, content.start, true);
		if (e->facts & (ELEMENT_RCDATA | ELEMENT_RAWTEXT))
			html_set_text_mode(&t, html_text_mode_of(t.bytes, &token), NULL);
	}
}

static bool is_placeholder(const struct finder *f, struct html_range data)
{
	static const char name[] = "gatepost-pixel";

	while (data.start < data.end && isspace((unsigned char)f->bytes[data.start]))
		data.start++;
	while (data.end > data.start && isspace((unsigned char)f->bytes[data.end - 1]))
		data.end--;
	return html_name_is(f->bytes, data, name);
}

static void on_comment(struct finder *f, const struct html_token *c)
{
	struct html_range content;

	if (f->templates || f->frameset || (f->in_head_tag && !f->in_body))
		return;
	if (is_placeholder(f, c->data) && f->placeholder.end == 0)
		f->placeholder = c->whole;
	else if (conditional_content(f, c->data, &content))
		look_into_comment(f, content);
}

/* --- tags -------------------------------------------------------------------------------- */

static void take_charset(struct finder *f, const struct html_token *meta)
{
	const struct html_attr *a = html_attr(f->bytes, meta, "charset");
	const struct html_attr *content = html_attr(f->bytes, meta, "content");
	struct buf v = BUF_INIT;
	size_t n = 0;

	if (f->out->charset[0] || (!a && (!content || !html_attr(f->bytes, meta, "http-equiv"))))
		return;
	html_decode_attr(f->bytes, a ? a->value : content->value, &v);
	const char *s = buf_str(&v);
	if (!a) {
		s = strcasestr(s, "charset");
		s = s ? s + strlen("charset") : "";
		s += strspn(s, " \t\n\f=\"'");
	}
	for (; s[n] && n + 1 < sizeof(f->out->charset) && !strchr(" \t\n\f;\"'", s[n]); n++)
		f->out->charset[n] = (char)tolower((unsigned char)s[n]);
	f->out->charset[n] = '\0';
	buf_free(&v);
}

/* §13.2.6.4.3 to .6: what is not head's begins the body. */
static void enter(struct finder *f, const struct element *e)
{
	if (f->in_body || f->templates)
		return;
	if (e->id == E_FRAMESET)
		f->frameset = true;
	if (!(e->facts & ELEMENT_HEAD))
		f->in_body = true;
	else if (e->id != E_HTML)
		f->in_head_tag = true;
}

/* Content that is no markup, or hidden. */
static void hide_content(struct finder *f, const struct html_token *tag, const struct element *e)
{
	if (e->id == E_TEMPLATE && f->templates++ == 0)
		f->hidden_from = tag->whole.start;
	if (!(e->facts & (ELEMENT_RCDATA | ELEMENT_RAWTEXT)))
		return;
	html_set_text_mode(&f->t, html_text_mode_of(f->bytes, tag), NULL);
	if (!f->templates)
		f->hidden_from = tag->whole.start;
}

static void on_start_tag(struct finder *f, const struct html_token *tag)
{
	const struct element *e = element_of(f->bytes, tag);
	bool was_foreign = in_foreign(f), inside = f->foreign_depth > 0;

	enter(f, e);
	if (e->id == E_META)
		take_charset(f, tag);
	if ((e->id == E_HTML || e->id == E_BODY) &&
	    html_attr(f->bytes, tag, "data-gatepost-notrack"))
		f->out->opted_out = true;
	foreign_start(f, tag, e);
	f->t.cdata_allowed = in_foreign(f);
	bool shown = f->in_body && !f->templates && !f->frameset;
	if (shown || was_foreign)
		look_for_link(f, tag, e, 0, false);
	/* A title in svg is svg's: in_foreign() is over, but it is no raw text. */
	if (was_foreign && (in_foreign(f) || e->facts & ELEMENT_INTEGRATION))
		return;
	if (shown && (!inside || !f->foreign_depth))
		formatting_start(&f->formatting, tag, e);
	hide_content(f, tag, e);
}

static void on_end_tag(struct finder *f, const struct html_token *tag)
{
	const struct element *e = element_of(f->bytes, tag);

	if (e->id == E_TEMPLATE && f->templates)
		f->templates--;
	if (f->templates)
		return;
	if (e->id == E_BODY || e->id == E_HTML || e->id == E_BR)
		f->in_body = true;
	if (e->id == E_BODY)
		f->body_end = formatting_place(&f->formatting, tag->whole.start);
	if (e->id == E_HTML)
		f->html_end = formatting_place(&f->formatting, tag->whole.start);
	bool inside = f->foreign_depth > 0;
	foreign_end(f, tag);
	f->t.cdata_allowed = in_foreign(f);
	if (!inside && f->in_body && e->id != E_BODY && e->id != E_HTML)
		formatting_end(&f->formatting, tag, e);
}

static void on_text(struct finder *f, const struct html_token *text)
{
	if (f->templates || text->mode != HTML_DATA)
		return;
	for (size_t i = text->data.start; i < text->data.end && !f->in_body; i++)
		f->in_body = !memchr(" \t\r\n\f", f->bytes[i], 5);
	if (f->in_body && !f->foreign_depth)
		formatting_text(&f->formatting, text);
}

/* --- the whole document ------------------------------------------------------------------ */

/* end: what the end of the input cut off; cut_comment: where such a comment begins, or NONE. */
static void place_pixel(struct finder *f, struct html_range end, size_t cut_comment)
{
	struct html_links *l = f->out;
	bool hidden = f->templates || f->t.mode != HTML_DATA;
	size_t at = hidden ? f->hidden_from : cut_comment != NONE ? cut_comment : end.start;

	if (f->placeholder.end) {
		l->pixel = f->placeholder;
		l->has_pixel_place = true;
		return;
	}
	if (f->body_end != NONE)
		at = f->body_end;
	else if (f->html_end != NONE)
		at = f->html_end;
	else if (at < end.end && !f->in_body)
		at = NONE; /* all of it is hidden */
	else
		at = formatting_place(&f->formatting, at);
	l->has_pixel_place = at != NONE && !f->frameset;
	l->pixel = (struct html_range){at, at};
}

void html_find_links(const char *bytes, size_t n, struct html_links *out)
{
	struct finder f = {.bytes = bytes, .out = out, .body_end = NONE, .html_end = NONE};
	struct html_token token;
	size_t cut_comment = NONE;

	*out = (struct html_links){0};
	formatting_open(&f.formatting, bytes);
	html_open(&f.t, bytes, n);
	while (html_next(&f.t, &token)) {
		if (token.kind == HTML_TEXT)
			on_text(&f, &token);
		else if (token.kind == HTML_START_TAG)
			on_start_tag(&f, &token);
		else if (token.kind == HTML_END_TAG)
			on_end_tag(&f, &token);
		else if (token.kind == HTML_COMMENT)
			on_comment(&f, &token);
		if (token.cut)
			cut_comment = token.whole.start;
	}
	place_pixel(&f, token.whole, cut_comment);
}

void html_links_free(struct html_links *l)
{
	free(l->links);
	*l = (struct html_links){0};
}
