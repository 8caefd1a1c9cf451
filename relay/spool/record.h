/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The records of the state (state.h) beside the envelope, and the checksum that closes each.
 *
 * The checksum covers the record's key as well, so that a record that ended up under another
 * message's key is as damaged as one with a wrong byte.
 */
#ifndef GATEPOST_RELAY_SPOOL_RECORD_H
#define GATEPOST_RELAY_SPOOL_RECORD_H

#include "lib/buf.h"
#include "relay/messages.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Keys are in network order, so that LMDB has them in the order of the numbers. */
#define RECORD_ID_KEY        8
#define RECORD_RECIPIENT_KEY 12
void record_id_key(uint64_t id, unsigned char out[RECORD_ID_KEY]);
void record_recipient_key(uint64_t id, uint32_t recipient, unsigned char out[RECORD_RECIPIENT_KEY]);
uint64_t record_id_of(const void *key); /* of either kind */
uint32_t record_recipient_of(const void *key);

/* Appends the checksum over key and record; and takes it off: false when it does not fit. */
void record_close(struct buf *record, const void *key, size_t key_len);
bool record_check(const void *bytes, size_t *n, const void *key, size_t key_len);

/* Where a message's body is, and how many of its recipients are waiting or held. */
struct whereabouts {
	struct place place;
	uint32_t recipients;
	uint32_t left;
};

/* Both whole, checksum included. */
void whereabouts_encode(const struct whereabouts *w, uint64_t id, struct buf *out);
bool whereabouts_decode(const void *bytes, size_t n, uint64_t id, struct whereabouts *out);

/* A recipient's standing once it is no longer that of the envelope. item->recipient is the key. */
void standing_encode(const struct progress_item *item, uint64_t id, struct buf *out);
bool standing_decode(const void *bytes, size_t n, uint64_t id, uint32_t recipient,
		     struct progress_item *out);

#endif
