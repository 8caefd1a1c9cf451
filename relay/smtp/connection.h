/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One client's connection: its socket, TLS and times around the session that speaks SMTP.
 */
#ifndef GATEPOST_RELAY_SMTP_CONNECTION_H
#define GATEPOST_RELAY_SMTP_CONNECTION_H

#include "relay/smtp/acceptor.h"

enum connection_limit {
	CONNECTION_IDLE_S = 300, /* nothing came and nothing left (RFC 5321 §4.5.3.2.7) */
	CONNECTION_HANDSHAKE_S = 60,
	CONNECTION_MESSAGE_S = 1800,       /* without a message having been kept */
	CONNECTION_ANSWER_S = 120,         /* for auth or spool */
	CONNECTION_LINGER_S = 2,           /* for the client to read the last reply */
	CONNECTION_OUTPUT_MAX = 64 * 1024, /* bytes unsent, before nothing more is read */
};

/* Takes the socket over. */
void connection_open(struct acceptor *a, int fd, const struct addr *client,
		     enum listener_kind kind);
void connection_authenticated(struct connection *c, const struct auth_answer *answer);
void connection_submitted(struct connection *c, enum submit_status status, uint64_t message);

/* A connection's turn has come: what turns_open() is given. */
void connection_serve(struct fair_item *turn);

/* For every one of the acceptor's. */
void connection_reload_all(struct acceptor *a);
/* Idle ones end, the others end after the message that is under way. */
void connection_drain_all(struct acceptor *a);

/* The source that a client counts for: its address, or its IPv6 /64. */
const char *connection_source(const struct addr *client, char out[ADDR_STR_MAX]);

#endif
