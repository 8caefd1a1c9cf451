/* SPDX-License-Identifier: GPL-2.0-or-later */
/* URLs in text, and their serialising: a URL lies in the text, and comes out printable. */
#include "relay/track/textlinks.h"
#include "relay/track/url.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void must(bool holds)
{
	if (!holds)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static const char *const names[] = {"utf-8", "iso-8859-1", "shift_jis", "koi8-r"};
	const struct charset *c = charset_find(names[n ? bytes[0] % 4 : 0]);
	const char *text = (const char *)bytes;
	struct buf out = BUF_INIT;
	struct text_link l;
	size_t before = 0;

	for (size_t at = 0; text_link_next(text, n, c, &at, &l);) {
		must(l.start >= before && l.start < l.end && l.end <= n && at == l.end);
		before = l.end;
	}
	enum url_verdict v = url_normalise(text, n, c, &out);
	must(v == URL_OK || v == URL_NOTRACK || out.len == 0);
	for (size_t i = 0; i < out.len && v == URL_OK; i++)
		must(out.data[i] >= ' ' && out.data[i] < 127);
	buf_free(&out);
	return 0;
}
