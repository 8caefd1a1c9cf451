/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pace: how eagerly a process looks for what comes.
 *
 * A process that turns its loop thousands of times a second finds one thing a turn and pays for a
 * wake-up, a sleep and often an interrupt to the other processor each time. Let it wait a moment
 * between turns, and it finds several, and so do those that it answers (as network cards moderate
 * their interrupts). A process with little to do is not held back: it answers at once.
 */
#ifndef GATEPOST_RELAY_PACE_H
#define GATEPOST_RELAY_PACE_H

#include <ev.h>
#include <stdbool.h>

#define PACE_TURNS    64     /* that are looked at together */
#define PACE_BUSY     800.   /* turns a second */
#define PACE_CALM     200.   /* the same, of a process that waits between them already */
#define PACE_WAIT_S   0.001  /* between two turns, at most */
#define PACE_SLICE_NS 200000 /* of the processor, at a time */

struct pace {
	unsigned turns;
	bool waits;
	ev_tstamp since;
};

/* Another turn, at that time. True when `waits` has changed. */
bool pace_turn(struct pace *p, ev_tstamp now);

/* Has the loop keep pace from now on, and asks the kernel for short turns. One loop a process. */
void pace_keep(struct ev_loop *loop);

#endif
