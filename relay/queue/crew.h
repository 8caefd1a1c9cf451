/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Crews: who makes the bytes of whose mail.
 *
 * The workers are all alike. Each account that is given workers of its own (relay account NAME
 * workers) has a crew of that many; all others share the crew of the rest, by turns. A crew that
 * has nobody just now, since its workers are being started, is served by the shared one.
 */
#ifndef GATEPOST_RELAY_QUEUE_CREW_H
#define GATEPOST_RELAY_QUEUE_CREW_H

#include "relay/queue/scheduler.h"

struct crew {
	struct crew *next;
	char *account; /* NULL: everybody's */
	unsigned wanted, workers;
	struct share memory; /* of the bodies that it makes */
};

/* A new config; the first one too. Crews are not taken away, only their workers. */
void crews_reload(const struct relay_config *c);
/* Workers have come or gone. */
void crews_assign(void);

struct crew *crew_of(struct account *a);

/* The next body that worker w may make, out of its crew's queue; NULL for none. */
struct body *crew_next(const struct worker *w);

#endif
