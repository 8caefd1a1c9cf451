/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The family: main's children, one for each role (work: several), started, wired to each other,
 * restarted when they die, and ended in an order that loses nothing.
 */
#ifndef GATEPOST_RELAY_FAMILY_H
#define GATEPOST_RELAY_FAMILY_H

#include "relay/channel.h"
#include "relay/process.h"

#include <jansson.h>

struct family;

struct family_owner {
	/* Where the role's process begins, and what becomes its root. */
	const char *(*directory)(enum role_id role);
	/* A child is up: give it its config (a memfd) and then its listeners. */
	void (*started)(enum role_id role, struct channel *c);
	void (*lost)(enum role_id role);
	void (*message)(enum role_id role, struct message *m);
	void (*all_ready)(void);
	void (*ended)(void); /* after family_stop() */
};

/* work_count: how many work processes, 1 to CONFIG_WORKERS_MAX. */
struct family *family_start(struct ev_loop *loop, unsigned work_count,
			    const struct family_owner *owner);
/* More of them, or fewer: what one that goes had in hand goes to others. */
void family_resize(struct family *f, unsigned work_count);

/* Ends accept, auth and http first, then deliver, work, and last spool and report; each may take
 * STOP_BOUND_S. */
void family_stop(struct family *f);

/* NULL while the role is away; the first of several. */
struct channel *family_channel(struct family *f, enum role_id role);
/* Calls fn for every child that is up. */
void family_each(struct family *f, void (*fn)(enum role_id role, struct channel *c));
/* [{"role":..., "index":..., "pid":..., "restarts":..., "ready":...}] */
json_t *family_status(const struct family *f);

#endif
