/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Destinations: who is next, how many sessions, and what happens when nobody answers.
 *
 * How many sessions it may have is for its lane to say (lane.h). When no mail host can be spoken
 * to, it is down for a while: what waits there is put off, in slices, each parcel to a time of its
 * own; and what becomes ready meanwhile as well.
 */
#ifndef GATEPOST_RELAY_QUEUE_DESTINATION_H
#define GATEPOST_RELAY_QUEUE_DESTINATION_H

#include "relay/queue/scheduler.h"

/* Found, or made. Goes by itself once nothing leads to it. */
struct destination *destination_get(const char *domain, const char *pool);

/* Before anything is put into its queues. */
void destination_make_busy(struct destination *d);

/* Something changed: look at it in this turn. */
void destination_touch(struct destination *d);

bool destination_is_down(const struct destination *d);
/* Nothing goes there for a while, and what waits is to be put off: why; NULL when it goes. */
const char *destination_shut(const struct destination *d);

/* No host took a session, or refuse: the DNS says that there is none. why is kept. */
void destination_failed(struct destination *d, const char *why, bool refuse);
/* A session was ready. */
void destination_answers(struct destination *d);

/* An administrator's "now": forgets that it is down, and what is known of its hosts. */
void destination_forget_faults(struct destination *d);

/* The next session asks for its mail hosts anew. */
void destination_forget_hosts(struct destination *d);

/* The turn's parts: touched destinations; sessions for those that may have one; a slice of what a
 * destination that failed has to put off. */
void destinations_work(void);
void destinations_connect(void);
bool destinations_drain(void); /* false: nothing is left to put off */

void destination_each(void (*fn)(struct destination *d, void *arg), void *arg);

void targets_release(struct targets *t);

#endif
