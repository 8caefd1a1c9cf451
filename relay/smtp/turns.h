/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whose connection is served next. What the event loop reports as ready waits here and is served in
 * deficit round robin by account (relay/queue/fair.h), a quarter of a millisecond at a time;
 * between two such stretches the loop looks who else has become ready. So an account with a hundred
 * busy connections delays another one's only connection by one step, not by a hundred.
 *
 * Before its account is known, a connection counts for the source that it comes from.
 */
#ifndef GATEPOST_RELAY_SMTP_TURNS_H
#define GATEPOST_RELAY_SMTP_TURNS_H

#include "relay/queue/fair.h"

#include <ev.h>

typedef void turns_serve_fn(struct fair_item *item);

struct turns {
	struct ev_loop *loop;
	struct fair queue;
	turns_serve_fn *serve;
	ev_check after_poll;
	ev_idle more; /* active while something waits: the loop must not sleep */
};

void turns_open(struct turns *t, struct ev_loop *loop, turns_serve_fn *serve);
/* Asks for a turn; one that waits already waits on. cost: bytes, as far as they can be guessed. */
void turns_ask(struct turns *t, struct fair_item *item, uint32_t account, unsigned weight,
	       uint64_t cost);
void turns_drop(struct turns *t, struct fair_item *item);

/* The number of an account, or of a source: never the same for one of each. */
uint32_t turns_account(const char *account);
uint32_t turns_source(const char *source);

#endif
