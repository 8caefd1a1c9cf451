/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether the kernel still holds what was put in force, without asking it again and again.
 *
 * The kernel tells: nf_tables, links, addresses and routes by netlink notification, sysctls by
 * inotify. What was told is not trusted to be the difference; it is the reason to read back and
 * compare, as after a commit. Proxy neighbours are the exception: the kernel tells nobody about
 * them, so they are compared whenever something else about the network was told.
 *
 * A difference is mended by applying what is in force again. Where somebody undoes that again and
 * again, DRIFT_MENDS_MAX times in a minute, mending stops for a minute, and it is said. What cannot
 * be mended (a device is gone) is tried again when the kernel tells something, and by and by.
 */
#ifndef GATEPOST_GATEWAY_DRIFT_H
#define GATEPOST_GATEWAY_DRIFT_H

#include "gateway/apply.h"

#include <ev.h>

enum { DRIFT_MENDS_MAX = 5 };

struct drift;

/* What was found: the differences, a line each, and whether they are mended. "" and true: all is
 * as it should be again, after a time when it was not. */
typedef void (*drift_found)(void *arg, const char *differences, bool mended);

/* NULL with the reason in error. The calling thread's network namespace is the one watched. */
struct drift *drift_open(struct ev_loop *loop, struct apply *a, drift_found found, void *arg,
			 struct buf *error);
void drift_close(struct drift *d);
/* A commit was made: watches what it set. */
void drift_committed(struct drift *d);

#endif
