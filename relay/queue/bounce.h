/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bounces: the failed recipients of a mail, told to its sender in one report.
 *
 * The report is a message like any other: it is submitted to spool, and only once it is on disk do
 * its recipients count as failed. Should the relay die before, they are tried once more.
 */
#ifndef GATEPOST_RELAY_QUEUE_BOUNCE_H
#define GATEPOST_RELAY_QUEUE_BOUNCE_H

#include "relay/deliver/dsn.h"
#include "relay/queue/scheduler.h"

/* The recipient's reply is in m->rcpts. host: who said it, "" for us. DSN_DELAYED,
 * DSN_RELAYED: it is only late, or went well, and nothing depends on the report. */
void bounce_add(struct mail *m, uint32_t recipient, const char *host, enum dsn_action action);

void bounce_submitted(const struct message *m);
/* Reports under way are submitted again to the next spool. */
void bounce_spool_down(void);

size_t bounce_count(void);

#endif
