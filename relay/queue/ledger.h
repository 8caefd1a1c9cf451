/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What spool and report have to be told, kept until they say that it is on disk.
 *
 * A PROGRESS that was not confirmed is sent again to a spool that was restarted, so a result that a
 * peer gave is not lost with it. Events are kept for a report that is away, up to a bound; then
 * the oldest are dropped, counted and logged.
 */
#ifndef GATEPOST_RELAY_QUEUE_LEDGER_H
#define GATEPOST_RELAY_QUEUE_LEDGER_H

#include "relay/queue/scheduler.h"
#include "relay/report/event.h"

enum ledger_limit {
	LEDGER_EVENT_BYTES = 4 * 1024 * 1024,
};

/* m->unconfirmed counts it until ledger_confirmed(). */
void ledger_progress(struct mail *m, const struct progress_item *items, size_t count);

/* spool confirmed that PROGRESS; its mail, NULL for an unknown one. */
struct mail *ledger_confirmed(uint64_t id);

/* Results that are not on disk yet: when these are too many, nothing new is begun. */
size_t ledger_unconfirmed(void);

/* To a spool that is new. */
void ledger_spool_up(void);

void ledger_event(const struct event *e);
void ledger_events_kept(uint64_t id);
void ledger_report_up(void);
/* Events that no report has confirmed. */
size_t ledger_events(void);

#endif
