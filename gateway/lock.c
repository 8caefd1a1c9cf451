/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gateway/lock.h"

#include <stdio.h>
#include <time.h>

bool lock_held(const struct edit_lock *l)
{
	return l->holder.session;
}

static void tell_holder(const struct edit_lock *l, struct buf *error)
{
	time_t t = (time_t)l->since_s;
	struct tm tm;
	char when[32];

	gmtime_r(&t, &tm);
	strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S UTC", &tm);
	buf_printf(error, "%s edits the config", l->holder.who);
	if (*l->holder.terminal)
		buf_printf(error, " at %s", l->holder.terminal);
	buf_printf(error, " since %s; an administrator can break the lock\n", when);
}

static void give(struct edit_lock *l, const struct peer *peer, int64_t now_s)
{
	l->holder = *peer;
	l->since_s = now_s;
}

bool lock_take(struct edit_lock *l, const struct peer *peer, int64_t now_s, struct buf *error)
{
	if (l->holder.session == peer->session)
		return true;
	if (lock_held(l)) {
		tell_holder(l, error);
		return false;
	}
	if (l->lost_by == peer->session)
		l->lost_by = 0;
	give(l, peer, now_s);
	return true;
}

void lock_break(struct edit_lock *l, const struct peer *peer, int64_t now_s)
{
	if (l->holder.session == peer->session)
		return;
	if (lock_held(l)) {
		l->lost_by = l->holder.session;
		snprintf(l->breaker, sizeof(l->breaker), "%s", peer->who);
	}
	give(l, peer, now_s);
}

bool lock_release(struct edit_lock *l, unsigned session)
{
	if (l->lost_by == session)
		l->lost_by = 0;
	if (!lock_held(l) || l->holder.session != session)
		return false;
	l->holder.session = 0;
	return true;
}

bool lock_allows(const struct edit_lock *l, const struct peer *peer, struct buf *error)
{
	if (l->lost_by == peer->session) {
		buf_printf(error,
			   "%s broke your lock; leave the configuration and enter it again "
			   "to see what changed\n",
			   l->breaker);
		return false;
	}
	if (!lock_held(l) || l->holder.session == peer->session)
		return true;
	tell_holder(l, error);
	return false;
}
