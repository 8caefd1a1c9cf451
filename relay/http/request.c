/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/http/request.h"

#include <string.h>

/* What a byte may be in a head; a byte may be several things. */
enum {
	LINE = 1,   /* a byte of a line: VCHAR, SP, HTAB, obs-text */
	TOKEN = 2,  /* RFC 9110 §5.6.2 */
	TARGET = 4, /* VCHAR: a superset of RFC 3986's characters */
	HOST = 8,   /* RFC 3986 §3.2.2, brackets and colons apart */
	DIGIT = 16,
};

static unsigned classify(unsigned char c)
{
	unsigned k = 0;

	if ((c >= 0x20 && c != 0x7f) || c == '\t')
		k |= LINE;
	if (c > 0x20 && c < 0x7f)
		k |= TARGET;
	if (c >= '0' && c <= '9')
		k |= DIGIT | TOKEN | HOST;
	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
		k |= TOKEN | HOST;
	if (c && strchr("!#$%&'*+-.^_`|~", c))
		k |= TOKEN;
	if (c && strchr("-._~!$&'()*+,;=%", c))
		k |= HOST;
	return k;
}

static unsigned byte_class(char c)
{
	static unsigned char table[256];

	if (!table['A'])
		for (unsigned i = 0; i < 256; i++)
			table[i] = (unsigned char)classify((unsigned char)i);
	return table[(unsigned char)c];
}

static bool all_of(struct http_slice s, unsigned k)
{
	for (size_t i = 0; i < s.len; i++)
		if (!(byte_class(s.at[i]) & k))
			return false;
	return true;
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c;
}

bool http_slice_is(struct http_slice s, const char *text)
{
	if (strlen(text) != s.len)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (lower(s.at[i]) != text[i])
			return false;
	return true;
}

static bool begins(struct http_slice s, const char *text)
{
	size_t n = strlen(text);

	return s.len >= n && http_slice_is((struct http_slice){s.at, n}, text);
}

static struct http_slice skip(struct http_slice s, size_t n)
{
	return (struct http_slice){s.at + n, s.len - n};
}

/* The part before the first c, which *rest then follows; all of s when there is none. */
static struct http_slice cut(struct http_slice s, char c, struct http_slice *rest)
{
	const char *at = s.len ? memchr(s.at, c, s.len) : NULL;
	size_t n = at ? (size_t)(at - s.at) : s.len;

	*rest = at ? skip(s, n + 1) : (struct http_slice){s.at + s.len, 0};
	return (struct http_slice){s.at, n};
}

static struct http_slice trim(struct http_slice s)
{
	while (s.len && (*s.at == ' ' || *s.at == '\t'))
		s = skip(s, 1);
	while (s.len && (s.at[s.len - 1] == ' ' || s.at[s.len - 1] == '\t'))
		s.len--;
	return s;
}

/* ---- the scan: where does the head end ---- */

/* One more whole line, of len bytes. False when it cannot stand there. */
static bool scan_line(struct http_parser *p, size_t len, bool *end)
{
	*end = len == 0 && p->lines > 0;
	if (len == 0 && p->lines == 0)
		return p->line_start == 0; /* RFC 9112 §2.2: one before a request is let pass */
	p->lines++;
	return true;
}

static unsigned scan(struct http_parser *p, const char *bytes, size_t n)
{
	for (; p->scanned < n && !p->head_len; p->scanned++) {
		size_t i = p->scanned;
		char c = bytes[i];
		bool after_cr = i > p->line_start && bytes[i - 1] == '\r';
		bool end;

		if (after_cr != (c == '\n'))
			return 400;
		if (i >= HTTP_HEAD_MAX)
			return 431;
		if (c != '\n' && c != '\r') {
			if (!(byte_class(c) & LINE))
				return 400;
			if (p->lines == 0 && i - p->line_start >= HTTP_LINE_MAX)
				return 414;
			continue;
		}
		if (c == '\r')
			continue;
		if (!scan_line(p, i - 1 - p->line_start, &end))
			return 400;
		p->line_start = i + 1;
		if (end)
			p->head_len = i + 1;
	}
	return 0;
}

/* ---- the head ---- */

struct head {
	struct http_request *r;
	bool has_host, has_length, has_coding, close, keep_alive, wants_continue;
	uint64_t length;
	struct http_slice authority; /* of an absolute target; empty otherwise */
};

/* The name in "name", "name:port", "[v6]", "[v6]:port". False when it is none of these. */
static bool host_name(struct http_slice s, struct http_slice *name)
{
	struct http_slice port;

	if (s.len && *s.at == '[') {
		struct http_slice in = cut(skip(s, 1), ']', &port);
		if (in.len + 2 > s.len || s.at[in.len + 1] != ']')
			return false;
		for (size_t i = 0; i < in.len; i++)
			if (in.at[i] != ':' && !(byte_class(in.at[i]) & HOST))
				return false;
		*name = (struct http_slice){s.at, in.len + 2};
		if (port.len && *port.at != ':')
			return false;
		port = port.len ? skip(port, 1) : port;
	} else {
		*name = cut(s, ':', &port);
		if (!all_of(*name, HOST))
			return false;
	}
	return all_of(port, DIGIT);
}

static unsigned parse_target(struct head *h, struct http_slice t)
{
	struct http_request *r = h->r;

	if (!t.len || !all_of(t, TARGET))
		return 400;
	if (begins(t, "http://") || begins(t, "https://")) { /* RFC 9112 §3.2.2 */
		t = skip(t, begins(t, "http://") ? 7 : 8);
		size_t n = 0;
		while (n < t.len && t.at[n] != '/' && t.at[n] != '?')
			n++;
		h->authority = (struct http_slice){t.at, n};
		if (!n || !host_name(h->authority, &r->host))
			return 400;
		t = skip(t, n);
		if (!t.len || *t.at == '?') {
			r->path = (struct http_slice){"/", 1};
			r->query = t.len ? skip(t, 1) : t;
			return 0;
		}
	}
	/* OPTIONS asks for "*", CONNECT for "host:port": both go on to a 405. */
	if (*t.at != '/' && r->method != HTTP_OTHER)
		return 400;
	r->path = cut(t, '?', &r->query);
	return 0;
}

static unsigned parse_version(struct http_request *r, struct http_slice v)
{
	if (v.len != 8 || memcmp(v.at, "HTTP/", 5) != 0 || v.at[6] != '.')
		return 400;
	if (!all_of((struct http_slice){v.at + 5, 1}, DIGIT) ||
	    !all_of((struct http_slice){v.at + 7, 1}, DIGIT))
		return 400;
	if (v.at[5] != '1')
		return 505;
	r->minor = v.at[7] != '0';
	return 0;
}

static unsigned parse_request_line(struct head *h, struct http_slice line)
{
	static const struct {
		const char *name;
		enum http_method method;
	} methods[] = {{"GET", HTTP_GET}, {"HEAD", HTTP_HEAD}, {"POST", HTTP_POST}};
	struct http_request *r = h->r;
	struct http_slice rest, version;

	r->method_text = cut(line, ' ', &rest);
	if (!r->method_text.len || !all_of(r->method_text, TOKEN))
		return 400;
	for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++)
		if (strlen(methods[i].name) == r->method_text.len &&
		    !memcmp(methods[i].name, r->method_text.at, r->method_text.len))
			r->method = methods[i].method;
	struct http_slice target = cut(rest, ' ', &version);
	unsigned status = parse_version(r, version);
	return status ? status : parse_target(h, target);
}

static unsigned take_host(struct head *h, struct http_slice v)
{
	struct http_slice name;

	if (h->has_host || !host_name(v, &name))
		return 400;
	h->has_host = true;
	if (!h->authority.len) /* an absolute target's stands above the field */
		h->r->host = name;
	return 0;
}

static unsigned take_length(struct head *h, struct http_slice v)
{
	if (h->has_length || !v.len || !all_of(v, DIGIT))
		return 400;
	h->has_length = true;
	for (size_t i = 0; i < v.len && h->length <= HTTP_BODY_MAX; i++)
		h->length = h->length * 10 + (uint64_t)(v.at[i] - '0');
	return 0;
}

static unsigned take_coding(struct head *h, struct http_slice v)
{
	(void)v;
	h->has_coding = true;
	return 0;
}

static unsigned take_connection(struct head *h, struct http_slice v)
{
	while (v.len) {
		struct http_slice option = trim(cut(v, ',', &v));
		h->close |= http_slice_is(option, "close");
		h->keep_alive |= http_slice_is(option, "keep-alive");
	}
	return 0;
}

static unsigned take_expect(struct head *h, struct http_slice v)
{
	if (!http_slice_is(v, "100-continue"))
		return 417;
	h->wants_continue = true;
	return 0;
}

static unsigned parse_field(struct head *h, struct http_slice line)
{
	static const struct {
		const char *name;
		unsigned (*take)(struct head *, struct http_slice);
	} known[] = {
		{"host", take_host},
		{"content-length", take_length},
		{"transfer-encoding", take_coding},
		{"connection", take_connection},
		{"expect", take_expect},
	};
	struct http_request *r = h->r;
	struct http_slice value;

	/* A folded line begins with white space, which is no token either. */
	struct http_slice name = cut(line, ':', &value);
	if (!name.len || name.len == line.len || !all_of(name, TOKEN))
		return 400;
	if (r->field_count == HTTP_FIELDS_MAX)
		return 431;
	value = trim(value);
	r->fields[r->field_count++] = (struct http_field){name, value};
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (http_slice_is(name, known[i].name))
			return known[i].take(h, value);
	return 0;
}

/* What the fields say together. */
static unsigned check_head(struct head *h, struct http_parser *p)
{
	struct http_request *r = h->r;

	if (r->minor == 1 && !h->has_host)
		return 400; /* RFC 9112 §3.2 */
	if (h->has_coding)
		return h->has_length || r->minor == 0 ? 400 : 411; /* §6.1, §6.3 */
	if (h->length > HTTP_BODY_MAX)
		return 413;
	p->body_len = (size_t)h->length;
	p->wants_continue = h->wants_continue && r->minor == 1;
	r->keep_alive = !h->close && (r->minor == 1 || h->keep_alive);
	return 0;
}

static unsigned parse_head(struct http_parser *p, const char *bytes, struct http_request *r)
{
	struct head h = {.r = r};
	size_t at = bytes[0] == '\r' ? 2 : 0;
	bool first = true;

	*r = (struct http_request){0};
	r->host.at = r->path.at = r->query.at = r->body.at = "";
	while (at + 2 < p->head_len) {
		const char *end = memchr(bytes + at, '\r', p->head_len - at);
		struct http_slice line = {bytes + at, (size_t)(end - bytes) - at};
		unsigned status = first ? parse_request_line(&h, line) : parse_field(&h, line);
		if (status)
			return status;
		first = false;
		at += line.len + 2;
	}
	return check_head(&h, p);
}

enum http_parse http_parse(struct http_parser *p, const char *bytes, size_t n,
			   struct http_request *r, size_t *used, unsigned *status)
{
	bool first = !p->head_len;

	*status = first ? scan(p, bytes, n) : 0;
	if (*status)
		return HTTP_BAD;
	if (!p->head_len)
		return HTTP_MORE;
	/* Twice at most: the bytes may have moved while the body came in. */
	if (first || n - p->head_len >= p->body_len)
		*status = parse_head(p, bytes, r);
	if (*status)
		return HTTP_BAD;
	if (n - p->head_len < p->body_len)
		return HTTP_MORE;
	r->body = (struct http_slice){bytes + p->head_len, p->body_len};
	*used = p->head_len + p->body_len;
	return HTTP_DONE;
}

const struct http_slice *http_field(const struct http_request *r, const char *name)
{
	for (size_t i = 0; i < r->field_count; i++)
		if (http_slice_is(r->fields[i].name, name))
			return &r->fields[i].value;
	return NULL;
}
