/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lanes: a pool's way to one provider (deliver/provider.h), shared by all the domains behind it.
 *
 * A destination learns its lane when its mail hosts are known. From then on each session, and where
 * there is a rate each message, needs the lane's leave (deliver/limits.h), which is given by turns
 * among the accounts that wait for it. Where a lane is full and another account, which holds less
 * of it, waits, a session ends after a few messages to make room.
 */
#ifndef GATEPOST_RELAY_QUEUE_LANE_H
#define GATEPOST_RELAY_QUEUE_LANE_H

#include "relay/deliver/limits.h"
#include "relay/queue/scheduler.h"

struct lane {
	struct table_node node; /* first */
	unsigned refs;          /* destinations */
	struct limits limits;
	struct limits_rules rules;
	unsigned messages_max; /* by one connection */
	struct fair opening;   /* destinations that want a session */
	struct fair sending;   /* that want to send a message, where there is a rate */
	unsigned promised;     /* sessions that may be opened and are not yet */
	unsigned session_count;
	struct session *sessions;
	ev_timer timer;
	uint32_t used_up_day; /* none of its addresses may send any more on that day; 0: none */
	char *why;            /* the last trouble; NULL for none */
	const char *pool;     /* "" for none */
	char provider[];
};

/* Its mail hosts are known: the destination belongs to this provider's lane from now on. */
void lane_join(struct destination *d, const char *provider);
/* Nothing leads to the destination any more. */
void lane_leave(struct destination *d);

/* A destination wants one more session, for the account that is next in it. Its d->may_open is set
 * when it gets it, and the destination is touched. */
void lane_want_session(struct destination *d, const struct account *a);
/* It does not need that any more. */
void lane_give_back(struct destination *d);

/* The session is one of the lane's; false when there are enough, or it backs off. */
bool lane_enter(struct session *s);
void lane_exit(struct session *s);

/* May this destination send a message now? If not it is touched when it may. */
bool lane_take_message(struct destination *d, const struct account *a);
/* Has the session carried enough, or is its place needed? */
bool lane_wants_back(const struct session *s);

void lane_delivered(struct lane *l);
/* sessions that go on are counted without this one. why is kept. */
void lane_troubled(struct lane *l, enum limits_trouble t, const char *why);
void lane_forgive(struct lane *l);

/* What waits for it has to be told: why, NULL while that is not so. */
const char *lane_shut(const struct lane *l);

/* A source address of that family that may still send today; see route_source(). */
bool lane_source(struct lane *l, const struct config_pool *pool, int family, uint32_t turn,
		 struct addr *out);
/* None of its addresses may any more. */
bool lane_used_up(const struct lane *l);
/* May the session's address send one more today? Then it is counted. */
bool lane_ramp_take(const struct session *s);

void lanes_reload(void);
/* Forgets those that nobody uses and of which nothing has to be remembered. */
void lanes_tidy(void);
void lane_each(void (*fn)(struct lane *l, void *arg), void *arg);

/* Days since 1970. */
uint32_t today(void);

#endif
