/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/track/mend.h"

#include "relay/mime/splice.h"

#include <string.h>

static bool too_long(const struct mime_message *m, struct mime_range r)
{
	return transfer_lines_too_long(m->bytes + r.start, r.end - r.start);
}

static bool has_high_bytes(const struct mime_message *m, struct mime_range r)
{
	for (size_t i = r.start; i < r.end; i++)
		if (m->bytes[i] & 0x80)
			return true;
	return false;
}

/* --- headers ----------------------------------------------------------------------------- */

/* Where the line s[n] (longer than MIME_LINE_MAX) is best cut; a cut at white space is before it.
 */
static size_t fold_at(const char *s, bool *at_space)
{
	*at_space = true;
	for (size_t i = MIME_LINE_MAX; i > 0; i--)
		if ((s[i] == ' ' || s[i] == '\t') && strspn(s, " \t") < i)
			return i;
	*at_space = false;
	for (size_t i = MIME_LINE_MAX - 1; i > 1; i--)
		if (s[i - 1] == ',' || s[i - 1] == ';')
			return i;
	return MIME_LINE_MAX - 1;
}

/* Cuts one line without its line end; inside a header, the rest begins with white space. */
static void cut_line(const char *s, size_t n, bool header, struct buf *out)
{
	bool at_space = false;

	while (n > MIME_LINE_MAX) {
		size_t at = header ? fold_at(s, &at_space) : MIME_LINE_MAX;
		buf_append(out, s, at);
		buf_appends(out, !header || at_space ? "\r\n" : "\r\n ");
		s += at;
		n -= at;
		/* The space put in counts too. */
		if (header && !at_space && n == MIME_LINE_MAX) {
			buf_append(out, s, 1);
			buf_appends(out, "\r\n ");
			s++;
			n--;
		}
	}
	buf_append(out, s, n);
}

/* Edits for each line of the range that is too long. */
static uint32_t cut_lines(const struct mime_message *m, struct mime_range r, bool header,
			  struct edits *e)
{
	uint32_t cut = 0;

	for (size_t at = r.start; at < r.end;) {
		const char *lf = memchr(m->bytes + at, '\n', r.end - at);
		size_t next = lf ? (size_t)(lf - m->bytes) + 1 : r.end, end = next;
		if (lf)
			end -= end - at >= 2 && lf[-1] == '\r' ? 2 : 1;
		if (end - at > MIME_LINE_MAX) {
			size_t begun = edits_begin(e);
			cut_line(m->bytes + at, end - at, header, &e->texts);
			edits_add(e, (struct mime_range){at, end}, begun);
			cut++;
		}
		at = next;
	}
	return cut;
}

/* --- parts ------------------------------------------------------------------------------- */

void mend_encoding_field(const struct mime_message *m, size_t part, enum mime_encoding to,
			 struct edits *e)
{
	const struct mime_part *p = &m->parts[part];
	struct mime_range where = p->encoding_field;
	size_t begun = edits_begin(e);

	if (where.end == where.start)
		where = (struct mime_range){p->headers.end, p->headers.end};
	if (part == 0 && !m->mime_version)
		buf_appends(&e->texts, "MIME-Version: 1.0\r\n");
	buf_printf(&e->texts, "Content-Transfer-Encoding: %s\r\n", transfer_name(to));
	edits_add(e, where, begun);
}

static bool is_leaf(const struct mime_message *m, size_t i)
{
	if (m->parts[i].multipart)
		return false;
	return i + 1 == m->count || m->parts[i + 1].parent != i;
}

static uint32_t mend_leaf(const struct mime_message *m, size_t i, bool seven_bit, struct edits *e)
{
	const struct mime_part *p = &m->parts[i];
	bool eight = seven_bit && p->encoding <= MIME_BINARY &&
		     (p->encoding != MIME_7BIT || has_high_bytes(m, p->body));
	size_t begun = edits_begin(e);
	struct leaf l;

	if (!eight && !too_long(m, p->body))
		return 0;
	/* RFC 2046 §5.2.1 allows no encoding for a message inside a message. */
	if (p->message || strcmp(p->type, "message") == 0 || p->encoding == MIME_ENCODING_UNKNOWN)
		return cut_lines(m, p->body, false, e);
	leaf_open(&l, m->bytes + p->body.start, p->body.end - p->body.start, p->encoding);
	enum mime_encoding to = leaf_splice(&l, NULL, 0, seven_bit, &e->texts);
	leaf_close(&l);
	edits_add(e, p->body, begun);
	if (to != p->encoding)
		mend_encoding_field(m, i, to, e);
	return 1;
}

/* What is around the parts of a multipart: preamble, delimiters, epilogue. */
static uint32_t mend_around(const struct mime_message *m, size_t i, struct edits *e)
{
	size_t at = m->parts[i].body.start;
	uint32_t mended = 0;

	for (size_t k = i + 1; k < m->count; k++) {
		if (m->parts[k].parent != i)
			continue;
		mended +=
			cut_lines(m, (struct mime_range){at, m->parts[k].headers.start}, false, e);
		at = m->parts[k].body.end;
	}
	return mended + cut_lines(m, (struct mime_range){at, m->parts[i].body.end}, false, e);
}

/* A multipart is 8bit because a part in it is; relabelled unless only sealed parts could be. */
static void relabel_multiparts(const struct mime_message *m, struct edits *e)
{
	for (size_t i = 0; i < m->count; i++)
		if (m->parts[i].sealed && has_high_bytes(m, m->parts[i].body))
			return;
	for (size_t i = 0; i < m->count; i++)
		if (m->parts[i].multipart && m->parts[i].encoding != MIME_7BIT)
			mend_encoding_field(m, i, MIME_7BIT, e);
}

uint32_t mend_parts(const struct mime_message *m, const bool *done, bool seven_bit, struct edits *e)
{
	uint32_t mended = 0;

	if (seven_bit)
		relabel_multiparts(m, e);
	for (size_t i = 0; i < m->count; i++) {
		const struct mime_part *p = &m->parts[i];
		bool parent_sealed = i > 0 && m->parts[p->parent].sealed;
		if (!parent_sealed && too_long(m, p->headers))
			mended += cut_lines(m, p->headers, true, e);
		if (p->sealed || done[i])
			continue;
		if (is_leaf(m, i))
			mended += mend_leaf(m, i, seven_bit, e);
		else if (p->multipart && too_long(m, p->body))
			mended += mend_around(m, i, e);
	}
	return mended;
}

uint32_t mend_unparsed(const struct mime_message *m, struct edits *e)
{
	return cut_lines(m, m->parts[0].headers, true, e) +
	       cut_lines(m, m->parts[0].body, false, e);
}
