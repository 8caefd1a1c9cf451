/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sessions: from the wish for one, over the mail hosts tried in turn, to the mails carried.
 */
#ifndef GATEPOST_RELAY_QUEUE_SESSION_H
#define GATEPOST_RELAY_QUEUE_SESSION_H

#include "relay/queue/scheduler.h"

/* Takes over the slot that account holds. */
void session_open(struct destination *d, uint32_t account);
/* Carries a PREPARED parcel that was taken from its queue; the session is idle. */
void session_send(struct session *s, struct parcel *p);
/* Says QUIT; the session is idle. */
void session_let_go(struct session *s);
/* Breaks off, at once; a parcel under way is put back. For a change of resolvers, or the end. */
void session_abort(struct session *s);

/* Where all peers are spoken to: 25, or a lab's. */
uint16_t session_peer_port(void);

bool session_is_opening(const struct session *s);

#endif
