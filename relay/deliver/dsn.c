/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/deliver/dsn.h"

#include "lib/utf8.h"
#include "relay/track/trace.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { LINE_MAX_BYTES = 900 };

static bool ascii(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s[i] > 127)
			return false;
	return true;
}

/* s[n] as part of one line: nothing that ends it, nothing that drives a terminal. */
static void add_clean(struct buf *out, const char *s, size_t n)
{
	for (size_t i = 0, used = 0, len; i < n && used < LINE_MAX_BYTES; i += len, used += len) {
		len = utf8_printable(s + i, n - i);
		if (len) {
			buf_append(out, s + i, len);
		} else {
			len = 1;
			buf_appendc(out, s[i] == '\t' ? ' ' : '?');
		}
	}
}

/* The status part is ASCII, so that the report passes wherever its receiver is: other characters
 * leave as RFC 6533 §3 has them in addresses, \x{F6}. */
static void add_ascii(struct buf *out, const char *s)
{
	size_t n = strlen(s), start = out->len;

	for (size_t i = 0, len; i < n && out->len - start < LINE_MAX_BYTES; i += len) {
		uint32_t cp = 0;

		len = utf8_printable(s + i, n - i);
		if (!len) {
			len = 1;
			buf_appendc(out, s[i] == '\t' ? ' ' : '?');
		} else if (len == 1) {
			buf_appendc(out, s[i]);
		} else {
			utf8_decode(s + i, n - i, &cp);
			buf_printf(out, "\\x{%X}", cp);
		}
	}
}

static void add(struct buf *out, const char *s)
{
	add_clean(out, s, strlen(s));
}

/* s in lines of about 70 characters, each behind an indent, broken at blanks. */
static void add_wrapped(struct buf *out, const char *indent, const char *s)
{
	while (*s) {
		size_t n = strlen(s), cut = n;

		if (n > 70) {
			for (cut = 70; cut > 0 && s[cut] != ' '; cut--)
				;
			if (!cut)
				cut = strcspn(s, " ");
		}
		buf_appends(out, indent);
		add_clean(out, s, cut);
		buf_appends(out, "\r\n");
		s += cut;
		s += strspn(s, " ");
	}
}

/* "5.1.1" and what follows at s; its length, 0 for none. */
static size_t status_at(const char *s, char class)
{
	size_t n = strspn(s, "0123456789."), dots = 0;

	for (size_t i = 0; i < n; i++) {
		if (s[i] != '.')
			continue;
		dots++;
		if (i == 0 || s[i - 1] == '.' || i + 1 == n)
			return 0;
	}
	return s[0] == class && n >= 5 && n < 12 && s[1] == '.' && dots == 2 ? n : 0;
}

void dsn_status(const char *reply, char class, char out[12])
{
	const char *s = reply;

	if (strspn(s, "0123456789") == 3 && s[3] == ' ')
		s += 4;
	size_t n = status_at(s, class);
	if (n)
		snprintf(out, 12, "%.*s", (int)n, s);
	else
		snprintf(out, 12, "%c.0.0", class);
}

static const struct {
	const char *name, *subject, *before, *behind; /* the text, but for our name */
	char class;                                   /* of the status */
	uint8_t notify;
} kinds[DSN_ACTIONS] = {
	[DSN_FAILED] = {"failed", "Undelivered mail returned to sender",
			"Your message could not be delivered to the recipients below, and will "
			"not be\r\ntried again. This report was made by the mail relay",
			".", '5', NOTIFY_FAILURE},
	[DSN_DELAYED] = {"delayed", "Mail not delivered yet",
			 "Your message has not been delivered to the recipients below yet. You "
			 "need not\r\nsend it again: the mail relay",
			 " goes on trying.", '4', NOTIFY_DELAY},
	[DSN_RELAYED] = {"relayed", "Mail passed on",
			 "Your message to the recipients below was taken by the host that is "
			 "named. That\r\nhost does not report whether it arrives, so this is the "
			 "last report. It was made by\r\nthe mail relay",
			 ".", '2', NOTIFY_SUCCESS},
};

const char *dsn_subject(enum dsn_action action)
{
	return kinds[action].subject;
}

bool dsn_wanted(const struct envelope *e, const struct recipient *r, enum dsn_action action)
{
	if (!*e->sender)
		return false;
	/* Failure and delay are told unless somebody said otherwise, success when asked for. */
	return (r->notify == 0 && action != DSN_RELAYED) ||
	       (!(r->notify & NOTIFY_NEVER) && (r->notify & kinds[action].notify));
}

/* --- the three parts --- */

static void add_header(const struct dsn *d, const char *boundary, bool eight_bit, struct buf *out)
{
	buf_printf(out, "From: Mail Delivery System <MAILER-DAEMON@%s>\r\nTo: <", d->host);
	add(out, d->original->sender);
	buf_printf(out, ">\r\nSubject: %s\r\nDate: ", dsn_subject(d->action));
	trace_date((int64_t)(d->now_ms / 1000), out);
	buf_printf(out,
		   "\r\nMessage-ID: <%s>\r\nAuto-Submitted: auto-replied\r\n"
		   "MIME-Version: 1.0\r\nContent-Type: multipart/report; "
		   "report-type=delivery-status;\r\n\tboundary=\"%s\"\r\n",
		   d->message_id, boundary);
	if (eight_bit)
		buf_appends(out, "Content-Transfer-Encoding: 8bit\r\n");
	if (*d->original->message_id &&
	    ascii(d->original->message_id, strlen(d->original->message_id))) {
		buf_appends(out, "References: ");
		add(out, d->original->message_id);
		buf_appends(out, "\r\n");
	}
	buf_appends(out, "\r\n");
}

static void add_text(const struct dsn *d, struct buf *out)
{
	buf_printf(out, "%s %s%s\r\n", kinds[d->action].before, d->host, kinds[d->action].behind);
	if (*d->original->subject) {
		buf_appends(out, "\r\nSubject: ");
		add(out, d->original->subject);
		buf_appends(out, "\r\n");
	}
	for (size_t i = 0; i < d->recipient_count; i++) {
		const struct dsn_recipient *r = &d->recipients[i];

		buf_appends(out, "\r\n<");
		add(out, r->address);
		buf_appends(out, ">\r\n");
		if (*r->host) {
			buf_appends(out, "    ");
			add(out, r->host);
			buf_appends(out, " said:\r\n");
		}
		add_wrapped(out, "    ", r->reply);
	}
}

/* RFC 3464 §2.3. An address with UTF-8 in it is of the type utf-8 (RFC 6533 §3). */
static void add_recipient(const struct dsn *d, const struct dsn_recipient *r, struct buf *out)
{
	char status[12];
	bool from_peer = *r->host && strspn(r->reply, "0123456789") == 3;

	dsn_status(r->reply, kinds[d->action].class, status);
	buf_appends(out, "\r\n");
	if (*r->orcpt) {
		buf_appends(out, "Original-Recipient: ");
		add_ascii(out, r->orcpt);
		buf_appends(out, "\r\n");
	}
	buf_printf(out, "Final-Recipient: %s; ",
		   ascii(r->address, strlen(r->address)) ? "rfc822" : "utf-8");
	add_ascii(out, r->address);
	buf_printf(out, "\r\nAction: %s\r\nStatus: %s\r\n", kinds[d->action].name, status);
	if (from_peer) {
		buf_appends(out, "Remote-MTA: dns; ");
		add_clean(out, r->host, strcspn(r->host, " "));
		buf_appends(out, "\r\n");
	}
	buf_printf(out, "Diagnostic-Code: %s; ", from_peer ? "smtp" : "x-gatepost");
	add_ascii(out, r->reply);
	buf_appends(out, "\r\nLast-Attempt-Date: ");
	trace_date((int64_t)(d->now_ms / 1000), out);
	if (d->action == DSN_DELAYED) {
		buf_appends(out, "\r\nWill-Retry-Until: ");
		trace_date((int64_t)(d->retry_until_ms / 1000), out);
	}
	buf_appends(out, "\r\n");
}

static void add_status(const struct dsn *d, struct buf *out)
{
	if (*d->original->envid) {
		buf_appends(out, "Original-Envelope-Id: ");
		add_ascii(out, d->original->envid);
		buf_appends(out, "\r\n");
	}
	buf_printf(out, "Reporting-MTA: dns; %s\r\nArrival-Date: ", d->host);
	trace_date((int64_t)(d->original->accepted_ms / 1000), out);
	buf_appends(out, "\r\n");
	for (size_t i = 0; i < d->recipient_count; i++)
		add_recipient(d, &d->recipients[i], out);
}

/* Whole lines of the original's header, at most DSN_HEADER_MAX bytes. */
static void add_original(const struct dsn *d, const char *boundary, struct buf *out)
{
	size_t n = d->header_len < DSN_HEADER_MAX ? d->header_len : DSN_HEADER_MAX;

	for (size_t at = 0; at < n;) {
		const char *s = d->header + at, *lf = memchr(s, '\n', n - at);
		size_t len = lf ? (size_t)(lf - s) : n - at;

		if (!lf && n < d->header_len)
			break; /* a line that was cut */
		at += len + 1;
		if (len && s[len - 1] == '\r')
			len--;
		/* The boundary has 128 random bits in it, but nobody should have to count on it. */
		if (len >= strlen(boundary) + 2 && memcmp(s, "--", 2) == 0 &&
		    memcmp(s + 2, boundary, strlen(boundary)) == 0)
			continue;
		add_clean(out, s, len);
		buf_appends(out, "\r\n");
	}
}

bool dsn_make(const struct dsn *d, struct buf *out)
{
	struct buf text = BUF_INIT, status = BUF_INIT, original = BUF_INIT;
	char boundary[80];

	snprintf(boundary, sizeof(boundary), "=_%.*s", (int)strcspn(d->message_id, "@"),
		 d->message_id);
	add_text(d, &text);
	add_status(d, &status);
	add_original(d, boundary, &original);
	bool utf8_text = !ascii(buf_str(&text), text.len);
	bool utf8_header = !ascii(buf_str(&original), original.len);
	const char *const cte = "Content-Transfer-Encoding: 8bit\r\n";

	add_header(d, boundary, utf8_text || utf8_header, out);
	buf_printf(out, "--%s\r\nContent-Type: text/plain; charset=utf-8\r\n%s\r\n%s\r\n", boundary,
		   utf8_text ? cte : "", buf_str(&text));
	buf_printf(out, "--%s\r\nContent-Type: message/delivery-status\r\n\r\n%s\r\n", boundary,
		   buf_str(&status));
	buf_printf(out, "--%s\r\nContent-Type: text/rfc822-headers\r\n%s\r\n%s\r\n--%s--\r\n",
		   boundary, utf8_header ? cte : "", buf_str(&original), boundary);
	buf_free(&text);
	buf_free(&status);
	buf_free(&original);
	return utf8_text || utf8_header || !ascii(d->original->sender, strlen(d->original->sender));
}
