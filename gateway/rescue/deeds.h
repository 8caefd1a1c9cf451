/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What can be done for the box without gatepostd: on the store, the logs and the services alone,
 * with no model, no kernel tables, nothing that may be the very thing that keeps gatepostd down.
 *
 *	status, revisions, config [revision], check, commit text [comment]     as gateway/verbs.h
 *	show      what: services, version, boot, alarms      rows
 *	log       service [limit]              text: the last lines that it wrote
 *	restart   service                      runit ends it and starts it anew
 *	factory-reset                          at the next boot, which is now: /config is emptied
 *	reboot, poweroff
 *
 * Every answer has "offline" while gatepostd is down. The store is gatepostd's while it runs:
 * status, config, revisions, check and commit are then refused. A commit is stored and gatepostd
 * started anew with it; whoever sent it has had the model check it.
 */
#ifndef GATEPOST_GATEWAY_RESCUE_DEEDS_H
#define GATEPOST_GATEWAY_RESCUE_DEEDS_H

#include "gateway/peer.h"

#include <jansson.h>

struct rescue {
	const char *store, *config; /* DIR, and DIR/gatepost.conf or another file */
	const char *control;        /* where gatepostd answers when it runs */
	const char *services;       /* runit's folder */
	const char *logs;           /* DIR/SERVICE/current, as svlogd writes it */
	const char *release;        /* NAME=VALUE lines about the image */
	const char *disks;          /* what became of each at boot */
	const char *power;          /* the folder of the programs reboot and poweroff */
};

/* Never NULL; a new reference. */
json_t *rescue_answer(const struct rescue *r, const struct peer *peer, const json_t *request);

#endif
