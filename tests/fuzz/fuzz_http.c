/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * HTTP requests and User-Agent classes. The first byte says where the stream is split; what is
 * checked beside memory: a split changes nothing, slices lie inside the request, and a request
 * that was accepted is accepted again when it stands alone.
 */
#include "relay/http/request.h"
#include "relay/track/bot.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(bool right)
{
	if (!right)
		abort();
}

static void check_slice(struct http_slice s, const char *bytes, size_t n)
{
	if (s.len)
		check((s.at >= bytes && s.at + s.len <= bytes + n) || (s.len == 1 && *s.at == '/'));
}

static void check_request(const struct http_request *r, const char *bytes, size_t used)
{
	const struct http_slice *agent = http_field(r, "user-agent");
	const struct http_slice *purpose = http_field(r, "sec-purpose");
	const struct http_slice none = {"", 0};
	const char *reason = NULL;

	check_slice(r->method_text, bytes, used);
	check_slice(r->host, bytes, used);
	check_slice(r->path, bytes, used);
	check_slice(r->query, bytes, used);
	check_slice(r->body, bytes, used);
	for (size_t i = 0; i < r->field_count; i++) {
		check_slice(r->fields[i].name, bytes, used);
		check_slice(r->fields[i].value, bytes, used);
		check(!memchr(r->fields[i].value.at, '\n', r->fields[i].value.len));
	}
	struct hit h = {.head = r->method == HTTP_HEAD,
			.user_agent = agent ? *agent : none,
			.purpose = purpose ? *purpose : none,
			.age_s = (int64_t)used % 5 - 1};
	hit_class_name((uint8_t)hit_classify(&h, &reason));
	check(reason != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct http_parser whole = {0}, split = {0}, alone = {0};
	struct http_request r;
	size_t used = 0, used_split = 0;
	unsigned status = 0, status_split = 0;

	if (n < 1)
		return 0;
	const char *bytes = (const char *)data + 1;
	size_t cut = data[0] * (n - 1) / 255;
	n--;
	enum http_parse got = http_parse(&whole, bytes, n, &r, &used, &status);
	if (got == HTTP_DONE) {
		check(used > 0 && used <= n);
		check_request(&r, bytes, used);
		check(http_parse(&alone, bytes, used, &r, &used_split, &status) == HTTP_DONE);
		check(used_split == used);
	} else if (got == HTTP_BAD) {
		check(status >= 400 && status <= 505);
	}
	enum http_parse parts = http_parse(&split, bytes, cut, &r, &used_split, &status_split);
	if (parts == HTTP_MORE)
		parts = http_parse(&split, bytes, n, &r, &used_split, &status_split);
	check(parts == got);
	check(got != HTTP_DONE || used_split == used);
	check(got != HTTP_BAD || status_split == status);
	return 0;
}
