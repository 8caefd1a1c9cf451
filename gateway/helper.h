/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A program run for the operator in the site's network (ping), its output handed over as it comes.
 *
 * It runs in gatepostd's network namespace: an SSH session on the LAN port lives in another one.
 */
#ifndef GATEPOST_GATEWAY_HELPER_H
#define GATEPOST_GATEWAY_HELPER_H

#include "lib/buf.h"

#include <ev.h>
#include <stddef.h>

struct helper;

struct helper_events {
	void (*output)(void *arg, const char *bytes, size_t len);
	/* Once, last; the helper is gone when it returns. status: the exit status, 128 + signal. */
	void (*ended)(void *arg, int status);
};

/* argv[0] is looked up in the system's folders, never in PATH. NULL with the reason in error. */
struct helper *helper_start(struct ev_loop *loop, char *const argv[],
			    const struct helper_events *events, void *arg, struct buf *error);
/* Ends it; no more events. */
void helper_cancel(struct helper *h);

#endif
