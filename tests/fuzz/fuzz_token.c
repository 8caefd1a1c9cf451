/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tokens: nothing that was not sealed opens; what was sealed comes back. */
#include "relay/track/token.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	static const struct token_key key = {.id = 1, .secret = {1}};
	static struct token_ring *ring;
	struct token t = {.kind = TOKEN_CLICK}, got;
	struct buf text = BUF_INIT;
	enum token_kind kind;
	const char *found;
	size_t len;

	if (!ring)
		ring = token_ring_new(&key, 1);
	if (token_open(ring, "t.example.net", (const char *)bytes, n, &got))
		abort();
	if (token_path((const char *)bytes, n, &kind, &found, &len))
		token_open(ring, "t.example.net", found, len, &got);
	memcpy(t.url, bytes, n < sizeof(t.url) ? n : sizeof(t.url) - 1);
	memcpy(t.account, bytes, n < sizeof(t.account) ? n : sizeof(t.account) - 1);
	if (!token_seal(ring, 1, "t.example.net", &t, &text) ||
	    !token_open(ring, "t.example.net", text.data, text.len, &got) ||
	    strcmp(got.url, t.url) != 0 || strcmp(got.account, t.account) != 0)
		abort();
	buf_free(&text);
	return 0;
}
