/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/pace.h"

#include <linux/sched/types.h>
#include <sys/syscall.h>
#include <unistd.h>

bool pace_turn(struct pace *p, ev_tstamp now)
{
	if (++p->turns < PACE_TURNS)
		return false;
	double rate = now > p->since ? p->turns / (now - p->since) : PACE_BUSY + 1;
	bool waits = p->waits ? rate > PACE_CALM : rate > PACE_BUSY;
	bool changed = waits != p->waits;

	*p = (struct pace){.waits = waits, .since = now};
	return changed;
}

static void on_turn(struct ev_loop *loop, ev_check *w, int events)
{
	struct pace *p = w->data;

	(void)events;
	if (pace_turn(p, ev_now(loop)))
		ev_set_io_collect_interval(loop, p->waits ? PACE_WAIT_S : 0.);
}

/* Who asks for short turns is let in before those that compute (Linux 6.12 and later; before, the
 * number means nothing, and who sleeps is let in early anyway). */
static void ask_for_short_turns(void)
{
	const struct sched_attr attr = {.size = sizeof(attr), .sched_runtime = PACE_SLICE_NS};

	syscall(SYS_sched_setattr, 0, &attr, 0);
}

void pace_keep(struct ev_loop *loop)
{
	static struct pace pace;
	static ev_check turn;

	ask_for_short_turns();
	pace.since = ev_now(loop);
	ev_check_init(&turn, on_turn);
	turn.data = &pace;
	ev_check_start(loop, &turn);
	ev_unref(loop);
}
