/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/spool/record.h"

#include "lib/wire.h"
#include "relay/spool/crc32c.h"

#define WHEREABOUTS_VERSION 1
#define STANDING_VERSION    1
#define CHECKSUM            4

static void put_be(unsigned char *out, uint64_t v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		out[i] = (unsigned char)(v >> (8 * (n - 1 - i)));
}

static uint64_t get_be(const unsigned char *in, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v = v << 8 | in[i];
	return v;
}

void record_id_key(uint64_t id, unsigned char out[RECORD_ID_KEY])
{
	put_be(out, id, 8);
}

void record_recipient_key(uint64_t id, uint32_t recipient, unsigned char out[RECORD_RECIPIENT_KEY])
{
	put_be(out, id, 8);
	put_be(out + 8, recipient, 4);
}

uint64_t record_id_of(const void *key)
{
	return get_be(key, 8);
}

uint32_t record_recipient_of(const void *key)
{
	return (uint32_t)get_be((const unsigned char *)key + 8, 4);
}

/* --- the checksum --- */

void record_close(struct buf *record, const void *key, size_t key_len)
{
	wire_put_u32(record, crc32c(crc32c(0, key, key_len), record->data, record->len));
}

bool record_check(const void *bytes, size_t *n, const void *key, size_t key_len)
{
	if (*n < CHECKSUM)
		return false;
	*n -= CHECKSUM;
	struct wire w = wire_reader((const unsigned char *)bytes + *n, CHECKSUM);
	return wire_u32(&w) == crc32c(crc32c(0, key, key_len), bytes, *n);
}

/* --- whereabouts --- */

void whereabouts_encode(const struct whereabouts *w, uint64_t id, struct buf *out)
{
	unsigned char key[RECORD_ID_KEY];

	buf_clear(out);
	wire_put_u8(out, WHEREABOUTS_VERSION);
	wire_put_u32(out, w->place.segment);
	wire_put_u64(out, w->place.offset);
	wire_put_u64(out, w->place.size);
	wire_put_u32(out, w->recipients);
	wire_put_u32(out, w->left);
	record_id_key(id, key);
	record_close(out, key, sizeof(key));
}

bool whereabouts_decode(const void *bytes, size_t n, uint64_t id, struct whereabouts *out)
{
	unsigned char key[RECORD_ID_KEY];

	*out = (struct whereabouts){0};
	record_id_key(id, key);
	if (!record_check(bytes, &n, key, sizeof(key)))
		return false;
	struct wire w = wire_reader(bytes, n);
	bool known = wire_u8(&w) == WHEREABOUTS_VERSION;
	out->place.segment = wire_u32(&w);
	out->place.offset = wire_u64(&w);
	out->place.size = wire_u64(&w);
	out->recipients = wire_u32(&w);
	out->left = wire_u32(&w);
	return known && wire_done(&w) && out->recipients <= ENVELOPE_RECIPIENTS_MAX &&
	       out->left <= out->recipients;
}

/* --- standing --- */

void standing_encode(const struct progress_item *item, uint64_t id, struct buf *out)
{
	unsigned char key[RECORD_RECIPIENT_KEY];

	buf_clear(out);
	wire_put_u8(out, STANDING_VERSION);
	wire_put_u8(out, item->state);
	wire_put_u32(out, item->attempts);
	wire_put_u64(out, item->next_ms);
	wire_put_str(out, item->reply);
	record_recipient_key(id, item->recipient, key);
	record_close(out, key, sizeof(key));
}

bool standing_decode(const void *bytes, size_t n, uint64_t id, uint32_t recipient,
		     struct progress_item *out)
{
	unsigned char key[RECORD_RECIPIENT_KEY];

	*out = (struct progress_item){.recipient = recipient};
	record_recipient_key(id, recipient, key);
	if (!record_check(bytes, &n, key, sizeof(key)))
		return false;
	struct wire w = wire_reader(bytes, n);
	bool known = wire_u8(&w) == STANDING_VERSION;
	out->state = wire_u8(&w);
	out->attempts = wire_u32(&w);
	out->next_ms = wire_u64(&w);
	wire_str_into(&w, out->reply, sizeof(out->reply));
	return known && wire_done(&w) && out->state <= RECIPIENT_HELD;
}
