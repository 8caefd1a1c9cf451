/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A multipart is cut up outermost first: the outer boundary ends whatever is open inside, as
 * RFC 2046 §5.1.2 has it. A delimiter is a whole line (white space may follow), because one
 * boundary may be the beginning of another.
 */
#include "relay/mime/scan.h"

#include "lib/log.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { DELIMITER_MAX = 2 + 250 }; /* RFC 2046 says 70, mailers say more */

static bool scan_entity(struct mime_message *m, size_t index, struct mime_range range);

static bool refuse(struct mime_message *m, const char *what, const char *text, size_t n)
{
	char quoted[120];

	log_escape(quoted, sizeof(quoted), text, n > 60 ? 60 : n);
	snprintf(m->error, sizeof(m->error), "%s: '%s'", what, quoted);
	return false;
}

static bool refuse_field(struct mime_message *m, const char *what, struct mime_range field)
{
	const char *text = m->bytes + field.start;
	size_t n = field.end - field.start;
	const char *line_end = memchr(text, '\r', n);

	if (!line_end)
		line_end = memchr(text, '\n', n);
	return refuse(m, what, text, line_end ? (size_t)(line_end - text) : n);
}

static bool add_part(struct mime_message *m, size_t parent, size_t *index)
{
	if (m->count >= MIME_PARTS_MAX)
		return refuse(m, "more parts than are looked at", "1000", 4);
	if ((m->count & (m->count - 1)) == 0) {
		size_t cap = m->count ? m->count * 2 : 1;
		struct mime_part *grown = realloc(m->parts, cap * sizeof(*grown));
		if (!grown)
			abort();
		m->parts = grown;
	}
	struct mime_part *p = &m->parts[m->count];
	*p = (struct mime_part){.parent = parent};
	if (parent != MIME_NO_PART) {
		const struct mime_part *up = &m->parts[parent];
		p->depth = up->depth + 1;
		p->sealed = up->sealed;
		p->embedded = up->embedded;
		p->attachment = up->attachment;
	}
	*index = m->count++;
	return true;
}

/* --- fields ------------------------------------------------------------------------------ */

static void lower(char *s)
{
	for (; *s; s++)
		*s = (char)tolower((unsigned char)*s);
}

/* Copies a token of s[n] in lower case; "" when it does not fit. */
static size_t take_token(const char *s, size_t n, char out[MIME_TOKEN_MAX])
{
	size_t len = 0;

	while (len < n && s[len] > 32 && s[len] < 127 && !strchr("()<>@,;:\\\"/[]?=", s[len]))
		len++;
	if (len < MIME_TOKEN_MAX) {
		memcpy(out, s, len);
		out[len] = '\0';
		lower(out);
	}
	return len;
}

/* type/subtype; both "" when it is no such thing: then it is nobody's to change. */
static void read_type(const char *s, size_t n, struct mime_part *p)
{
	size_t len = take_token(s, n, p->type);

	if (len == 0 || len >= n || s[len] != '/' ||
	    take_token(s + len + 1, n - len - 1, p->subtype) == 0 || !p->type[0] || !p->subtype[0])
		p->type[0] = p->subtype[0] = '\0';
}

static bool read_content_type(struct mime_message *m, struct mime_part *p, struct buf *delimiter)
{
	struct buf v = BUF_INIT, charset = BUF_INIT, name = BUF_INIT;
	struct mime_field f;
	bool ok = true;

	if (!mime_find_field(m->bytes, p->type_field, "Content-Type", &f))
		return true;
	mime_unfold(m->bytes, f.value, &v);
	read_type(buf_str(&v), v.len, p);
	p->multipart = strcmp(p->type, "multipart") == 0;
	if (mime_param(buf_str(&v), v.len, "charset", &charset) && charset.len < MIME_TOKEN_MAX) {
		snprintf(p->charset, sizeof(p->charset), "%s", buf_str(&charset));
		lower(p->charset);
	}
	if (mime_param(buf_str(&v), v.len, "name", &name))
		p->attachment = true;
	if (p->multipart) {
		buf_appends(delimiter, "--");
		size_t times = mime_param(buf_str(&v), v.len, "boundary", delimiter);
		if (times != 1)
			ok = refuse_field(m, times ? "more than one boundary" : "no boundary",
					  f.whole);
		else if (delimiter->len == 2 || delimiter->len > DELIMITER_MAX)
			ok = refuse_field(m, "a boundary of no usable length", f.whole);
	}
	buf_free(&v);
	buf_free(&charset);
	buf_free(&name);
	return ok;
}

static enum mime_encoding encoding_of(const char *s, size_t n)
{
	static const struct {
		const char *name;
		enum mime_encoding encoding;
	} names[] = {
		{"7bit", MIME_7BIT},     {"8bit", MIME_8BIT},
		{"binary", MIME_BINARY}, {"quoted-printable", MIME_QUOTED_PRINTABLE},
		{"base64", MIME_BASE64},
	};
	char token[MIME_TOKEN_MAX] = "";

	take_token(s, n, token);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcmp(token, names[i].name) == 0)
			return names[i].encoding;
	return MIME_ENCODING_UNKNOWN;
}

static void read_encoding(struct mime_message *m, struct mime_part *p)
{
	struct buf v = BUF_INIT;
	struct mime_field f;

	if (mime_find_field(m->bytes, p->encoding_field, "Content-Transfer-Encoding", &f)) {
		mime_unfold(m->bytes, f.value, &v);
		p->encoding = v.len ? encoding_of(buf_str(&v), v.len) : MIME_7BIT;
	}
	buf_free(&v);
}

static void read_disposition(struct mime_message *m, struct mime_part *p, struct mime_field *f)
{
	struct buf v = BUF_INIT, name = BUF_INIT;
	char token[MIME_TOKEN_MAX] = "";

	mime_unfold(m->bytes, f->value, &v);
	take_token(buf_str(&v), v.len, token);
	if (strcmp(token, "inline") != 0 || mime_param(buf_str(&v), v.len, "filename", &name))
		p->attachment = true;
	buf_free(&v);
	buf_free(&name);
}

static bool read_fields(struct mime_message *m, struct mime_part *p)
{
	struct mime_field f;
	size_t at = p->headers.start, count = 0;

	while (mime_next_field(m->bytes, p->headers, &at, &f)) {
		struct mime_range *once = NULL;
		if (++count > MIME_FIELDS_MAX)
			return refuse_field(m, "more header fields than are looked at", f.whole);
		if (mime_field_is(m->bytes, &f, "Content-Type"))
			once = &p->type_field;
		else if (mime_field_is(m->bytes, &f, "Content-Transfer-Encoding"))
			once = &p->encoding_field;
		else if (mime_field_is(m->bytes, &f, "Content-Disposition"))
			read_disposition(m, p, &f);
		else if (p->parent == MIME_NO_PART && mime_field_is(m->bytes, &f, "MIME-Version"))
			m->mime_version = true;
		if (once && once->end)
			return refuse_field(m, "a field that may stand only once", f.whole);
		if (once)
			*once = f.whole;
	}
	if (at != p->headers.end)
		return refuse_field(m, "no header field", (struct mime_range){at, p->headers.end});
	return true;
}

/* --- multiparts -------------------------------------------------------------------------- */

struct delimiter {
	size_t start; /* of its line */
	size_t next;  /* line */
	bool closing;
};

/*
 * The next line in [at, end) that is the delimiter ("--boundary") or the closing one. A line that
 * begins with it has its first occurrence there, so one elsewhere in a line rules the line out.
 */
static bool find_delimiter(const char *s, size_t at, size_t end, const struct buf *delimiter,
			   struct delimiter *out)
{
	while (at < end) {
		const char *hit = memmem(s + at, end - at, delimiter->data, delimiter->len);
		if (!hit)
			return false;
		size_t start = (size_t)(hit - s), i = start + delimiter->len;
		bool closing = end - i >= 2 && s[i] == '-' && s[i + 1] == '-';
		i += closing ? 2 : 0;
		while (i < end && (s[i] == ' ' || s[i] == '\t'))
			i++;
		if (i < end && s[i] == '\r')
			i++;
		if ((start == 0 || s[start - 1] == '\n') && (i == end || s[i] == '\n')) {
			*out = (struct delimiter){start, i < end ? i + 1 : end, closing};
			return true;
		}
		const char *line_end = memchr(hit, '\n', end - start);
		at = line_end ? (size_t)(line_end - s) + 1 : end;
	}
	return false;
}

/* The line end before a delimiter belongs to it (RFC 2046 §5.1.1). */
static size_t before_line_end(const char *s, size_t start, size_t at)
{
	if (at > start && s[at - 1] == '\n')
		at--;
	if (at > start && s[at - 1] == '\r')
		at--;
	return at;
}

/*
 * RFC 2387: of multipart/related, one part is shown; the rest is what it refers to. Its `start`
 * names that part by Content-ID; without it, it is the first.
 */
static void mark_resources(struct mime_message *m, size_t parent)
{
	struct buf v = BUF_INIT, wanted = BUF_INIT, id = BUF_INIT;
	size_t root = parent + 1;
	struct mime_field f;

	if (mime_find_field(m->bytes, m->parts[parent].type_field, "Content-Type", &f))
		mime_unfold(m->bytes, f.value, &v);
	mime_param(buf_str(&v), v.len, "start", &wanted);
	for (size_t i = parent + 1; i < m->count && wanted.len; i++) {
		if (m->parts[i].parent != parent ||
		    !mime_find_field(m->bytes, m->parts[i].headers, "Content-ID", &f))
			continue;
		buf_clear(&id);
		mime_unfold(m->bytes, f.value, &id);
		if (strcmp(buf_str(&id), buf_str(&wanted)) == 0) {
			root = i;
			break;
		}
	}
	for (size_t i = parent + 1; i < m->count; i++) {
		const struct mime_part *p = &m->parts[i];
		if (p->parent == parent ? i != root
					: p->parent > parent && m->parts[p->parent].attachment)
			m->parts[i].attachment = true;
	}
	buf_free(&v);
	buf_free(&wanted);
	buf_free(&id);
}

static bool scan_multipart(struct mime_message *m, size_t index, const struct buf *delimiter)
{
	struct mime_range body = m->parts[index].body;
	struct delimiter d, next;

	if (m->parts[index].depth >= MIME_DEPTH_MAX)
		return refuse(m, "parts nested too deeply", buf_str(delimiter), delimiter->len);
	if (!find_delimiter(m->bytes, body.start, body.end, delimiter, &d))
		return refuse(m, "a boundary that is nowhere in the body", buf_str(delimiter),
			      delimiter->len);
	while (!d.closing) {
		bool found = find_delimiter(m->bytes, d.next, body.end, delimiter, &next);
		size_t child, end = body.end;
		if (found)
			end = before_line_end(m->bytes, d.next, next.start);
		if (!add_part(m, index, &child) ||
		    !scan_entity(m, child, (struct mime_range){d.next, end}))
			return false;
		if (!found)
			break;
		d = next;
	}
	if (strcmp(m->parts[index].subtype, "related") == 0)
		mark_resources(m, index);
	return true;
}

/* What is inside a message/rfc822 is its own affair: when it is odd, it is not looked into. */
static void scan_embedded(struct mime_message *m, size_t index)
{
	size_t count = m->count, child;
	char error[sizeof(m->error)];

	if (m->parts[index].depth >= MIME_DEPTH_MAX || m->parts[index].encoding > MIME_BINARY)
		return;
	memcpy(error, m->error, sizeof(error));
	if (add_part(m, index, &child) && scan_entity(m, child, m->parts[index].body))
		return;
	memcpy(m->error, error, sizeof(error));
	m->count = count;
}

static void classify(struct mime_part *p)
{
	bool is_message = strcmp(p->type, "message") == 0;

	p->amp = strcmp(p->type, "text") == 0 && strcmp(p->subtype, "x-amp-html") == 0;
	p->message = is_message && (!strcmp(p->subtype, "rfc822") || !strcmp(p->subtype, "global"));
	if (p->multipart && (!strcmp(p->subtype, "signed") || !strcmp(p->subtype, "encrypted")))
		p->sealed = true;
	if (!strcmp(p->type, "application") &&
	    (!strcmp(p->subtype, "pkcs7-mime") || !strcmp(p->subtype, "x-pkcs7-mime")))
		p->sealed = true;
	if (is_message || (p->multipart && !strcmp(p->subtype, "report")))
		p->embedded = true;
}

/* The default type of a part (RFC 2045 §5.2, RFC 2046 §5.1.5). */
static void default_type(struct mime_message *m, struct mime_part *p)
{
	bool digest = p->parent != MIME_NO_PART && m->parts[p->parent].multipart &&
		      strcmp(m->parts[p->parent].subtype, "digest") == 0;

	strcpy(p->type, digest ? "message" : "text");
	strcpy(p->subtype, digest ? "rfc822" : "plain");
}

static bool scan_entity(struct mime_message *m, size_t index, struct mime_range range)
{
	struct mime_part *p = &m->parts[index];
	struct buf delimiter = BUF_INIT;
	size_t header_end, body_start;

	mime_split_header(m->bytes + range.start, range.end - range.start, &header_end,
			  &body_start);
	p->headers = (struct mime_range){range.start, range.start + header_end};
	p->body = (struct mime_range){range.start + body_start, range.end};
	default_type(m, p);
	bool ok = read_fields(m, p) && read_content_type(m, p, &delimiter);
	if (ok) {
		read_encoding(m, p);
		classify(p);
		if (p->multipart && p->encoding > MIME_BINARY)
			ok = refuse_field(m, "a multipart in an encoding", p->encoding_field);
		else if (p->multipart)
			ok = scan_multipart(m, index, &delimiter);
		else if (p->message)
			scan_embedded(m, index);
	}
	buf_free(&delimiter);
	return ok;
}

bool mime_scan(const char *bytes, size_t n, struct mime_message *out)
{
	size_t root;

	*out = (struct mime_message){.bytes = bytes, .len = n};
	return add_part(out, MIME_NO_PART, &root) &&
	       scan_entity(out, root, (struct mime_range){0, n});
}

void mime_free(struct mime_message *m)
{
	free(m->parts);
	*m = (struct mime_message){0};
}
