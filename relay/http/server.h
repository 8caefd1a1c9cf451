/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The HTTP server: connections in, requests to a handler, responses out.
 *
 * Every connection is in one phase (handshake, idle, head, body, answer, send, linger), and every
 * phase has its bound in seconds, counted from when the phase began and not from the last byte: a
 * client that sends one byte now and then gains nothing by it. Connections of one phase stand in
 * line by age, so one timer finds those that are due without looking at the others.
 *
 * Places are bounded, all together and for one source (an IPv4 address, an IPv6 /64). When all are
 * taken, a newcomer gets the place of whoever has been idle or dawdling longest; when a source has
 * its share, of one of its own.
 *
 * Pipelined requests are taken one after the other: the next one is looked at when the last one
 * was answered.
 */
#ifndef GATEPOST_RELAY_HTTP_SERVER_H
#define GATEPOST_RELAY_HTTP_SERVER_H

#include "lib/addr.h"
#include "lib/tls.h"
#include "relay/http/request.h"
#include "relay/http/response.h"

#include <ev.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_server;
struct http_connection;

struct http_handler {
	/* A whole request, to be answered by http_answer() now or later. r and its slices are
	 * valid until this returns. */
	void (*request)(struct http_connection *c, const struct http_request *r, void *arg);
	/* The connection went away before its answer came; forget it. */
	void (*gone)(struct http_connection *c, void *arg);
};

/* places: connections at one time; a quarter of them may come from one source. */
struct http_server *http_server_new(struct ev_loop *loop, size_t places,
				    const struct http_handler *handler, void *arg);
void http_server_free(struct http_server *s);

/* Takes over a listening, non-blocking socket. tls: from the first byte; connections are turned
 * away as long as there is no certificate. */
void http_server_listen(struct http_server *s, int fd, bool tls);
/* Whether its connections speak TLS; holds for new ones. */
void http_server_set_listener_tls(struct http_server *s, int fd, bool tls);
/* Closes the listening socket fd. */
void http_server_unlisten(struct http_server *s, int fd);
/* For new connections; takes t over. NULL for none. */
void http_server_set_tls(struct http_server *s, struct tls_server *t);

/* Accepts no more, closes what is idle, answers what is under way with Connection: close. */
void http_server_stop(struct http_server *s);
size_t http_server_connections(const struct http_server *s);

void http_answer(struct http_connection *c, const struct http_response *r);

const struct addr *http_connection_peer(const struct http_connection *c);
/* For the handler's use; NULL before each request. */
void http_connection_set_data(struct http_connection *c, void *data);
void *http_connection_data(const struct http_connection *c);

#endif
