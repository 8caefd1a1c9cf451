/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The lists (lists.h) as the role report serves them: changed by what people do and administrators
 * say, told to deliver and http before anything else is.
 *
 *	{"verb": "suppressions", "account": "acme", "address": "x@y.example", "limit": 100}
 *	{"verb": "suppress", "account": "acme", "address": "x@y.example", "reason": "by phone"}
 *	{"verb": "unsuppress", "account": "acme", "address": "x@y.example"}
 *	{"verb": "shut-list"}
 *	{"verb": "shut-off", "account": "acme" | "domain": "…" | "message": "…", "reason": "…"}
 *	{"verb": "reopen", "account": "acme" | "domain": "…" | "message": "…"}
 */
#ifndef GATEPOST_RELAY_REPORT_KEEPER_H
#define GATEPOST_RELAY_REPORT_KEEPER_H

#include "relay/process.h"
#include "relay/report/event.h"
#include "relay/report/store.h"

/* p->config says which accounts there are. */
void keeper_open(struct process *p);
void keeper_close(void);
/* The lists were lost: who unsubscribed is taken from the events, as far as those go back. */
bool keeper_has_lost(void);
void keeper_restore(struct event_store *s);

void keeper_peer_up(enum role_id peer, struct channel *c);
void keeper_peer_down(struct channel *c);

/* Somebody may have unsubscribed: it is kept when this returns. */
void keeper_event(const struct event *e);

/* False when the question is none of these; otherwise the answer, a JSON object, is appended. */
bool keeper_answer(const char *line, size_t n, struct buf *out);

#endif
