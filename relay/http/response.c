/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/http/response.h"

#include <stdio.h>
#include <string.h>

static const struct {
	unsigned status;
	const char *text;
} statuses[] = {
	{200, "OK"},
	{302, "Found"},
	{400, "Bad Request"},
	{404, "Not Found"},
	{405, "Method Not Allowed"},
	{408, "Request Timeout"},
	{411, "Length Required"},
	{413, "Content Too Large"},
	{414, "URI Too Long"},
	{417, "Expectation Failed"},
	{431, "Request Header Fields Too Large"},
	{500, "Internal Server Error"},
	{503, "Service Unavailable"},
	{505, "HTTP Version Not Supported"},
};

const char *http_status_text(unsigned status)
{
	for (size_t i = 0; i < sizeof(statuses) / sizeof(*statuses); i++)
		if (statuses[i].status == status)
			return statuses[i].text;
	return "";
}

const char *http_date(time_t t, char out[HTTP_DATE_MAX])
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	struct tm tm;

	if (!gmtime_r(&t, &tm) || tm.tm_year > 9999 - 1900) {
		t = 0;
		gmtime_r(&t, &tm);
	}
	/* The moduli say nothing new; they let the compiler see that it fits. */
	snprintf(out, HTTP_DATE_MAX, "%.3s, %02u %.3s %04u %02u:%02u:%02u GMT",
		 days + tm.tm_wday * 3, (unsigned)tm.tm_mday % 100, months + tm.tm_mon * 3,
		 (unsigned)(tm.tm_year + 1900) % 10000, (unsigned)tm.tm_hour % 100,
		 (unsigned)tm.tm_min % 100, (unsigned)tm.tm_sec % 100);
	return out;
}

static bool has_control(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return true;
	return false;
}

/* What the response says when its maker left it to us: the status in words. */
static void put_body(const struct http_response *r, bool head, struct buf *out)
{
	const char *text = r->body || r->location ? "" : http_status_text(r->status);
	size_t len = r->body ? r->body_len : *text ? strlen(text) + 1 : 0;

	if (len) {
		buf_appends(out, "Content-Type: ");
		buf_appends(out, r->type ? r->type : "text/plain; charset=utf-8");
		buf_appends(out, "\r\nX-Content-Type-Options: nosniff\r\n");
	}
	buf_printf(out, "Content-Length: %zu\r\n\r\n", len);
	if (head)
		return;
	if (r->body) {
		buf_append(out, r->body, r->body_len);
	} else if (*text) {
		buf_appends(out, text);
		buf_appendc(out, '\n');
	}
}

void http_response_format(const struct http_response *r, int minor, bool head, bool keep_alive,
			  const char *date, struct buf *out)
{
	static const struct http_response broken = {.status = 500};

	if (r->location && has_control(r->location))
		r = &broken;
	buf_printf(out, "HTTP/1.1 %u %s\r\nDate: %s\r\nCache-Control: no-store\r\n", r->status,
		   http_status_text(r->status), date);
	if (!keep_alive)
		buf_appends(out, "Connection: close\r\n");
	else if (minor == 0)
		buf_appends(out, "Connection: keep-alive\r\n");
	if (r->allow)
		buf_printf(out, "Allow: %s\r\n", r->allow);
	if (r->location) {
		buf_appends(out, "Location: ");
		buf_appends(out, r->location);
		buf_appends(out, "\r\n");
	}
	put_body(r, head, out);
}
