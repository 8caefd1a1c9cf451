/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is wrong at this moment, each with what to do: one table of kinds, one list of alarms.
 *
 * An alarm is of a kind and about a subject (a service, a file system); it stands until what it
 * says is over. Some are raised when something happens (forwarding closed, the kernel's state
 * changed by somebody else), some are found by looking once a minute (disk, services, certificate,
 * clock, gateway), and the relay's own are asked of it once a minute. Who logs in sees the list;
 * each that comes or goes stands in the log, and with it at the syslog receivers, and is told to
 * whom `system alarms` names, some seconds later, so that what comes together is told together.
 */
#ifndef GATEPOST_GATEWAY_ALARM_H
#define GATEPOST_GATEWAY_ALARM_H

#include "gateway/commit.h"

#include <ev.h>
#include <jansson.h>

enum alarm_kind {
	ALARM_CLOSED,
	ALARM_UNCONFIRMED,
	ALARM_DRIFT,
	ALARM_CHANGED,
	ALARM_SERVICE,
	ALARM_DISK,
	ALARM_CERTIFICATE,
	ALARM_CLOCK,
	ALARM_GATEWAY,
	ALARM_SLOT,
	ALARM_RELAY, /* its own name and advice come from the relay */
	ALARM_KINDS,
};

/* What the looking looks at; borrowed, each may be NULL: not looked at. */
struct alarm_places {
	const char *services;      /* runit's folder */
	const char *disks[4];      /* folders, one a file system; up to the first NULL */
	const char *clock;         /* "" where the clock is this machine's to set */
	const char *slot_fallback; /* there when the boot fell back to the other slot */
};

struct alarms;

struct alarms *alarms_open(struct ev_loop *loop, struct commit *commit,
			   const struct alarm_places *places);
void alarms_close(struct alarms *a);

/* Raises one, or ends it. says: a line or more, for people. */
void alarms_set(struct alarms *a, enum alarm_kind kind, const char *subject, bool on,
		const char *says);
/* What is known without looking is looked at now: closed, not confirmed. Call after a commit. */
void alarms_refresh(struct alarms *a);

/* The oldest first: {alarm, subject, says, mend, since}. */
json_t *alarms_rows(struct alarms *a);

#endif
