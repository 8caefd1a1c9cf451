/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What became of an account's last recipients, and whether that is too bad to go on. Pure.
 *
 * A list that was bought, or an account that was taken over, shows in what comes back: addresses
 * that do not exist, and complaints. Each costs the pool its standing, so the account stops before
 * the receivers stop the pool. A ring keeps the last OUTCOMES_MAX; a complaint comes long after its
 * delivery and turns one delivered recipient of the ring into one that complained.
 */
#ifndef GATEPOST_RELAY_DELIVER_OUTCOMES_H
#define GATEPOST_RELAY_DELIVER_OUTCOMES_H

#include <stdbool.h>
#include <stdint.h>

enum { OUTCOMES_MAX = 1000 };

enum outcome { OUTCOME_NONE, OUTCOME_DELIVERED, OUTCOME_BOUNCED, OUTCOME_COMPLAINED };

struct outcomes {
	uint8_t ring[OUTCOMES_MAX / 4]; /* two bits each */
	uint16_t at, seen;              /* the next one's place; at most OUTCOMES_MAX */
	uint16_t bounced, complained;
};

struct outcomes_rules {
	unsigned bounces_percent;         /* 0: never */
	unsigned complaints_per_thousand; /* so many in the ring; 0: never */
	unsigned after;                   /* not before so many were seen */
};

void outcomes_add(struct outcomes *o, enum outcome what);
/* One of those that were delivered was not wanted. */
void outcomes_complain(struct outcomes *o);

/* OUTCOME_BOUNCED or OUTCOME_COMPLAINED: of these there are too many. OUTCOME_NONE: go on. */
enum outcome outcomes_verdict(const struct outcomes *o, const struct outcomes_rules *r);

#endif
