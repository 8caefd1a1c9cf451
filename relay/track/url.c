/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/track/url.h"

#include "lib/utf8.h"
#include "relay/track/idn.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

/* A URL cut into its parts: each ends where the next one begins. */
struct parts {
	const char *url;
	size_t host, host_end; /* host_end: port or path */
	size_t path, query, fragment, end;
};

static const struct {
	const char *name;
	const char *as; /* with the mark taken out */
} schemes[] = {
	{"http:", NULL},
	{"https:", NULL},
	{"http+notrack:", "http:"},
	{"https+notrack:", "https:"},
};

#define SCHEME_COUNT (sizeof(schemes) / sizeof(*schemes))

static size_t scheme_of(const char *s, size_t n)
{
	size_t i = 0;

	while (i < SCHEME_COUNT && (n < strlen(schemes[i].name) ||
				    strncasecmp(s, schemes[i].name, strlen(schemes[i].name)) != 0))
		i++;
	return i;
}

/* URL standard §4.4: C0 controls and spaces around it go, tabs and line ends anywhere. */
static void strip(const char *s, size_t n, struct buf *out)
{
	while (n && (unsigned char)s[0] <= ' ')
		s++, n--;
	while (n && (unsigned char)s[n - 1] <= ' ')
		n--;
	buf_reserve(out, n);
	for (size_t i = 0; i < n; i++)
		if (s[i] != '\t' && s[i] != '\n' && s[i] != '\r')
			out->data[out->len++] = s[i];
	out->data[out->len] = '\0';
}

static size_t find_any(const char *s, size_t from, size_t end, const char *chars)
{
	for (; from < end; from++)
		for (const char *c = chars; *c; c++)
			if (s[from] == *c)
				return from;
	return end;
}

static enum url_verdict cut_up(const char *s, size_t n, size_t scheme_len, struct parts *p)
{
	if (n < scheme_len + 3 || s[scheme_len] != '/' || s[scheme_len + 1] != '/')
		return URL_NO_HOST;
	p->url = s;
	p->end = n;
	p->host = scheme_len + 2;
	p->path = find_any(s, p->host, n, "/\\?#");
	p->fragment = find_any(s, p->path, n, "#");
	p->query = find_any(s, p->path, p->fragment, "?");
	if (memchr(s + p->host, '@', p->path - p->host))
		return URL_USERINFO;
	bool bracket = s[p->host] == '[';
	size_t from = bracket ? find_any(s, p->host, p->path, "]") : p->host;
	p->host_end = find_any(s, from, p->path, ":");
	if (p->host_end == p->host || (bracket && from == p->path))
		return URL_NO_HOST;
	if (!bracket && find_any(s, p->host, p->host_end, " <>[]^|") != p->host_end)
		return URL_NO_HOST;
	for (size_t i = p->host_end + 1; i < p->path; i++)
		if (!isdigit((unsigned char)s[i]))
			return URL_NO_HOST;
	return URL_OK;
}

static void percent(unsigned char c, struct buf *out)
{
	buf_printf(out, "%%%02X", c);
}

/* Everything over 127, and the ASCII characters named, percent-encoded. */
static void encode_utf8(const char *s, size_t n, const char *also, struct buf *out)
{
	for (size_t i = 0; i < n; i++) {
		if ((s[i] & 0x80) || strchr(also, s[i]))
			percent((unsigned char)s[i], out);
		else
			buf_appendc(out, s[i]);
	}
}

static const char query_also[] = " \"#<>'";

/* Of a byte below 128 the query's own rules hold (§1.3 "percent-encode after encoding"). */
static bool encode_character(const struct charset *c, uint32_t cp, struct buf *out)
{
	unsigned char bytes[2];
	size_t n = charset_bytes(c, cp, bytes);

	for (size_t i = 0; i < n; i++) {
		if (bytes[i] & 0x80)
			percent(bytes[i], out);
		else
			encode_utf8((const char *)&bytes[i], 1, query_also, out);
	}
	if (n || charset_has_all(c))
		return n;
	buf_printf(out, "%%26%%23%u%%3B", (unsigned)cp);
	return true;
}

/* The query (§4.4 "query state"): what the charset lacks goes as %26%23N%3B, as forms do. */
static bool encode_query(const char *s, size_t n, const struct charset *c, struct buf *out)
{
	if (c && charset_is_utf8(c)) {
		encode_utf8(s, n, query_also, out);
		return true;
	}
	for (size_t i = 0; i < n;) {
		uint32_t cp;
		size_t len = utf8_decode(s + i, n - i, &cp);
		if (cp < 0x80) {
			encode_utf8(s + i, 1, query_also, out);
		} else if (!c) {
			return false;
		} else if (!encode_character(c, cp, out)) {
			return false;
		}
		i += len;
	}
	return true;
}

static bool serialise(const struct parts *p, const char *scheme, const struct charset *c,
		      struct buf *out)
{
	const char *s = p->url;

	buf_appends(out, scheme);
	buf_appends(out, "//");
	if (!idn_to_ascii(s + p->host, p->host_end - p->host, out))
		encode_utf8(s + p->host, p->host_end - p->host, "", out);
	buf_append(out, s + p->host_end, p->path - p->host_end);
	if (p->path == p->query)
		buf_appendc(out, '/');
	size_t path = out->len;
	encode_utf8(s + p->path, p->query - p->path, " \"<>`{}", out);
	for (size_t i = path; i < out->len; i++)
		if (out->data[i] == '\\')
			out->data[i] = '/';
	if (!encode_query(s + p->query, p->fragment - p->query, c, out))
		return false;
	if (p->fragment < p->end)
		buf_appendc(out, '#');
	if (p->fragment < p->end)
		encode_utf8(s + p->fragment + 1, p->end - p->fragment - 1, " \"<>`", out);
	return true;
}

static enum url_verdict normalise(const struct buf *url, const struct charset *c, struct buf *out)
{
	const char *s = buf_str(url);
	size_t n = url->len, start = out->len, i = scheme_of(s, n);
	struct parts p;
	bool ascii = true;

	if (i == SCHEME_COUNT)
		return URL_NOT_WEB;
	for (size_t k = 0; k < n; k++) {
		if ((unsigned char)s[k] < ' ' || s[k] == 127)
			return URL_CONTROL;
		ascii = ascii && !(s[k] & 0x80);
	}
	size_t scheme_len = strlen(schemes[i].name);
	const char *as = schemes[i].as;
	enum url_verdict verdict = cut_up(s, n, scheme_len, &p);
	if (verdict != URL_OK && !(as && verdict == URL_USERINFO))
		return verdict;
	if (!ascii && !utf8_valid(s, n))
		return URL_CHARSET;
	if (ascii || as) {
		if (as)
			buf_appends(out, as);
		buf_append(out, s + (as ? scheme_len : 0), n - (as ? scheme_len : 0));
	} else if (!serialise(&p, schemes[i].name, c, out)) {
		buf_truncate(out, start);
		return URL_CHARSET;
	}
	return as ? URL_NOTRACK : URL_OK;
}

enum url_verdict url_normalise(const char *value, size_t n, const struct charset *c,
			       struct buf *out)
{
	struct buf url = BUF_INIT;

	strip(value, n, &url);
	enum url_verdict verdict = normalise(&url, c, out);
	buf_free(&url);
	return verdict;
}

bool url_host(const char *url, size_t n, size_t *start, size_t *end)
{
	size_t i = scheme_of(url, n);
	struct parts p;

	if (i >= 2 || cut_up(url, n, strlen(schemes[i].name), &p) != URL_OK)
		return false;
	*start = p.host;
	*end = p.host_end;
	return true;
}

bool url_is_https(const char *url, size_t n)
{
	return n > 6 && strncasecmp(url, "https:", 6) == 0;
}
