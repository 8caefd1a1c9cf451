/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/smtp/rates.h"

#include <inttypes.h>
#include <stdio.h>

#define NS_A_SECOND ((uint64_t)1000000000)
#define NS_A_MS     ((uint64_t)1000000)

static uint64_t unit_ns(const struct config_account *a)
{
	return a->rate.unit_s * NS_A_SECOND;
}

/* Of so many recipients; at most a bucket's. */
static uint64_t cost_ns(const struct config_account *a, unsigned count)
{
	return count >= a->rate.count ? unit_ns(a) : unit_ns(a) / a->rate.count * count;
}

/* Never further ahead than one unit: what an older, slower rate left behind is forgotten. */
static uint64_t full_at_ns(struct rates *r, const struct config_account *a, uint64_t now_ns)
{
	uint64_t at = tally_of(&r->full_at_ns, a->name), furthest = now_ns + unit_ns(a);

	if (at > furthest)
		tally_set(&r->full_at_ns, a->name, at = furthest);
	return at < now_ns ? now_ns : at;
}

uint64_t rates_wait_ms(struct rates *r, const struct config_account *a, unsigned count,
		       uint64_t now_ms)
{
	uint64_t now_ns = now_ms * NS_A_MS, bound = now_ns + (a->rate.count ? unit_ns(a) : 0), at;

	if (!a->rate.count)
		return 0;
	at = full_at_ns(r, a, now_ns) + cost_ns(a, count);
	return at > bound ? (at - bound + NS_A_MS - 1) / NS_A_MS : 0;
}

void rates_take(struct rates *r, const struct config_account *a, unsigned count, uint64_t now_ms)
{
	if (a->rate.count)
		tally_set(&r->full_at_ns, a->name,
			  full_at_ns(r, a, now_ms * NS_A_MS) + cost_ns(a, count));
}

void rates_give_back(struct rates *r, const struct config_account *a, unsigned count,
		     uint64_t now_ms)
{
	uint64_t now_ns = now_ms * NS_A_MS, at, cost;

	if (!a->rate.count)
		return;
	at = full_at_ns(r, a, now_ns);
	cost = cost_ns(a, count);
	tally_set(&r->full_at_ns, a->name, at - now_ns > cost ? at - cost : 0);
}

void rates_free(struct rates *r)
{
	tally_free(&r->full_at_ns);
}

void rates_explain(const struct config_account *a, uint64_t wait_ms, char text[RATES_TEXT_MAX])
{
	uint64_t wait_s = (wait_ms + 999) / 1000;

	snprintf(text, RATES_TEXT_MAX,
		 "account %s may send to %" PRIu32 " recipient%s %s: try again in %" PRIu64
		 " second%s",
		 a->name, a->rate.count, a->rate.count == 1 ? "" : "s",
		 a->rate.unit_s == 1    ? "a second"
		 : a->rate.unit_s == 60 ? "a minute"
					: "an hour",
		 wait_s, wait_s == 1 ? "" : "s");
}
