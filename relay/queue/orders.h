/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Orders: what an administrator, or the relay itself, has said is not to be sent, until somebody
 * says otherwise; and what new addresses have sent today. All of it outlives a restart: spool keeps
 * it (spool/orders.h) and gives it before the first message.
 *
 * A pause takes an account's or a destination's mail out of every queue and lets none in. The mail
 * keeps its times: what has expired meanwhile is tried once more when the pause ends.
 */
#ifndef GATEPOST_RELAY_QUEUE_ORDERS_H
#define GATEPOST_RELAY_QUEUE_ORDERS_H

#include "relay/queue/scheduler.h"

#include <jansson.h>

enum order_kind { ORDER_ACCOUNT, ORDER_DESTINATION };

struct order {
	uint8_t kind;
	bool by_itself; /* not by an administrator */
	uint64_t since_ms;
	char *name, *reason;
};

enum orders_limit { ORDERS_MAX = 1000, ORDERS_REASON_MAX = 255 };

/* NULL: it is not paused. Lasts until the next call below. */
const struct order *order_on(enum order_kind kind, const char *name);
const struct order *order_at(size_t i); /* NULL behind the last */

/* False when there are too many, or none of that name. Each is written down at once. */
bool order_pause(enum order_kind kind, const char *name, bool by_itself, const char *reason);
bool order_resume(enum order_kind kind, const char *name);

/* Nothing new is accepted; what is there goes. */
bool orders_draining(void);
void orders_drain(bool on);

/* Spool's copy, at its start; only the first one is taken, later ones are older than ours. */
void orders_taken(const struct message *m);
/* Spool has them on the disk. */
void orders_kept(uint64_t id);
/* To a spool that is new. */
void orders_spool_up(void);
/* The counts of the ramp-up, when they have changed. */
void orders_save_counts(void);

/* Calls fn once all that was ordered so far is on the disk; at once when it is. */
typedef void orders_fn(uint64_t id, struct buf *answer);
void orders_when_kept(uint64_t id, struct buf *answer, orders_fn *fn);

#endif
