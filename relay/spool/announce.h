/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What spool tells deliver and work: which segments there are, and deliver which messages.
 *
 * A peer that comes up gets every segment, then deliver every message, oldest first, no faster
 * than it takes them. What is new meanwhile comes in its turn, so nothing is told twice; once all
 * is told, news goes out at once. A message is told only after its segment was, to everybody.
 */
#ifndef GATEPOST_RELAY_SPOOL_ANNOUNCE_H
#define GATEPOST_RELAY_SPOOL_ANNOUNCE_H

#include "relay/channel.h"
#include "relay/spool/store.h"

#include <ev.h>

void announce_open(struct ev_loop *loop, struct store *store);

void announce_to(struct channel *c, bool messages_too);
void announce_no_more(struct channel *c); /* of any peer */

void announce_segment(uint32_t segment);
void announce_segment_gone(uint32_t segment);
void announce_queued(const struct queued *m); /* a new one: its id is the highest so far */
void announce_moved(const struct queued *m);

/* Writes out what is queued, before the end. */
void announce_flush(void);

#endif
