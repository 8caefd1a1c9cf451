/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The edit lock: one session at a time edits the config, and everybody else sees who.
 *
 * It belongs to a connection to the control socket and dies with it: a session that was cut off
 * leaves nothing behind. An administrator may break it and take it over; whoever lost it is told
 * when they try to commit. Without a lock anybody may commit (scripts do), but not while somebody
 * else holds it.
 */
#ifndef GATEPOST_GATEWAY_LOCK_H
#define GATEPOST_GATEWAY_LOCK_H

#include "gateway/peer.h"
#include "lib/buf.h"

#include <stdbool.h>
#include <stdint.h>

struct edit_lock {
	struct peer holder; /* session 0: nobody */
	int64_t since_s;    /* since 1970, UTC */
	unsigned lost_by;   /* the session that it was last taken from, or 0 */
	char breaker[CONFSTORE_WHO_MAX];
};

bool lock_held(const struct edit_lock *l);
/* False, with who holds it in error, when that is another session. */
bool lock_take(struct edit_lock *l, const struct peer *peer, int64_t now_s, struct buf *error);
/* Takes it from whoever holds it. */
void lock_break(struct edit_lock *l, const struct peer *peer, int64_t now_s);
/* The session gives it back, or has ended. False when it did not hold it. */
bool lock_release(struct edit_lock *l, unsigned session);
/* May this session change the config now? False with the reason in error. */
bool lock_allows(const struct edit_lock *l, const struct peer *peer, struct buf *error);

#endif
