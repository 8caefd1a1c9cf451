/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/track/endpoint.h"

#include "relay/track/bot.h"

#include <string.h>

enum { DAY_S = 86400, HOST_MAX = 255, PATH_MAX_BYTES = TOKEN_TEXT_MAX + 16 };

/* 1×1, one transparent colour: GIF89a, a palette of two, the transparency extension, one pixel. */
static const char pixel[] = "GIF89a\1\0\1\0\x80\0\0\0\0\0\xff\xff\xff"
			    "!\xf9\4\1\0\0\0\0"
			    ",\0\0\0\0\1\0\1\0\0\2\2D\1\0;";

static const struct http_response not_found = {.status = 404};
static const struct http_response bad = {.status = 400};
static const struct http_response not_allowed = {.status = 405, .allow = "GET, HEAD"};
static const struct http_response healthy = {.status = 200, .body = "ok\n", .body_len = 3};
static const struct http_response the_pixel = {
	.status = 200, .type = "image/gif", .body = pixel, .body_len = sizeof(pixel) - 1};

#define PAGE(text)                                                             \
	"<!DOCTYPE html><html lang=\"en\"><meta charset=\"utf-8\">"            \
	"<meta name=\"viewport\" content=\"width=device-width\">"              \
	"<meta name=\"robots\" content=\"noindex\"><title>Unsubscribe</title>" \
	"<body style=\"font-family:sans-serif;max-width:32em;margin:4em auto;" \
	"padding:0 1em\">" text "\n"
static const char question[] =
	PAGE("<h1>Unsubscribe</h1><p>No more mail from this sender?</p><form method=\"post\">"
	     "<button name=\"List-Unsubscribe\" value=\"One-Click\">Unsubscribe</button></form>");
static const char done[] = PAGE("<h1>Unsubscribed</h1><p>This sender's mail is stopped.</p>");
static const char html[] = "text/html; charset=utf-8";

static const struct http_response the_question = {
	.status = 200, .type = html, .body = question, .body_len = sizeof(question) - 1};
static const struct http_response the_end = {
	.status = 200, .type = html, .body = done, .body_len = sizeof(done) - 1};

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
	static const uint8_t kinds[] = {[TOKEN_OPEN] = EVENT_OPENED,
					[TOKEN_CLICK] = EVENT_CLICKED,
					[TOKEN_UNSUBSCRIBE] = EVENT_UNSUBSCRIBED};
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
		.kind = kinds[a->token.kind],
		.hit_class = class,
		.time_ms = now_ms,
		.message = a->token.message,
		.recipient = a->token.recipient,
		.account = a->token.account,
		.detail = a->agent,
		.url = a->token.kind == TOKEN_CLICK ? a->token.url : NULL,
		.rcpt = a->token.kind == TOKEN_UNSUBSCRIBE ? a->token.url : NULL,
		.reason = (char *)(uintptr_t)reason,
		.campaign = a->token.campaign,
		.tags = a->token.tags,
		.client = *client,
	};
	a->hit = true;
}

static bool expired(const struct endpoint_rules *rules, const struct token *t, uint64_t now_ms)
{
	int64_t age_s = (int64_t)(now_ms / 1000) - t->accepted;

	return rules->expire_days && age_s > (int64_t)rules->expire_days * DAY_S;
}

/* RFC 8058 §3.2: the pair comes as a form of either kind. */
static bool says_one_click(const struct http_slice *body)
{
	static const char name[] = "List-Unsubscribe", value[] = "One-Click";
	const char *at = memmem(body->at, body->len, name, strlen(name));

	return at && memmem(at, body->len - (size_t)(at - body->at), value, strlen(value));
}

/* Nothing here may be asked of who only wants no more mail: neither age nor a shut account. */
static void unsubscribe(const struct http_request *r, const struct addr *client, uint64_t now_ms,
			struct endpoint_answer *a)
{
	if (r->method != HTTP_POST) {
		a->response = the_question;
	} else if (!says_one_click(&r->body)) {
		a->response = bad;
	} else {
		a->response = the_end;
		a->must_be_kept = true;
		describe(r, client, now_ms, a);
	}
}

void endpoint_decide(const struct endpoint_rules *rules, const struct http_request *r,
		     const struct addr *client, uint64_t now_ms, struct endpoint_answer *a)
{
	bool looks = r->method == HTTP_GET || r->method == HTTP_HEAD;
	bool posts = r->method == HTTP_POST && r->path.len > 3 && !memcmp(r->path.at, "/u/", 3);

	a->hit = a->must_be_kept = false;
	a->response = not_found;
	if (!looks && !posts) {
		a->response = not_allowed;
		return;
	}
	if (r->path.len == 8 && !memcmp(r->path.at, "/healthz", 8)) {
		a->response = healthy;
		return;
	}
	if (!find_token(rules->ring, r, &a->token))
		return;
	if (a->token.kind == TOKEN_UNSUBSCRIBE) {
		unsubscribe(r, client, now_ms, a);
		return;
	}
	if (!looks || expired(rules, &a->token, now_ms) || shut_covers(rules->shut, &a->token))
		return;
	if (a->token.kind == TOKEN_OPEN)
		a->response = the_pixel;
	else if (web_address(a->token.url))
		a->response = (struct http_response){.status = 302, .location = a->token.url};
	else
		return;
	describe(r, client, now_ms, a);
}
