/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rewriting: any message with CRLF lines comes out with lines that SMTP carries, and when it goes
 * through once more its links are left alone. */
#include "relay/track/rewrite.h"

#include "relay/mime/scan.h"
#include "relay/mime/transfer.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void must(bool holds)
{
	if (!holds)
		abort();
}

/* As it would be after accept: lines of CRLF, no NUL. */
static void as_accepted(const uint8_t *bytes, size_t n, struct buf *out)
{
	for (size_t i = 0; i < n; i++) {
		if (bytes[i] == '\n')
			buf_append(out, "\r\n", 2);
		else if (bytes[i] != '\r' && bytes[i] != '\0')
			buf_appendc(out, (char)bytes[i]);
	}
}

static bool has_sealed_part(const struct buf *in)
{
	struct mime_message m;
	bool sealed = false;

	if (mime_scan(buf_str(in), in->len, &m))
		for (size_t i = 0; i < m.count; i++)
			sealed = sealed || m.parts[i].sealed;
	mime_free(&m);
	return sealed;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static const struct token_key key = {.id = 1, .secret = {1}};
	static struct token_ring *ring;
	struct buf in = BUF_INIT, once = BUF_INIT, twice = BUF_INIT;
	struct track_report first, second;

	if (!ring)
		ring = token_ring_new(&key, 1);
	if (n == 0)
		return 0;
	struct track_options o = {.opens = true,
				  .clicks_html = true,
				  .clicks_text = true,
				  .https = true,
				  .host = "t.example.net",
				  .account = "acme",
				  .ring = ring,
				  .key_id = 1,
				  .foreign_signed = true,
				  .seven_bit = bytes[0] & 1,
				  .one_click = bytes[0] & 2,
				  .address = "bob@b.example"};
	as_accepted(bytes + 1, n - 1, &in);
	track_rewrite(buf_str(&in), in.len, &o, &once, &first);
	must(has_sealed_part(&in) || !transfer_lines_too_long(buf_str(&once), once.len));
	track_rewrite(buf_str(&once), once.len, &o, &twice, &second);
	bool opted_out = false;
	for (size_t i = 0; i < first.links_len; i++)
		opted_out = opted_out || first.links[i].verdict == TRACK_OPTED_OUT;
	if (first.reason.len == 0 && second.reason.len == 0 && !opted_out)
		must(second.link_count == 0);
	track_report_free(&first);
	track_report_free(&second);
	buf_free(&in);
	buf_free(&once);
	buf_free(&twice);
	return 0;
}
