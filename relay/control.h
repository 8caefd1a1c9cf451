/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control socket: one JSON object a line in, one a line out, answered in the order asked.
 *
 *   {"verb":"status"}               main: the processes
 *   {"verb":"listeners"}            main: the ports that were bound
 *   {"verb":"certificate"}          main: what TLS shows, and what is wrong with it
 *   {"verb":"reload"}               main: reads the config and the secrets again, as on SIGHUP
 *   {"verb":"keys"|"key-make", ...} main: signing keys (keyverbs.h)
 *   {"verb":"queue"|"show"|"retry"|"remove"|"hold"|"release"|
 *           "pause"|"resume"|"drain"|"alarms", ...}                   deliver
 *   {"verb":"log"|"statistics"|"suppressions"|"suppress"|"unsuppress"|
 *           "shut-list"|"shut-off"|"reopen", ...}                     report
 *
 * An answer holds "ok": true, or "ok": false and "error". Who may connect is decided by the
 * socket's file mode (0660) and its directory.
 */
#ifndef GATEPOST_RELAY_CONTROL_H
#define GATEPOST_RELAY_CONTROL_H

#include "relay/channel.h"
#include "relay/process.h"

#include <jansson.h>

struct control;

/* What main provides: an answer of its own, and the channel to a role (NULL while it is away). */
struct control_owner {
	json_t *(*answer)(const char *verb, const json_t *question); /* a new reference */
	struct channel *(*channel)(enum role_id role);
	/* What main has to add to a role's answer; only to "alarms". */
	void (*amend)(json_t *answer);
};

/* Binds the socket, replacing a stale one. NULL with the reason in error. */
struct control *control_open(struct ev_loop *loop, const char *path,
			     const struct control_owner *owner, struct buf *error);

/* A MSG_CONTROL_ANSWER from a role. */
void control_answered(struct control *c, const struct message *m);
/* A role went away: what it had not answered never will be. */
void control_role_lost(struct control *c, enum role_id role);

void control_close(struct control *c);

#endif
