/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The record lies in the journal and travels between processes; a version stands first. A text
 * that is too long is cut when it is written, so that no event is lost over its length.
 */
#include "relay/report/event.h"

#include "lib/wire.h"

#include <stdlib.h>
#include <string.h>

#define EVENT_VERSION 2

struct text_field {
	size_t offset;
	size_t max;
};

static const struct text_field texts[] = {
	{offsetof(struct event, account), EVENT_TEXT_MAX},
	{offsetof(struct event, sender), EVENT_TEXT_MAX},
	{offsetof(struct event, rcpt), EVENT_TEXT_MAX},
	{offsetof(struct event, subject), EVENT_TEXT_MAX},
	{offsetof(struct event, detail), EVENT_TEXT_MAX},
	{offsetof(struct event, peer), EVENT_TEXT_MAX},
	{offsetof(struct event, url), EVENT_URL_MAX},
	{offsetof(struct event, reason), EVENT_TEXT_MAX},
	{offsetof(struct event, campaign), EVENT_TEXT_MAX},
	{offsetof(struct event, tags), EVENT_TEXT_MAX}, /* since version 2 */
};

#define TEXT_COUNT (sizeof(texts) / sizeof(*texts))

static char **text_at(const struct event *e, size_t i)
{
	return (char **)((uintptr_t)e + texts[i].offset);
}

/* Cuts at max, but not within a UTF-8 character. */
static void put_text(struct buf *out, const char *s, size_t max)
{
	size_t n = s ? strlen(s) : 0;

	if (n > max)
		for (n = max; n > 0 && ((unsigned char)s[n] & 0xc0) == 0x80; n--)
			;
	wire_put_bytes(out, s, n);
}

void event_encode(const struct event *e, struct buf *out)
{
	wire_put_u8(out, EVENT_VERSION);
	wire_put_u8(out, e->kind);
	wire_put_u8(out, e->hit_class);
	wire_put_u64(out, e->time_ms);
	wire_put_u64(out, e->message);
	wire_put_u32(out, e->recipient);
	for (size_t i = 0; i < TEXT_COUNT; i++)
		put_text(out, *text_at(e, i), texts[i].max);
	wire_put_addr(out, &e->client);
	wire_put_u64(out, e->size);
	wire_put_u64(out, e->took_ms);
}

bool event_decode(const void *bytes, size_t n, struct event *out)
{
	struct wire w = wire_reader(bytes, n);
	uint8_t version = wire_u8(&w);
	bool good = version == EVENT_VERSION || version == 1;

	*out = (struct event){0};
	out->kind = wire_u8(&w);
	good = good && out->kind >= EVENT_RECEIVED && out->kind <= EVENT_LAST;
	out->hit_class = wire_u8(&w);
	out->time_ms = wire_u64(&w);
	out->message = wire_u64(&w);
	out->recipient = wire_u32(&w);
	for (size_t i = 0; i < TEXT_COUNT; i++) {
		bool missing = version == 1 && texts[i].offset == offsetof(struct event, tags);
		char *s = missing ? strdup("") : wire_str(&w);

		if (!s)
			abort();
		*text_at(out, i) = s;
		good = good && strlen(s) <= texts[i].max;
	}
	out->client = wire_addr(&w);
	out->size = wire_u64(&w);
	out->took_ms = wire_u64(&w);
	if (good && wire_done(&w))
		return true;
	event_clear(out);
	return false;
}

void event_clear(struct event *e)
{
	for (size_t i = 0; i < TEXT_COUNT; i++)
		free(*text_at(e, i));
	*e = (struct event){0};
}

const char *event_kind_name(uint8_t kind)
{
	static const char *const names[] = {
		[EVENT_RECEIVED] = "received",
		[EVENT_REJECTED] = "rejected",
		[EVENT_QUEUED] = "queued",
		[EVENT_NOT_TRACKED] = "not-tracked",
		[EVENT_DEFERRED] = "deferred",
		[EVENT_DELIVERED] = "delivered",
		[EVENT_BOUNCED] = "bounced",
		[EVENT_EXPIRED] = "expired",
		[EVENT_OPENED] = "opened",
		[EVENT_CLICKED] = "clicked",
		[EVENT_PAUSED] = "paused",
		[EVENT_RESUMED] = "resumed",
		[EVENT_UNSUBSCRIBED] = "unsubscribed",
		[EVENT_SUPPRESSED] = "suppressed",
	};

	if (kind >= sizeof(names) / sizeof(*names) || !names[kind])
		return "unknown";
	return names[kind];
}
