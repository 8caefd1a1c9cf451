/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the control socket can be asked, one table. A request is {"verb":NAME, ...}; an answer is
 * {"ok":true, ...} or {"ok":false,"error":"one line for each fault"}; "usage" stands beside "error"
 * when the request itself makes no sense.
 *
 *	status                                 host, user, admin, revision, closed, waiting,
 *	                                       lock {user, terminal, since, yours}, tidy: nothing
 *	                                       of the last commit is left to do
 *	config    [form] [revision] [path]     text; form: text (default), set, json
 *	check     text                         would it commit?
 *	commit    text [comment] [confirm] [base]      revision, notes
 *	confirm                                keeps the commit that waits
 *	back                                   undoes it now
 *	lock                                   the edit lock for this connection (lock.h)
 *	unlock                                 gives it back
 *	break                                  takes it from whoever holds it
 *	revisions                              rows
 *	show      what [server] [limit]        rows
 *	offers    path [partial]               rows: what the config has behind those words
 *	                                       (offer.h)
 *	test-policy from to protocol [port] [text]   rows: which line decides (explain.h)
 *	hash      password                     hash: what `system user NAME password` takes
 *	certificate name key                   notes; key: PEM, the chain's and the key's
 *	lan-port  [address] [dhcp]             address, dhcp: what holds now (lanport_set.h)
 *	ran       command                      for the audit log (audit.h)
 *	relay     request                      handed on to the relay, its answer as it is
 *	ping, traceroute, capture (tool.h)     {"output":...} lines, then {"ok":...,"status":...}
 *
 * Readers may ask what changes nothing, and see no secrets; the rest is for administrators.
 */
#ifndef GATEPOST_GATEWAY_VERBS_H
#define GATEPOST_GATEWAY_VERBS_H

#include "gateway/alarm.h"
#include "gateway/announce.h"
#include "gateway/audit.h"
#include "gateway/commit.h"
#include "gateway/drift.h"
#include "gateway/lock.h"

#include <jansson.h>
#include <stdbool.h>

/* What the verbs work on; borrowed. */
struct gate {
	struct model *model;
	struct confstore *store;
	struct apply *apply;
	struct commit *commit;
	const char *services;     /* runit's folder */
	bool lab;                 /* the model knows settings for test benches */
	const char *release;      /* NAME=VALUE lines about the image */
	const char *certificates; /* the folder that pasted ones are kept in */
	const char *lanport;      /* the LAN port's settings (lib/lanport.h) */
	struct announcer *announcer;
	struct audit *audit;
	struct alarms *alarms;
	struct drift *drift;
	struct edit_lock lock;
};

struct verb {
	const char *name;
	bool admin; /* only for them */
	/* A new reference. NULL for the verbs that the control socket itself sees to. */
	json_t *(*answer)(struct gate *g, const struct peer *peer, const json_t *request);
};

/* NULL when there is none of this name. */
const struct verb *verb_find(const char *name);

/* Into the audit log: what was asked for and what came of it (answer may be NULL). */
void verb_note(struct gate *g, const struct peer *peer, const json_t *request,
	       const json_t *answer);

json_t *verb_failure(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
