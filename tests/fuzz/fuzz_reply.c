/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What peers, name servers and clients can make the sending side read. The first byte chooses:
 * SMTP replies, DNS answers, a message on its way out, a delivery report. Checked beside memory:
 * how the bytes are cut changes nothing; what is kept cannot forge a line; what leaves behind DATA
 * ends once, where it should.
 */
#include "lib/utf8.h"
#include "relay/deliver/dnsmsg.h"
#include "relay/deliver/dots.h"
#include "relay/deliver/dsn.h"
#include "relay/deliver/reply.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(bool right)
{
	if (!right)
		abort();
}

/* --- replies --- */

/* All replies in bytes[n], fed in pieces, as one text. */
static void read_replies(const char *bytes, size_t n, size_t step, struct buf *out)
{
	struct reply r = REPLY_INIT;
	struct buf line = BUF_INIT;
	enum reply_status status = REPLY_MORE;

	for (size_t at = 0, used; at < n && status != REPLY_BAD; at += used) {
		status = reply_feed(&r, bytes + at, n - at < step ? n - at : step, &used);
		if (status != REPLY_DONE)
			continue;
		check(r.code >= 200 && r.code <= 599);
		buf_clear(&line);
		reply_line(&r, 1000, &line);
		check(line.len <= 1000 && !memchr(line.data, '\n', line.len));
		for (size_t i = 0, len; i < line.len; i += len)
			check((len = utf8_printable(line.data + i, line.len - i)) > 0);
		struct reply_extensions e = reply_extensions(&r);
		buf_printf(out, "%d %s %d %llu %s\n", r.code, r.enhanced, e.pipelining, e.size_max,
			   buf_str(&line));
	}
	buf_appends(out, status == REPLY_BAD ? "bad" : "");
	reply_free(&r);
	buf_free(&line);
}

static void try_replies(const uint8_t *data, size_t n)
{
	struct buf whole = BUF_INIT, pieces = BUF_INIT;

	if (n < 1)
		return;
	read_replies((const char *)data + 1, n - 1, n, &whole);
	read_replies((const char *)data + 1, n - 1, 1 + data[0] % 40, &pieces);
	check(strcmp(buf_str(&whole), buf_str(&pieces)) == 0);
	buf_free(&whole);
	buf_free(&pieces);
}

/* --- DNS --- */

static void try_dns(const uint8_t *data, size_t n)
{
	static const uint16_t types[] = {DNS_MX, DNS_A, DNS_AAAA};
	struct dns_record r[8];
	size_t count;
	unsigned rcode;

	if (n < 1 || !dnsmsg_read(data + 1, n - 1, types[data[0] % 3], r, 8, &count, &rcode))
		return;
	check(count <= 8 && rcode < 16);
	for (size_t i = 0; i < count; i++)
		check(strlen(r[i].name) < DNS_NAME_MAX && !strpbrk(r[i].name, " \r\n"));
}

/* --- messages --- */

static void stuff(const char *bytes, size_t n, size_t step, struct buf *out)
{
	struct dots d = {0};

	for (size_t at = 0; at < n; at += step)
		dots_add(&d, bytes + at, n - at < step ? n - at : step, out);
	dots_end(&d, out);
}

static void try_message(const uint8_t *data, size_t n)
{
	struct buf whole = BUF_INIT, pieces = BUF_INIT;

	if (n < 1)
		return;
	stuff((const char *)data + 1, n - 1, n, &whole);
	stuff((const char *)data + 1, n - 1, 1 + data[0] % 40, &pieces);
	check(whole.len == pieces.len && memcmp(whole.data, pieces.data, whole.len) == 0);
	size_t lone_dots = 0, start = 0;
	for (size_t i = 0; i < whole.len; i++) {
		const char *s = whole.data;

		check(s[i] != '\r' || (i + 1 < whole.len && s[i + 1] == '\n'));
		check(s[i] != '\n' || (i > 0 && s[i - 1] == '\r'));
		if (s[i] != '\n')
			continue;
		lone_dots += i - start == 2 && s[start] == '.';
		start = i + 1;
	}
	check(start == whole.len && lone_dots == 1);
	check(whole.len >= 3 && memcmp(whole.data + whole.len - 3, ".\r\n", 3) == 0);
	buf_free(&whole);
	buf_free(&pieces);
}

/* --- reports --- */

/* The next string of the input, up to a NUL. */
static const char *next_string(const char **at, const char *end)
{
	const char *s = *at, *nul = memchr(s, '\0', (size_t)(end - s));

	if (!nul)
		return "";
	*at = nul + 1;
	return s;
}

static size_t lines_beginning(const struct buf *b, const char *with)
{
	size_t count = 0, len = strlen(with);

	for (size_t i = 0; i + len <= b->len; i++)
		if ((i == 0 || b->data[i - 1] == '\n') && memcmp(b->data + i, with, len) == 0)
			count++;
	return count;
}

static void try_report(const uint8_t *data, size_t n)
{
	const char *at = (const char *)data, *end = at + n;
	struct envelope *e = envelope_new();
	struct dsn_recipient r[2];
	struct buf out = BUF_INIT;

	envelope_set(&e->sender, next_string(&at, end));
	envelope_set(&e->subject, next_string(&at, end));
	envelope_set(&e->envid, next_string(&at, end));
	envelope_set(&e->message_id, next_string(&at, end));
	for (int i = 0; i < 2; i++) {
		r[i].address = next_string(&at, end);
		r[i].orcpt = next_string(&at, end);
		r[i].reply = next_string(&at, end);
		r[i].host = next_string(&at, end);
	}
	const struct dsn d = {.action = n % 2 ? DSN_FAILED : DSN_DELAYED,
			      .host = "relay.example",
			      .original = e,
			      .message_id = "0123456789abcdef@relay.example",
			      .recipients = r,
			      .recipient_count = 2};
	dsn_make(&d, &out);
	for (size_t i = 0; i < out.len; i++) {
		check(out.data[i] != '\r' || (i + 1 < out.len && out.data[i + 1] == '\n'));
		check(out.data[i] != '\n' || (i > 0 && out.data[i - 1] == '\r'));
		check(out.data[i] != '\0');
	}
	check(lines_beginning(&out, "Final-Recipient: ") == 2);
	check(lines_beginning(&out, "Status: ") == 2);
	check(lines_beginning(&out, "--=_0123456789abcdef") == 4);
	buf_free(&out);
	envelope_free(e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static void (*const tries[])(const uint8_t *, size_t) = {try_replies, try_dns, try_message,
								 try_report};

	if (n > 0)
		tries[data[0] % 4](data + 1, n - 1);
	return 0;
}
