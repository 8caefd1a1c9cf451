/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Getting a parcel's bytes made: its turn among the accounts for memory, then a worker.
 *
 * The first worker is the express one: a small message of an account that has nothing else under
 * way goes to it past the queue, while it is free. It runs at the priority of those who pass things
 * on, so it need not wait until a flood's messages leave it a processor.
 */
#ifndef GATEPOST_RELAY_QUEUE_PREPARE_H
#define GATEPOST_RELAY_QUEUE_PREPARE_H

#include "relay/queue/scheduler.h"

/* From READY (taken out of its queue) to CHOSEN. */
void prepare_want(struct parcel *p);
/* A parcel no longer needs its body: not made, being made, or made. */
void prepare_cancel(struct parcel *p);

/* The turn's part: hands out as much as the workers may have. */
void prepare_run(void);

void prepare_worker_up(unsigned index, struct channel *c);
void prepare_worker_down(struct channel *c);
void prepare_answer(struct channel *c, struct message *m);

#endif
