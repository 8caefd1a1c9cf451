/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One SMTP session with one address of one host (RFC 5321), as its client.
 *
 * It connects, greets, starts TLS where that is offered (RFC 3207) or from the first byte, makes
 * sure that the TLS is what is demanded (tlspolicy.h), logs in where it is told to (RFC 4954, never
 * in the clear), and then carries one mail after the other until it is closed. A mail goes to
 * several recipients in one transaction, pipelined where the peer can (RFC 2920), and each
 * recipient gets a result of its own. Nothing blocks and every wait is bounded (RFC 5321
 * §4.5.3.2), each reply as a whole, so a peer that sends a byte a minute gains nothing.
 *
 * Calls come in this order: ready, then client_send(), done, ready, ... and at last closed, after
 * which the session is gone. A session that breaks off within a mail calls done, then closed. No
 * call comes from within client_open() or client_send().
 */
#ifndef GATEPOST_RELAY_DELIVER_CLIENT_H
#define GATEPOST_RELAY_DELIVER_CLIENT_H

#include "lib/addr.h"
#include "lib/buf.h"
#include "lib/tls.h"
#include "relay/deliver/command.h"
#include "relay/deliver/reply.h"
#include "relay/deliver/tlspolicy.h"

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum client_limit {
	CLIENT_REPLY_MAX = 1000, /* bytes of a reply that are kept */
};

struct client;

struct client_target {
	const char *host; /* for SNI */
	struct addr addr;
	uint16_t port;
	struct addr source; /* AF_UNSPEC: the kernel's choice */
	const char *helo;   /* copied, as host is */
	enum tls_need need;
	bool implicit; /* TLS from the first byte */
	/* It outlives the session. A verifying one for TLS_TRUSTED; NULL where none could be made.
	 */
	struct tls_client *tls;
	struct tlsa_set *tlsa; /* TLS_DANE: kept */
	const char
		*next_hop; /* the recipient's domain: what a certificate under DANE-TA may name */
	const char *user, *password; /* copied; NULL or "": no AUTH */
	unsigned time_percent;       /* of the RFC's time-outs; 0 stands for 100 */
};

enum client_outcome {
	CLIENT_DELIVERED,
	CLIENT_LATER,
	CLIENT_NEVER,
	/* A session that had carried others ended before the peer said anything about this one:
	 * it has not been tried. */
	CLIENT_UNTRIED,
};

struct client_result {
	enum client_outcome outcome;
	char *reply; /* "250 2.0.0 kept": what decided it; printable, one line */
	bool given;  /* inside */
};

enum client_end {
	CLIENT_END_IDLE,   /* asked to close, or the peer closed an idle session */
	CLIENT_END_BROKEN, /* after it had been ready */
	CLIENT_END_NEVER_READY,
	CLIENT_END_TLS, /* a TLS that nobody demanded failed: try again without */
};

struct client_handler {
	void (*ready)(struct client *c, void *arg);
	/* results[recipient_count], valid during the call */
	void (*done)(struct client *c, const struct client_result *results, void *arg);
	/* why: one line: "450 4.7.1 busy", or "connection refused" */
	void (*closed)(struct client *c, enum client_end end, const char *why, void *arg);
};

struct client *client_open(struct ev_loop *loop, const struct client_target *t,
			   const struct client_handler *h, void *arg);

/* Within ready() or later, while no mail is under way. m is copied; what it points to, and its
 * descriptor, stay the caller's and have to last until done(). */
void client_send(struct client *c, const struct client_mail *m);

/* Says QUIT when idle; closed() follows. */
void client_quit(struct client *c);

/* Breaks off at once, without any further call. Not from within a call. */
void client_abort(struct client *c);

/* What the peer offers; valid once ready. */
const struct reply_extensions *client_extensions(const struct client *c);

/* The address it speaks from (as the kernel chose it), and "TLSv1.2 ..." or "". */
struct addr client_source(const struct client *c);
const char *client_tls_name(const struct client *c);

#endif
