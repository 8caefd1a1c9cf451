/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/deliver/limits.h"

#include <string.h>

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

void limits_init(struct limits *l, const struct limits_rules *r)
{
	*l = (struct limits){.window = least(LIMITS_FIRST, r->connections)};
}

void limits_changed(struct limits *l, const struct limits_rules *r)
{
	l->window = least(l->window, r->connections);
	l->next_us = 0;
}

enum limits_trouble limits_of_reply(const char *reply)
{
	if (strncmp(reply, "421", 3) == 0)
		return LIMITS_BUSY;
	if (reply[0] == '4' && strspn(reply, "0123456789") == 3 &&
	    strncmp(reply + 3, " 4.7.", 5) == 0)
		return LIMITS_REFUSED;
	return LIMITS_NO_TROUBLE;
}

void limits_delivered(struct limits *l, const struct limits_rules *r)
{
	l->refusals = 0;
	l->back_offs = 0;
	if (++l->smooth < l->window)
		return;
	l->smooth = 0;
	if (l->window < r->connections)
		l->window++;
}

static void back_off(struct limits *l, const struct limits_rules *r, uint64_t now_ms,
		     uint32_t random)
{
	uint64_t wait_ms = r->back_off_first_ms;

	for (unsigned i = 0; i < l->back_offs && wait_ms < r->back_off_longest_ms; i++)
		wait_ms *= 2;
	if (wait_ms > r->back_off_longest_ms)
		wait_ms = r->back_off_longest_ms;
	/* 80 to 120 %: what was told to wait together does not come back together. */
	l->back_off_end_ms = now_ms + wait_ms * 4 / 5 + wait_ms * 2 / 5 * random / UINT32_MAX;
	l->back_offs++;
	l->refusals = 0;
}

bool limits_troubled(struct limits *l, const struct limits_rules *r, enum limits_trouble t,
		     unsigned sessions, uint64_t now_ms, uint32_t random)
{
	if (t == LIMITS_NO_TROUBLE)
		return false;
	l->smooth = 0;
	/* One wave of replies is one piece of trouble. */
	if (limits_backs_off(l, now_ms))
		return false;
	if (t == LIMITS_REFUSED && ++l->refusals < LIMITS_REFUSALS)
		return false;
	l->window = l->window > 2 ? l->window / 2 : 1;
	if (t == LIMITS_BUSY && sessions && sessions < l->window)
		l->window = sessions;
	if (t == LIMITS_UNREACHABLE && sessions)
		return false;
	back_off(l, r, now_ms, random);
	return true;
}

void limits_forgive(struct limits *l)
{
	l->refusals = 0;
	l->back_offs = 0;
	l->back_off_end_ms = 0;
}

bool limits_backs_off(const struct limits *l, uint64_t now_ms)
{
	return now_ms < l->back_off_end_ms;
}

bool limits_shut(const struct limits *l, uint64_t now_ms)
{
	return l->back_offs >= LIMITS_SHUT_AFTER && limits_backs_off(l, now_ms);
}

bool limits_may_open(const struct limits *l, unsigned sessions, uint64_t now_ms)
{
	/* After a back-off one session tries, before others follow. */
	unsigned may = l->back_offs ? 1 : l->window;

	return sessions < may && !limits_backs_off(l, now_ms);
}

bool limits_take(struct limits *l, const struct limits_rules *r, uint64_t now_ms, uint64_t *wait_ms)
{
	uint64_t now_us = now_ms * 1000, second_us = 1000000;

	if (!r->rate_count)
		return true;
	uint64_t each_us = (uint64_t)r->rate_per_s * second_us / r->rate_count;
	if (l->next_us < now_us)
		l->next_us = now_us;
	if (l->next_us > now_us && l->next_us + each_us > now_us + second_us) {
		/* Until then a whole second's worth, or the one message, is due again. */
		uint64_t room_us = second_us > each_us ? second_us - each_us : 0;

		*wait_ms = (l->next_us - room_us - now_us) / 1000 + 1;
		return false;
	}
	l->next_us += each_us;
	return true;
}

bool limits_blank(const struct limits *l, uint64_t now_ms)
{
	return !limits_backs_off(l, now_ms) && !l->back_offs && l->next_us <= now_ms * 1000;
}
