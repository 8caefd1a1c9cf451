/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/deliver/outcomes.h"

static enum outcome get(const struct outcomes *o, unsigned i)
{
	return (o->ring[i / 4] >> (i % 4 * 2)) & 3;
}

static void set(struct outcomes *o, unsigned i, enum outcome what)
{
	unsigned shift = i % 4 * 2;

	o->ring[i / 4] = (uint8_t)((o->ring[i / 4] & ~(3u << shift)) | ((unsigned)what << shift));
}

static void count(struct outcomes *o, enum outcome what, int n)
{
	if (what == OUTCOME_BOUNCED)
		o->bounced = (uint16_t)(o->bounced + n);
	else if (what == OUTCOME_COMPLAINED)
		o->complained = (uint16_t)(o->complained + n);
}

void outcomes_add(struct outcomes *o, enum outcome what)
{
	if (o->seen == OUTCOMES_MAX)
		count(o, get(o, o->at), -1);
	else
		o->seen++;
	set(o, o->at, what);
	count(o, what, 1);
	o->at = (uint16_t)((o->at + 1) % OUTCOMES_MAX);
}

void outcomes_complain(struct outcomes *o)
{
	/* The latest is as good as any: it stays in the ring for the longest. */
	for (unsigned i = 1; i <= o->seen; i++) {
		unsigned k = (o->at + OUTCOMES_MAX - i) % OUTCOMES_MAX;

		if (get(o, k) != OUTCOME_DELIVERED)
			continue;
		set(o, k, OUTCOME_COMPLAINED);
		o->complained++;
		return;
	}
	outcomes_add(o, OUTCOME_COMPLAINED);
}

enum outcome outcomes_verdict(const struct outcomes *o, const struct outcomes_rules *r)
{
	if (!o->seen || o->seen < r->after)
		return OUTCOME_NONE;
	if (r->bounces_percent && o->bounced * 100u >= o->seen * r->bounces_percent)
		return OUTCOME_BOUNCED;
	if (r->complaints_per_thousand && o->complained >= r->complaints_per_thousand)
		return OUTCOME_COMPLAINED;
	return OUTCOME_NONE;
}
