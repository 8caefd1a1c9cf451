/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A connection to an SMTP server: bytes out, replies in, TLS in between, and a wait that ends.
 *
 * What a reply means is its owner's business (client.h). Calls come from the event loop only,
 * never from within one of the functions here; broken() is the last one, comes once, and the owner
 * then calls peer_close().
 */
#ifndef GATEPOST_RELAY_DELIVER_PEER_H
#define GATEPOST_RELAY_DELIVER_PEER_H

#include "lib/addr.h"
#include "lib/buf.h"
#include "lib/tls.h"
#include "relay/deliver/reply.h"

#include <ev.h>
#include <stdbool.h>
#include <stdint.h>

#define PEER_WHY_MAX 1024 /* bytes of a reason, NUL included */

struct peer;

struct peer_handler {
	void (*connected)(void *arg);
	void (*secured)(void *arg); /* the TLS handshake is done */
	void (*reply)(const struct reply *r, void *arg);
	/* There is room in the output. False when what should follow cannot be had. */
	bool (*hungry)(struct buf *out, void *arg);
	void (*overdue)(void *arg);
	void (*broken)(const char *why, void *arg);
};

struct peer *peer_open(struct ev_loop *loop, const struct addr *to, uint16_t port,
		       const struct addr *source, const struct peer_handler *h, void *arg);
void peer_close(struct peer *p);

/* Appends a line; its CRLF is added. It leaves in this turn of the loop. */
void peer_say(struct peer *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* For whole lines, or a body. After appending call peer_wake(). */
struct buf *peer_out(struct peer *p);
void peer_wake(struct peer *p);

/* From here on TLS; what the peer said already is a fault. */
void peer_start_tls(struct peer *p, struct tls_client *t, const char *host);

/* overdue() in so many seconds; with each_write, counted anew from each byte that is taken. */
void peer_wait(struct peer *p, double seconds, bool each_write);

/* Ends it: broken() follows with that reason. No reply comes any more. */
void peer_break(struct peer *p, const char *why);

bool peer_is_tls(const struct peer *p);
const char *peer_tls_name(const struct peer *p);
/* As in lib/tls.h, of what the peer showed in the handshake. */
bool peer_is_trusted(const struct peer *p, struct buf *why);
const struct mbedtls_x509_crt *peer_chain(const struct peer *p);
struct addr peer_source(const struct peer *p);

#endif
