/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/track/endpoint.h"

#include "relay/track/bot.h"

#include <string.h>

enum { HOST_MAX = 255, PATH_MAX_BYTES = TOKEN_TEXT_MAX + 16 };

/* 1×1, one transparent colour: GIF89a, a palette of two, the transparency extension, one pixel. */
static const char pixel[] = "GIF89a\1\0\1\0\x80\0\0\0\0\0\xff\xff\xff"
			    "!\xf9\4\1\0\0\0\0"
			    ",\0\0\0\0\1\0\1\0\0\2\2D\1\0;";

static const struct http_response not_found = {.status = 404};
static const struct http_response not_allowed = {.status = 405, .allow = "GET, HEAD"};
static const struct http_response healthy = {.status = 200, .body = "ok\n", .body_len = 3};
static const struct http_response the_pixel = {
	.status = 200, .type = "image/gif", .body = pixel, .body_len = sizeof(pixel) - 1};

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool unreserved(int c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       c == '-' || c == '.' || c == '_' || c == '~';
}

/* RFC 3986 §6.2.2.2: some clients and proxies write "%2D" where we wrote "-". False: too long. */
static bool normalise_path(struct http_slice path, char out[PATH_MAX_BYTES], size_t *len)
{
	size_t n = 0;

	if (path.len > (size_t)PATH_MAX_BYTES * 3)
		return false;
	for (size_t i = 0; i < path.len; i++) {
		char c = path.at[i];
		if (c == '%' && i + 2 < path.len) {
			int v = hex(path.at[i + 1]) * 16 + hex(path.at[i + 2]);
			if (hex(path.at[i + 1]) >= 0 && hex(path.at[i + 2]) >= 0 && unreserved(v)) {
				c = (char)v;
				i += 2;
			}
		}
		if (n == PATH_MAX_BYTES)
			return false;
		out[n++] = c;
	}
	*len = n;
	return true;
}

/*
 * What we sealed was a web address when it was sealed; look again, since this is what keeps a
 * sealing mistake from sending a reader to javascript:, or from ending the Location field.
 */
static bool web_address(const char *url)
{
	size_t scheme = !strncasecmp(url, "http://", 7)    ? 7
			: !strncasecmp(url, "https://", 8) ? 8
							   : 0;
	size_t authority = strcspn(url + scheme, "/?#\\");

	if (!scheme || !authority || memchr(url + scheme, '@', authority))
		return false;
	for (const char *p = url; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return false;
	return true;
}

/* The token in the path, opened for the host that was asked. */
static bool find_token(struct token_ring *ring, const struct http_request *r, struct token *t)
{
	char host[HOST_MAX + 1], path[PATH_MAX_BYTES];
	const char *text;
	size_t path_len, text_len;
	enum token_kind kind;

	if (!ring || !r->host.len || r->host.len > HOST_MAX)
		return false;
	memcpy(host, r->host.at, r->host.len);
	host[r->host.len] = '\0';
	return normalise_path(r->path, path, &path_len) &&
	       token_path(path, path_len, &kind, &text, &text_len) &&
	       token_open(ring, host, text, text_len, t) && t->kind == kind;
}

static struct http_slice purpose_of(const struct http_request *r)
{
	static const char *const names[] = {"sec-purpose", "purpose", "x-purpose", "x-moz"};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		const struct http_slice *v = http_field(r, names[i]);
		if (v)
			return *v;
	}
	return (struct http_slice){"", 0};
}

static void describe(const struct http_request *r, const struct addr *client, uint64_t now_ms,
		     struct endpoint_answer *a)
{
	const struct http_slice *agent = http_field(r, "user-agent");
	size_t n = !agent ? 0 : agent->len < ENDPOINT_AGENT_MAX ? agent->len : ENDPOINT_AGENT_MAX;
	const char *reason;

	if (n)
		memcpy(a->agent, agent->at, n);
	a->agent[n] = '\0';
	struct hit h = {
		.head = r->method == HTTP_HEAD,
		.user_agent = {a->agent, n},
		.purpose = purpose_of(r),
		.client = *client,
		.age_s = a->token.accepted > 0 ? (int64_t)(now_ms / 1000) - a->token.accepted : -1,
	};
	uint8_t class = (uint8_t)hit_classify(&h, &reason);
	a->event = (struct event){
		.kind = a->token.kind == TOKEN_CLICK ? EVENT_CLICKED : EVENT_OPENED,
		.hit_class = class,
		.time_ms = now_ms,
		.message = a->token.message,
		.recipient = a->token.recipient,
		.account = a->token.account,
		.detail = a->agent,
		.url = a->token.kind == TOKEN_CLICK ? a->token.url : NULL,
		.reason = (char *)(uintptr_t)reason,
		.campaign = a->token.campaign,
		.client = *client,
	};
	a->hit = true;
}

void endpoint_decide(struct token_ring *ring, const struct http_request *r,
		     const struct addr *client, uint64_t now_ms, struct endpoint_answer *a)
{
	a->hit = false;
	a->response = not_found;
	if (r->method != HTTP_GET && r->method != HTTP_HEAD) {
		a->response = not_allowed;
		return;
	}
	if (r->path.len == 8 && !memcmp(r->path.at, "/healthz", 8)) {
		a->response = healthy;
		return;
	}
	if (!find_token(ring, r, &a->token))
		return;
	if (a->token.kind == TOKEN_OPEN)
		a->response = the_pixel;
	else if (a->token.kind == TOKEN_CLICK && web_address(a->token.url))
		a->response = (struct http_response){.status = 302, .location = a->token.url};
	else
		return;
	describe(r, client, now_ms, a);
}
