/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tokenizer and link finder: tokens lie one behind the other, links inside the document. */
#include "relay/html/links.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void tokenize(const char *html, size_t n, enum html_text_mode mode)
{
	struct html_tokenizer t;
	struct html_token token;
	struct buf out = BUF_INIT;
	size_t at = 0;

	html_open(&t, html, n);
	html_set_text_mode(&t, mode, "title");
	while (html_next(&t, &token)) {
		must(token.whole.start >= at && token.whole.end > token.whole.start);
		at = token.whole.end;
		must(at <= n);
		if (token.kind == HTML_TEXT)
			html_decode_text(html, &token, &out);
		for (size_t i = 0; i < token.attr_count; i++) {
			must(token.attrs[i].value.end < at);
			html_decode_attr(html, token.attrs[i].value, &out);
		}
		buf_clear(&out);
	}
	must(token.whole.start >= at && token.whole.end == n);
	buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	const char *html = (const char *)bytes;
	struct html_links l;

	for (int mode = HTML_DATA; mode <= HTML_CDATA; mode++)
		tokenize(html, n, (enum html_text_mode)mode);
	html_find_links(html, n, &l);
	for (size_t i = 0; i < l.count; i++)
		must(l.links[i].value.start <= l.links[i].value.end && l.links[i].value.end <= n);
	for (size_t i = 1; i < l.count; i++)
		must(l.links[i - 1].value.end <= l.links[i].value.start);
	must(!l.has_pixel_place || (l.pixel.start <= l.pixel.end && l.pixel.end <= n));
	html_links_free(&l);
	return 0;
}
