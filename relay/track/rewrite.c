/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One pass over the header says what is wished and what forbids it, one over the text parts finds
 * their splices, one mends lines; each leaves edits of the message behind, and the edits are made
 * at the end. Tracking that turns out to be forbidden takes its edits back.
 */
#include "relay/track/rewrite.h"

#include "relay/mime/scan.h"
#include "relay/track/edits.h"
#include "relay/track/foreign.h"
#include "relay/track/mend.h"
#include "relay/track/textpart.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_MAX_BYTES = 998 }; /* without its line end */

struct rewriter {
	const char *in;
	size_t n;
	const struct track_options *o;
	struct track_report *report;
	struct mime_message m;
	struct edits edits;
	struct wishes wishes;
	struct buf foreign;     /* whose signature stands in the way; empty for nobody's */
	struct buf unsubscribe; /* URLs, each with a NUL behind it */
	bool has_unsubscribe;
	struct mime_range *own_signatures;
	size_t own_count;
	struct textpart *parts; /* the ones to track */
	size_t part_count;
	bool *done; /* by index of mime_scan()'s parts */
};

static void give_reason(struct rewriter *w, const char *reason)
{
	if (w->report->reason.len == 0)
		buf_appends(&w->report->reason, reason);
}

static void remove_field(struct rewriter *w, struct mime_range field)
{
	edits_add(&w->edits, field, edits_begin(&w->edits));
}

/* --- the header -------------------------------------------------------------------------- */

/* RFC 2369 §2: URLs in angle brackets. */
static void take_unsubscribe(struct rewriter *w, const struct mime_field *f)
{
	struct buf v = BUF_INIT;

	w->has_unsubscribe = true;
	mime_unfold(w->in, f->value, &v);
	for (const char *s = buf_str(&v); (s = strchr(s, '<'));) {
		size_t n = strcspn(++s, ">");
		buf_append(&w->unsubscribe, s, n);
		buf_appendc(&w->unsubscribe, '\0');
		s += n;
	}
	buf_free(&v);
}

static void take_signature(struct rewriter *w, const struct mime_field *f)
{
	struct buf domain = BUF_INIT;
	enum signature_kind kind =
		signature_of(w->in, f, w->o->own_domains, w->o->own_domain_count, &domain);

	if (kind == SIGNATURE_OWN) {
		w->own_signatures =
			realloc(w->own_signatures, (w->own_count + 1) * sizeof(*w->own_signatures));
		if (!w->own_signatures)
			abort();
		w->own_signatures[w->own_count++] = f->whole;
	} else if (kind == SIGNATURE_FOREIGN && w->foreign.len == 0) {
		buf_append(&w->foreign, buf_str(&domain), domain.len);
		if (domain.len == 0)
			buf_appendc(&w->foreign, '?');
	}
	buf_free(&domain);
}

static void read_header(struct rewriter *w)
{
	struct mime_range headers = w->m.parts[0].headers;
	size_t at = headers.start;
	struct mime_field f;

	while (mime_next_field(w->in, headers, &at, &f)) {
		if (wishes_is_ours(w->in, &f)) {
			wishes_apply(w->in, &f, false, &w->wishes, &w->report->reason);
			remove_field(w, f.whole);
		} else if (mime_field_is(w->in, &f, "List-Unsubscribe")) {
			take_unsubscribe(w, &f);
		} else {
			take_signature(w, &f);
		}
	}
}

/* --- text parts -------------------------------------------------------------------------- */

/* Why a part is none of ours; NULL when it may be tracked, "" when that goes without saying. */
static const char *not_ours(const struct mime_part *p)
{
	if (p->multipart || p->message)
		return "";
	if (p->sealed)
		return "signed or encrypted";
	if (p->embedded)
		return "inside another message or a report";
	if (p->attachment)
		return "an attachment, or something that the text refers to";
	if (p->amp)
		return "AMP";
	if (strcmp(p->type, "text") != 0 ||
	    (strcmp(p->subtype, "html") != 0 && strcmp(p->subtype, "plain") != 0))
		return "";
	return NULL;
}

/* A part's own wish, in its own header; the field goes even when the part is left alone. */
static void read_part_control(struct rewriter *w, const struct mime_part *part,
			      struct wishes *wishes)
{
	size_t at = part->headers.start;
	struct mime_field f;

	while (mime_next_field(w->in, part->headers, &at, &f)) {
		if (!wishes_is_ours(w->in, &f))
			continue;
		wishes_apply(w->in, &f, false, wishes, &w->report->reason);
		remove_field(w, f.whole);
	}
}

static void open_parts(struct rewriter *w)
{
	w->parts = calloc(w->m.count, sizeof(*w->parts));
	w->done = calloc(w->m.count, sizeof(*w->done));
	if (!w->parts || !w->done)
		abort();
	for (size_t i = 0; i < w->m.count; i++) {
		const struct mime_part *part = &w->m.parts[i];
		struct textpart *p = &w->parts[w->part_count];
		struct wishes wishes = w->wishes;
		const char *why = not_ours(part);
		if (i > 0 && !part->sealed && !part->embedded)
			read_part_control(w, part, &wishes);
		if (!why) {
			why = textpart_open(p, w->in, part, (unsigned)i);
			if (!why) {
				p->wishes = wishes;
				w->part_count++;
				continue;
			}
			textpart_close(p);
		}
		if (*why)
			buf_printf(&w->report->notes, "part %zu (%s/%s): left alone: %s\n", i,
				   part->type, part->subtype, why);
	}
	for (size_t i = 0; i < w->part_count; i++)
		if (textpart_has_pgp(&w->parts[i]))
			give_reason(w, "it holds an OpenPGP message");
}

static bool may_track(const struct rewriter *w)
{
	const struct track_options *o = w->o;

	return w->report->reason.len == 0 && o->ring && o->host && *o->host && o->account &&
	       token_ring_has(o->ring, o->key_id);
}

static bool wants_tracking(const struct rewriter *w)
{
	bool wants = false;

	for (size_t i = 0; i < w->part_count; i++) {
		const struct wishes *x = &w->parts[i].wishes;
		wants = wants || x->opens || x->clicks_html || x->clicks_text;
	}
	return wants;
}

static void edit_part(struct rewriter *w, struct textpart *p)
{
	const struct mime_part *part = &w->m.parts[p->index];
	size_t begun = edits_begin(&w->edits);
	enum mime_encoding to =
		leaf_splice(&p->leaf, p->splices, p->count, w->o->seven_bit, &w->edits.texts);

	edits_add(&w->edits, part->body, begun);
	if (to != part->encoding)
		mend_encoding_field(&w->m, p->index, to, &w->edits);
	w->done[p->index] = true;
}

/* What was found does not come about: the report says so of every link. */
static void take_back(struct rewriter *w, size_t edits_before)
{
	struct track_report *r = w->report;

	edits_truncate(&w->edits, edits_before);
	for (size_t i = 0; i < r->links_len; i++)
		if (r->links[i].verdict == TRACK_DONE)
			r->links[i].verdict = TRACK_NOT_TRACKED;
	r->link_count = 0;
	r->pixel = false;
	for (size_t i = 0; i < w->m.count; i++)
		w->done[i] = false;
}

static void track_parts(struct rewriter *w)
{
	struct tracking t = {
		.o = w->o,
		.unsubscribe = &w->unsubscribe,
		.report = w->report,
	};
	size_t before = w->edits.count;
	bool may = may_track(w);

	if (!may && wants_tracking(w))
		give_reason(w, "there is no tracking host, or no key for it");
	for (size_t i = 0; i < w->part_count; i++) {
		struct textpart *p = &w->parts[i];
		if (!may)
			p->wishes = (struct wishes){0};
		textpart_track(p, &t);
		if (p->count)
			edit_part(w, p);
	}
	if (w->edits.count == before)
		return;
	if (w->report->reason.len) {
		take_back(w, before);
	} else if (w->foreign.len && !w->o->foreign_signed) {
		buf_printf(&w->report->reason, "it would break a signature of %s",
			   buf_str(&w->foreign));
		take_back(w, before);
	}
}

/* --- the rest ---------------------------------------------------------------------------- */

/* The line would be too long to be sent: then it goes without what it can do without. */
static bool put_one_click(struct rewriter *w, const struct token *token)
{
	const struct track_options *o = w->o;
	struct buf text = BUF_INIT, *out = &w->edits.texts;
	size_t begun = edits_begin(&w->edits);

	bool ok = token_seal(o->ring, o->key_id, o->host, token, &text);
	buf_appends(out, "List-Unsubscribe: <");
	token_url(true, o->host, TOKEN_UNSUBSCRIBE, buf_str(&text), out);
	buf_appends(out, ">");
	ok = ok && out->len - begun <= LINE_MAX_BYTES;
	if (ok) {
		buf_appends(out, "\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n");
		edits_add(&w->edits, (struct mime_range){0, 0}, begun);
	} else {
		buf_truncate(out, begun);
	}
	buf_free(&text);
	return ok;
}

/* RFC 8058: a field of ours at the top, when the sender has none. */
static void add_one_click(struct rewriter *w)
{
	const struct track_options *o = w->o;
	struct token token = {.kind = TOKEN_UNSUBSCRIBE,
			      .message = o->message,
			      .recipient = o->recipient,
			      .accepted = o->accepted};
	bool forbidden = w->foreign.len && !o->foreign_signed;

	if (!w->wishes.unsubscribe || !o->https || w->has_unsubscribe || forbidden ||
	    !may_track(w) || !o->address || strlen(o->account) >= sizeof(token.account) ||
	    strlen(o->address) >= sizeof(token.url))
		return;
	strcpy(token.account, o->account);
	strcpy(token.url, o->address);
	snprintf(token.campaign, sizeof(token.campaign), "%s", o->campaign ? o->campaign : "");
	snprintf(token.tags, sizeof(token.tags), "%s", o->tags ? o->tags : "");
	if (put_one_click(w, &token))
		return;
	token.campaign[0] = token.tags[0] = '\0';
	put_one_click(w, &token);
}

static void replace_own_signatures(struct rewriter *w)
{
	for (size_t i = 0; i < w->own_count; i++)
		remove_field(w, w->own_signatures[i]);
	w->report->signatures_removed = (uint32_t)w->own_count;
}

static void rewriter_free(struct rewriter *w)
{
	for (size_t i = 0; i < w->part_count; i++)
		textpart_close(&w->parts[i]);
	free(w->parts);
	free(w->done);
	free(w->own_signatures);
	buf_free(&w->foreign);
	buf_free(&w->unsubscribe);
	edits_free(&w->edits);
	mime_free(&w->m);
}

void track_rewrite(const char *in, size_t n, const struct track_options *o, struct buf *out,
		   struct track_report *report)
{
	struct rewriter w = {.in = in, .n = n, .o = o, .report = report};

	*report = (struct track_report){0};
	w.wishes.opens = o->opens;
	w.wishes.clicks_html = o->clicks_html;
	w.wishes.clicks_text = o->clicks_text;
	w.wishes.unsubscribe = o->one_click;
	bool parsed = mime_scan(in, n, &w.m);
	read_header(&w);
	size_t controls = w.edits.count;
	if (parsed) {
		open_parts(&w);
		controls = w.edits.count;
		track_parts(&w);
		add_one_click(&w);
		if (o->seven_bit || transfer_lines_too_long(in, n))
			report->mended = mend_parts(&w.m, w.done, o->seven_bit, &w.edits);
	} else {
		if (o->opens || o->clicks_html || o->clicks_text)
			buf_printf(&report->reason, "it cannot be parsed: %s", w.m.error);
		report->mended = mend_unparsed(&w.m, &w.edits);
	}
	report->changed = w.edits.count > controls;
	if (report->changed)
		replace_own_signatures(&w);
	edits_apply(&w.edits, in, n, out);
	rewriter_free(&w);
}
