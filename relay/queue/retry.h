/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * When a delivery that failed for now is tried again. Pure.
 *
 * The wait doubles with each attempt from first_s up to longest_s, and is spread by ±20 % so that
 * what was deferred together does not come back together (RFC 5321 §4.5.4.1 asks for a back-off;
 * the spread is ours).
 */
#ifndef GATEPOST_RELAY_QUEUE_RETRY_H
#define GATEPOST_RELAY_QUEUE_RETRY_H

#include <stdbool.h>
#include <stdint.h>

struct retry_rules {
	uint32_t first_s, longest_s, expire_s;
};

/* attempts: made so far, at least 1. random: any 32 bits. */
uint64_t retry_wait_ms(const struct retry_rules *r, uint32_t attempts, uint32_t random);

/*
 * The time of the next attempt after one that ended at now_ms. Never later than the message's
 * expiry: then the last attempt is made, and retry_expired() says so from there on.
 */
uint64_t retry_next_ms(const struct retry_rules *r, uint64_t accepted_ms, uint64_t now_ms,
		       uint32_t attempts, uint32_t random);

/*
 * Is now the time to tell the sender that it is late? True for one attempt of a recipient: the
 * last one before 4 hours, or a quarter of the time until expiry if that is less, have passed.
 */
bool retry_tell_delay(const struct retry_rules *r, uint64_t accepted_ms, uint64_t now_ms,
		      uint64_t next_ms);

uint64_t retry_expiry_ms(const struct retry_rules *r, uint64_t accepted_ms);
bool retry_expired(const struct retry_rules *r, uint64_t accepted_ms, uint64_t now_ms);

#endif
