/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/track/textpart.h"

#include "relay/html/links.h"
#include "relay/track/charset.h"
#include "relay/track/textlinks.h"
#include "relay/track/trackers.h"
#include "relay/track/url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char notrack_mark[] = "+notrack";

const char *textpart_open(struct textpart *p, const char *message, const struct mime_part *part,
			  unsigned index)
{
	const struct mime_range body = part->body;

	*p = (struct textpart){.index = index, .html = strcmp(part->subtype, "html") == 0};
	snprintf(p->charset, sizeof(p->charset), "%s", part->charset);
	if (charset_unsafe(part->charset))
		return "its charset gives ASCII bytes another meaning";
	const char *fault =
		leaf_open(&p->leaf, message + body.start, body.end - body.start, part->encoding);
	if (fault)
		return fault;
	const struct leaf *l = &p->leaf;
	if (memchr(l->text, '\0', l->text_len) ||
	    (l->text_len >= 2 &&
	     (!memcmp(l->text, "\xff\xfe", 2) || !memcmp(l->text, "\xfe\xff", 2))))
		return "its bytes look like UTF-16 or UTF-32";
	if (memchr(l->text, 0x1b, l->text_len))
		return "it has escape sequences, as ISO-2022 charsets do";
	return NULL;
}

void textpart_close(struct textpart *p)
{
	leaf_close(&p->leaf);
	free(p->splices);
	buf_free(&p->texts);
	*p = (struct textpart){0};
}

bool textpart_has_pgp(const struct textpart *p)
{
	static const char mark[] = "-----BEGIN PGP ";
	const char *text = p->leaf.text, *end = text + p->leaf.text_len;

	for (const char *at = text; (at = memmem(at, (size_t)(end - at), mark, strlen(mark)));) {
		bool begins = at == text || at[-1] == '\n' || (p->html && at[-1] == '>');
		at += strlen(mark);
		size_t left = (size_t)(end - at);
		if (begins && ((left >= 7 && memcmp(at, "MESSAGE", 7) == 0) ||
			       (left >= 6 && memcmp(at, "SIGNED", 6) == 0)))
			return true;
	}
	return false;
}

/* The text is behind `from` in texts; where it lies is known when texts is done growing. */
static void add_splice(struct textpart *p, size_t start, size_t end, size_t from)
{
	if (p->count == p->cap) {
		p->cap = p->cap ? p->cap * 2 : 16;
		p->splices = realloc(p->splices, p->cap * sizeof(*p->splices));
		if (!p->splices)
			abort();
	}
	p->splices[p->count++] =
		(struct splice){.start = start, .end = end, .len = p->texts.len - from};
}

/* texts holds the splices' texts one after the other, in the order they were made. */
static void settle(struct textpart *p)
{
	size_t at = 0;

	for (size_t i = 0; i < p->count; i++) {
		p->splices[i].text = buf_str(&p->texts) + at;
		at += p->splices[i].len;
	}
}

static int by_start(const void *a, const void *b)
{
	const struct splice *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

/* --- one link ---------------------------------------------------------------------------- */

static bool is_unsubscribe(const struct tracking *t, const struct buf *url)
{
	const struct buf *all = t->unsubscribe;

	for (size_t at = 0; at < all->len; at += strlen(all->data + at) + 1)
		if (strcmp(all->data + at, buf_str(url)) == 0)
			return true;
	return false;
}

/* Of this message's host by its looks, of another one of ours because it opens. */
static bool is_ours(const struct tracking *t, const struct buf *url)
{
	enum token_kind kind;
	const char *text, *s = buf_str(url);
	size_t start, end, n;
	struct token token;
	char host[256];

	if (!t->o->host || !url_host(s, url->len, &start, &end))
		return false;
	size_t path = end + strcspn(s + end, "/");
	if (!token_path(s + path, url->len - path, &kind, &text, &n) || end - start >= sizeof(host))
		return false;
	memcpy(host, s + start, end - start);
	host[end - start] = '\0';
	return strcasecmp(host, t->o->host) == 0 || token_open(t->o->ring, host, text, n, &token);
}

static bool seal(const struct tracking *t, enum token_kind kind, uint32_t link, const char *url,
		 struct buf *out)
{
	const struct track_options *o = t->o;
	struct token token;
	struct buf text = BUF_INIT;

	token.kind = kind;
	token.message = o->message;
	token.recipient = o->recipient;
	token.link = link;
	token.accepted = o->accepted;
	if (strlen(url) >= sizeof(token.url))
		return false;
	strcpy(token.url, url);
	snprintf(token.account, sizeof(token.account), "%s", o->account);
	snprintf(token.campaign, sizeof(token.campaign), "%s", o->campaign ? o->campaign : "");
	snprintf(token.tags, sizeof(token.tags), "%s", o->tags ? o->tags : "");
	bool ok = token_seal(o->ring, o->key_id, o->host, &token, &text);
	if (ok)
		token_url(o->https, o->host, kind, buf_str(&text), out);
	buf_free(&text);
	return ok;
}

/* A link as it was found. */
struct found {
	size_t start, end; /* in the decoded text */
	bool opted_out, glued;
};

/* What is to become of the link to url; TRACK_DONE when its tracked form was put behind texts. */
static enum track_verdict judge(struct textpart *p, struct tracking *t, const struct buf *url,
				const struct found *found)
{
	bool wanted = p->html ? p->wishes.clicks_html : p->wishes.clicks_text;
	size_t from = p->texts.len;

	if (found->opted_out)
		return TRACK_OPTED_OUT;
	if (!wanted)
		return TRACK_NOT_WANTED;
	if (found->glued)
		return TRACK_GLUED;
	if (is_ours(t, url) || tracker_made(buf_str(url), url->len))
		return TRACK_ALREADY;
	if (is_unsubscribe(t, url))
		return TRACK_UNSUBSCRIBE;
	if (!t->o->https && url_is_https(buf_str(url), url->len))
		return TRACK_DOWNGRADE;
	bool ok = seal(t, TOKEN_CLICK, t->next_link, buf_str(url), &p->texts);
	if (!ok || p->texts.len - from > TRACK_URL_MAX) {
		buf_truncate(&p->texts, from);
		return TRACK_TOO_LONG;
	}
	t->next_link++;
	return TRACK_DONE;
}

static enum track_verdict verdict_of(enum url_verdict v)
{
	static const enum track_verdict verdicts[] = {
		[URL_OK] = TRACK_DONE,         [URL_NOTRACK] = TRACK_OPTED_OUT,
		[URL_NOT_WEB] = TRACK_NOT_WEB, [URL_NO_HOST] = TRACK_NOT_WEB,
		[URL_CONTROL] = TRACK_CONTROL, [URL_USERINFO] = TRACK_USERINFO,
		[URL_CHARSET] = TRACK_CHARSET,
	};

	return verdicts[v];
}

/* "+notrack" has done its work when it stands in the scheme of text[start, end). */
static void take_mark_out(struct textpart *p, size_t start, size_t end)
{
	const char *s = p->leaf.text + start, *colon = memchr(s, ':', end - start);
	size_t n = strlen(notrack_mark);

	if (!colon || colon - s < (ptrdiff_t)n || strncasecmp(colon - n, notrack_mark, n) != 0)
		return;
	size_t at = start + (size_t)(colon - s) - n;
	add_splice(p, at, at + n, p->texts.len);
}

static void handle_link(struct textpart *p, struct tracking *t, const struct found *found,
			const struct charset *charset)
{
	struct track_link link = {.html = p->html, .part = p->index};
	struct buf utf8 = BUF_INIT, value = BUF_INIT, url = BUF_INIT;
	const char *written = p->leaf.text + found->start;
	size_t n = found->end - found->start, from = p->texts.len;
	enum url_verdict v = URL_CHARSET;

	if (charset_to_utf8(charset, written, n, &utf8)) {
		if (p->html)
			html_decode_attr(buf_str(&utf8), (struct html_range){0, utf8.len}, &value);
		else
			buf_append(&value, buf_str(&utf8), utf8.len);
		v = url_normalise(buf_str(&value), value.len, charset, &url);
	} else {
		buf_append(&value, written, n);
	}
	link.verdict = v == URL_OK ? judge(p, t, &url, found) : verdict_of(v);
	if (link.verdict == TRACK_DONE) {
		add_splice(p, found->start, found->end, from);
		t->report->link_count++;
	} else if (v == URL_NOTRACK) {
		take_mark_out(p, found->start, found->end);
	}
	const struct buf *shown = url.len ? &url : &value;
	track_report_link(t->report, &link, buf_str(shown), shown->len);
	buf_free(&utf8);
	buf_free(&value);
	buf_free(&url);
}

/* --- both kinds of text ------------------------------------------------------------------ */

static void add_pixel(struct textpart *p, struct tracking *t, struct html_range place)
{
	size_t from = p->texts.len;

	buf_appends(&p->texts, "<img src=\"");
	if (!seal(t, TOKEN_OPEN, 0, "", &p->texts)) {
		buf_truncate(&p->texts, from);
		return;
	}
	buf_appends(&p->texts, "\" width=\"1\" height=\"1\" border=\"0\" alt=\"\">");
	add_splice(p, place.start, place.end, from);
	t->pixel_done = t->report->pixel = true;
}

static void track_html(struct textpart *p, struct tracking *t)
{
	struct html_links found;

	html_find_links(p->leaf.text, p->leaf.text_len, &found);
	const char *name = p->charset[0] ? p->charset : found.charset;
	const struct charset *charset = charset_find(name);
	if (!p->charset[0] && (!strncmp(name, "hz", 2) || !strncmp(name, "utf-7", 5))) {
		buf_printf(&t->report->notes, "part %u: its meta element names the charset %s\n",
			   p->index, name);
		html_links_free(&found);
		return;
	}
	if (found.opted_out)
		p->wishes = (struct wishes){0};
	for (size_t i = 0; i < found.count; i++) {
		const struct html_link *l = &found.links[i];
		struct found link = {l->value.start, l->value.end, l->opted_out || found.opted_out,
				     false};
		handle_link(p, t, &link, charset);
	}
	if (found.links_cut)
		buf_printf(&t->report->notes, "part %u: links after the first %d are left alone\n",
			   p->index, HTML_LINKS_MAX);
	if (p->wishes.opens && !t->pixel_done && found.has_pixel_place)
		add_pixel(p, t, found.pixel);
	else if (p->wishes.opens && !t->pixel_done)
		buf_printf(&t->report->notes, "part %u: no place for the pixel that is shown\n",
			   p->index);
	html_links_free(&found);
}

static void track_plain(struct textpart *p, struct tracking *t)
{
	const struct leaf *l = &p->leaf;
	const struct charset *charset = charset_find(p->charset);
	struct text_link link;

	/* Without spaces between words nobody can say where such a link ends: only ASCII ones. */
	if (charset && charset->cjk)
		charset = NULL;
	for (size_t at = 0; text_link_next(l->text, l->text_len, charset, &at, &link);) {
		struct found found = {link.start, link.end, false, link.glued};
		handle_link(p, t, &found, charset);
	}
}

void textpart_track(struct textpart *p, struct tracking *t)
{
	if (p->html)
		track_html(p, t);
	else
		track_plain(p, t);
	settle(p);
	/* A placeholder for the pixel may stand before a link. */
	if (p->count)
		qsort(p->splices, p->count, sizeof(*p->splices), by_start);
}
