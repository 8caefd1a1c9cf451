/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an order (orders.h) does to the queue, and when the relay gives one itself; the clock that
 * everything waits for; and what of this is an alarm.
 */
#ifndef GATEPOST_RELAY_QUEUE_PAUSE_H
#define GATEPOST_RELAY_QUEUE_PAUSE_H

#include "relay/deliver/outcomes.h"
#include "relay/queue/orders.h"

/* The queue as the order has it. Without one of that name in the queue it does nothing. */
void pause_apply(enum order_kind kind, const char *name, bool on);
/* Is the parcel's account or destination paused? */
bool pause_holds(const struct parcel *p);

/* A recipient's end. Whether that is too much is looked at in the turn. */
void pause_note(struct account *a, enum outcome what);
/* A recipient of the account has complained: OUTCOME_COMPLAINED comes long after the delivery. */
void pause_complaint(const char *account);
/* The turn's part: accounts that went too far are paused. */
void pause_run(void);

/* A log line and an event of it. */
void pause_tell(enum order_kind kind, const char *name, bool on, const char *reason);

/* Is the time known? Looks until it once was; then it stays so. */
bool clock_is_right(void);
/* Begins to look, anew after a reload. */
void clock_watch(void);

/* Tells main whether new mail is to be accepted. */
void pause_tell_main(void);

/* An array of what is wrong, and what to do. */
json_t *alarms_json(void);

#endif
