/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How much each account may still send: a bucket of as many recipients as its rate allows in one
 * unit of time, filled evenly. Pure: times are given.
 *
 * What is kept of a bucket is one number, the moment at which it will be full again; each recipient
 * moves that on by unit / count, and it may lie at most one unit ahead. So a bucket that is full
 * takes no room, and another rate in the config is in force at once.
 */
#ifndef GATEPOST_RELAY_SMTP_RATES_H
#define GATEPOST_RELAY_SMTP_RATES_H

#include "relay/config.h"
#include "relay/smtp/tally.h"

#include <stddef.h>
#include <stdint.h>

struct rates {
	struct tally full_at_ns; /* by account */
};

/* Milliseconds until count more recipients may be sent to, 0: now. More than a bucket holds are
 * never allowed at once, and count for a full one. */
uint64_t rates_wait_ms(struct rates *r, const struct config_account *a, unsigned count,
		       uint64_t now_ms);
void rates_take(struct rates *r, const struct config_account *a, unsigned count, uint64_t now_ms);
/* Recipients that were taken and not sent to after all. */
void rates_give_back(struct rates *r, const struct config_account *a, unsigned count,
		     uint64_t now_ms);
void rates_free(struct rates *r);

enum { RATES_TEXT_MAX = 160 };
/* "account acme may send to 1000 recipients an hour: try again in 4 seconds" */
void rates_explain(const struct config_account *a, uint64_t wait_ms, char text[RATES_TEXT_MAX]);

#endif
