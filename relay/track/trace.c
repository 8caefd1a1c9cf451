/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/track/trace.h"

#include "lib/utf8.h"
#include "relay/mime/field.h"

#include <string.h>
#include <time.h>

enum { HELO_SHOWN_MAX = 255, ID_SHOWN_MAX = 64, ADDRESS_SHOWN_MAX = 320 };

void trace_date(int64_t when, struct buf *out)
{
	static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
					     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	time_t t = when;
	struct tm tm;

	if (!gmtime_r(&t, &tm)) {
		t = 0;
		gmtime_r(&t, &tm);
	}
	/* strftime would ask the locale. */
	buf_printf(out, "%s, %d %s %d %02d:%02d:%02d +0000", days[tm.tm_wday], tm.tm_mday,
		   months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

/* A name that a peer gave: what could end a word, a comment or the line becomes '?'. */
static void append_word(struct buf *out, const char *s, size_t max)
{
	for (size_t n = strnlen(s, max), i = 0; i < n;) {
		size_t len = utf8_printable(s + i, n - i);
		bool harmless = len > 1 || (len == 1 && !strchr(" ()<>@,;\\\"", s[i]));
		if (harmless)
			buf_append(out, s + i, len);
		else
			buf_appendc(out, '?');
		i += len ? len : 1;
	}
}

/* An address literal or host name that the client may say for itself, RFC 5321 §4.1.3. */
static void append_helo(struct buf *out, const char *helo)
{
	size_t start = out->len;

	append_word(out, helo, HELO_SHOWN_MAX);
	if (out->len == start)
		buf_appends(out, "unknown");
}

/* RFC 3848, RFC 6531 §4.3. */
static const char *protocol(const struct trace_facts *f)
{
	static const char *const names[2][2][2] = {
		{{"ESMTP", "ESMTPA"}, {"ESMTPS", "ESMTPSA"}},
		{{"UTF8SMTP", "UTF8SMTPA"}, {"UTF8SMTPS", "UTF8SMTPSA"}}};

	return names[f->smtputf8][f->tls][f->auth];
}

void trace_received(const struct trace_facts *f, struct buf *out)
{
	char address[ADDR_STR_MAX];

	buf_appends(out, "Received: ");
	if (f->client.family) {
		buf_appends(out, "from ");
		append_helo(out, f->helo);
		buf_printf(out, " ([%s%s])\r\n\t", f->client.family == AF_INET6 ? "IPv6:" : "",
			   addr_format(&f->client, address));
	}
	buf_appends(out, "by ");
	append_word(out, f->host, HELO_SHOWN_MAX);
	buf_appends(out, " (Gatepost)");
	if (f->client.family)
		buf_printf(out, " with %s", protocol(f));
	buf_appends(out, " id ");
	append_word(out, f->id, ID_SHOWN_MAX);
	if (f->recipient[0]) {
		buf_appends(out, "\r\n\tfor <");
		for (size_t n = strnlen(f->recipient, ADDRESS_SHOWN_MAX), i = 0; i < n;) {
			size_t len = utf8_printable(f->recipient + i, n - i);
			bool harmless = len > 1 || (len == 1 && !strchr("<> ", f->recipient[i]));
			buf_append(out, harmless ? f->recipient + i : "?", harmless ? len : 1);
			i += len ? len : 1;
		}
		buf_appendc(out, '>');
	}
	buf_appends(out, ";\r\n\t");
	trace_date(f->accepted, out);
	buf_appends(out, "\r\n");
}

bool trace_missing(const char *message, size_t n, const struct trace_facts *f, struct buf *out)
{
	size_t header_end, body_start, start = out->len;
	struct mime_field found;

	mime_split_header(message, n, &header_end, &body_start);
	struct mime_range headers = {0, header_end};
	if (!mime_find_field(message, headers, "Date", &found)) {
		buf_appends(out, "Date: ");
		trace_date(f->accepted, out);
		buf_appends(out, "\r\n");
	}
	if (!mime_find_field(message, headers, "Message-ID", &found)) {
		buf_appends(out, "Message-ID: <");
		append_word(out, f->id, ID_SHOWN_MAX);
		buf_printf(out, ".%lld@", (long long)f->accepted);
		append_word(out, f->host, HELO_SHOWN_MAX);
		buf_appends(out, ">\r\n");
	}
	return out->len > start;
}
