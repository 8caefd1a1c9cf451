/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The spool's records. The first byte chooses which; behind their checksums, which are made to
 * fit. Checked beside memory: what is taken encodes to the bytes that it came from, unless they are
 * of an older version, and keeps its bounds; what is refused has a reason.
 */
#include "relay/report/event.h"
#include "relay/spool/envelope.h"
#include "relay/spool/record.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(bool right)
{
	if (!right)
		abort();
}

static void check_same(const struct buf *b, const void *bytes, size_t n)
{
	check(b->len == n && memcmp(b->data, bytes, n) == 0);
}

static void try_envelope(const uint8_t *data, size_t n)
{
	const char *reason = NULL;
	struct envelope *e = envelope_decode(data, n, &reason);
	struct buf b = BUF_INIT;

	if (!e) {
		check(reason != NULL);
		return;
	}
	check(e->recipient_count >= 1 && e->recipient_count <= ENVELOPE_RECIPIENTS_MAX);
	for (size_t i = 0; i < e->recipient_count; i++) {
		check(strlen(e->recipients[i].address) <= ENVELOPE_ADDRESS_MAX);
		check(!strpbrk(e->recipients[i].address, "\r\n"));
		check(strlen(e->recipients[i].reply) < ENVELOPE_REPLY_MAX);
	}
	check(!strpbrk(e->sender, "\r\n"));
	envelope_encode(e, &b);
	if ((uint8_t)b.data[0] == data[0])
		check_same(&b, data, n);
	buf_free(&b);
	envelope_free(e);
}

static void try_whereabouts(const uint8_t *data, size_t n)
{
	struct buf closed = BUF_INIT, again = BUF_INIT;
	unsigned char key[RECORD_ID_KEY];
	struct whereabouts w;

	record_id_key(7, key);
	buf_append(&closed, data, n);
	record_close(&closed, key, sizeof(key));
	if (whereabouts_decode(closed.data, closed.len, 7, &w)) {
		check(w.left <= w.recipients && w.recipients <= ENVELOPE_RECIPIENTS_MAX);
		whereabouts_encode(&w, 7, &again);
		check_same(&again, closed.data, closed.len);
		check(!whereabouts_decode(closed.data, closed.len, 8, &w));
	}
	buf_free(&closed);
	buf_free(&again);
}

static void try_standing(const uint8_t *data, size_t n)
{
	struct buf closed = BUF_INIT, again = BUF_INIT;
	unsigned char key[RECORD_RECIPIENT_KEY];
	struct progress_item item;

	record_recipient_key(7, 3, key);
	buf_append(&closed, data, n);
	record_close(&closed, key, sizeof(key));
	if (standing_decode(closed.data, closed.len, 7, 3, &item)) {
		check(item.recipient == 3 && item.state <= RECIPIENT_HELD);
		standing_encode(&item, 7, &again);
		check_same(&again, closed.data, closed.len);
		check(!standing_decode(closed.data, closed.len, 7, 4, &item));
	}
	buf_free(&closed);
	buf_free(&again);
}

static void try_event(const uint8_t *data, size_t n)
{
	struct event e;
	struct buf b = BUF_INIT;

	if (!event_decode(data, n, &e))
		return;
	event_encode(&e, &b);
	if ((uint8_t)b.data[0] == data[0])
		check_same(&b, data, n);
	buf_free(&b);
	event_clear(&e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static void (*const tries[])(const uint8_t *, size_t) = {try_envelope, try_whereabouts,
								 try_standing, try_event};
	unsigned char as_id[64];

	if (n < 1)
		return 0;
	tries[data[0] % 4](data + 1, n - 1);

	/* And the id as people type it. */
	n = n - 1 < sizeof(as_id) - 1 ? n - 1 : sizeof(as_id) - 1;
	memcpy(as_id, data + 1, n);
	as_id[n] = '\0';
	uint64_t id = message_id_parse((const char *)as_id);
	char text[MESSAGE_ID_STR_MAX];
	check(!id || message_id_parse(message_id_format(id, text)) == id);
	return 0;
}
