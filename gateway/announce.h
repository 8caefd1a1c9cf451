/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What everybody at the box must hear at once (a commit was undone): written to its consoles, to
 * the terminal of every session of the command line, and to the log.
 *
 * A terminal that takes nothing is passed over: nobody waits for it.
 */
#ifndef GATEPOST_GATEWAY_ANNOUNCE_H
#define GATEPOST_GATEWAY_ANNOUNCE_H

struct announcer;

/* consoles: a file with the names of the consoles in it (/sys/class/tty/console/active), or NULL.
 * It must outlive the announcer. */
struct announcer *announcer_new(const char *consoles);
void announcer_free(struct announcer *a);

/* A session's terminal ("/dev/pts/3"; "" is none) hears what is said until the session leaves. */
void announcer_join(struct announcer *a, unsigned session, const char *terminal);
void announcer_leave(struct announcer *a, unsigned session);

/* One line, without its end. A NULL announcer only logs. */
void announce(struct announcer *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* To one session alone, and not to the log. */
void announce_to(struct announcer *a, unsigned session, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
