/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/queue/retry.h"

uint64_t retry_wait_ms(const struct retry_rules *r, uint32_t attempts, uint32_t random)
{
	uint64_t wait_ms = (uint64_t)r->first_s * 1000, longest_ms = (uint64_t)r->longest_s * 1000;

	for (uint32_t i = 1; i < attempts && wait_ms < longest_ms; i++)
		wait_ms *= 2;
	if (wait_ms > longest_ms)
		wait_ms = longest_ms;
	return wait_ms * 4 / 5 + (wait_ms * 2 / 5) * random / UINT32_MAX;
}

#define DELAY_LONGEST_MS (UINT64_C(4) * 3600 * 1000)

bool retry_tell_delay(const struct retry_rules *r, uint64_t accepted_ms, uint64_t now_ms,
		      uint64_t next_ms)
{
	uint64_t delay_ms = (uint64_t)r->expire_s * 1000 / 4;
	uint64_t tell_ms =
		accepted_ms + (delay_ms < DELAY_LONGEST_MS ? delay_ms : DELAY_LONGEST_MS);

	return now_ms < tell_ms && tell_ms <= next_ms;
}

uint64_t retry_expiry_ms(const struct retry_rules *r, uint64_t accepted_ms)
{
	return accepted_ms + (uint64_t)r->expire_s * 1000;
}

bool retry_expired(const struct retry_rules *r, uint64_t accepted_ms, uint64_t now_ms)
{
	return now_ms >= retry_expiry_ms(r, accepted_ms);
}

uint64_t retry_next_ms(const struct retry_rules *r, uint64_t accepted_ms, uint64_t now_ms,
		       uint32_t attempts, uint32_t random)
{
	uint64_t next_ms = now_ms + retry_wait_ms(r, attempts, random);
	uint64_t expiry_ms = retry_expiry_ms(r, accepted_ms);

	return next_ms > expiry_ms ? expiry_ms : next_ms;
}
