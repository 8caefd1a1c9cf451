/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the connections of the role accept share, and how they reach the other processes. accept.c
 * is the role; connection.c is one client; submission.c is one message between us and the spool.
 */
#ifndef GATEPOST_RELAY_SMTP_ACCEPTOR_H
#define GATEPOST_RELAY_SMTP_ACCEPTOR_H

#include "lib/tls.h"
#include "relay/process.h"
#include "relay/smtp/outbox.h"
#include "relay/smtp/rates.h"
#include "relay/smtp/tally.h"
#include "relay/smtp/tickets.h"
#include "relay/smtp/turns.h"

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

struct connection;

enum { STRANGER_EVENTS_MAX = 600 };

struct acceptor {
	struct ev_loop *loop;
	const struct relay_config *config;
	struct tls_server *tls;
	struct turns turns;
	struct channel *auth, *spool; /* NULL while it is away */
	struct outbox outbox;
	struct tickets logins;      /* -> struct connection */
	struct tickets submissions; /* -> struct submission */
	struct fair waiting;        /* those that the spool was not given yet */
	uint64_t asked_bytes;       /* of those that it was, without an answer */
	struct tally by_source, by_account;
	struct rates rates;
	/* Of all messages under way, and of each account's. */
	uint64_t body_bytes, body_bytes_max;
	struct tally bytes_by_account;
	/* Refusals of strangers in the log of events: so many a minute. */
	uint64_t stranger_minute;
	unsigned stranger_events;
	struct connection *first;
	unsigned connections, connections_max;
	bool stopping;
	bool draining; /* no new mail, until an administrator says so */
	/* A connection, or an answer that one waited for, is gone. */
	void (*less)(struct acceptor *a);
};

/* Bytes of a message that came in, and that went on or away. */
void acceptor_hold(struct acceptor *a, const char *account, uint64_t bytes);
void acceptor_release(struct acceptor *a, const char *account, uint64_t bytes);
/* Is there room for another message of the account? A small account finds some when a large one
 * has taken its half. */
bool acceptor_has_room(const struct acceptor *a, const char *account);

#endif
