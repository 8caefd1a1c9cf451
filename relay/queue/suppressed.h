/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who gets no mail of which account, as report has told it (report/suppress.h).
 *
 * Nothing leaves before report has told it once; but a report that does not come up keeps mail
 * waiting for SUPPRESSED_WAIT_S only.
 */
#ifndef GATEPOST_RELAY_QUEUE_SUPPRESSED_H
#define GATEPOST_RELAY_QUEUE_SUPPRESSED_H

#include "relay/queue/scheduler.h"

#define SUPPRESSED_WAIT_S 30.0

/* Begins to wait. known: called once when waiting is over. */
void suppressed_open(struct ev_loop *loop, void (*known)(void));

/* MSG_SUPPRESSED. */
void suppressed_take(const struct message *m);
bool suppressed_is_known(void);
bool suppressed_any(void);
bool suppressed_has(const char *account, const char *address);

#endif
