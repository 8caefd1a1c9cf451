/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One HTTP connection's life; the server's own, nobody else includes this.
 */
#ifndef GATEPOST_RELAY_HTTP_CONNECTION_H
#define GATEPOST_RELAY_HTTP_CONNECTION_H

#include "relay/http/server.h"

enum http_phase {
	PHASE_HANDSHAKE, /* TLS */
	PHASE_IDLE,      /* between two requests */
	PHASE_HEAD,      /* from the start, or the first byte of another request */
	PHASE_BODY,
	PHASE_ANSWER, /* the handler has the request */
	PHASE_SEND,   /* more output waits than a client may leave waiting, or it is the last */
	PHASE_LINGER, /* all is sent; what still comes is read away, so that no reset overtakes it
		       */
	PHASE_COUNT,
};

struct http_connection {
	struct http_server *server;
	struct stream *stream;
	ev_io io;
	int events; /* what io waits for */
	enum http_phase phase;
	uint64_t since_ms;                     /* it is in that phase; the steady clock */
	struct http_connection *older, *newer; /* of the same phase */
	struct addr peer;
	struct http_parser parser;
	struct buf in, out;
	size_t sent;      /* of out */
	size_t discarded; /* in PHASE_LINGER */
	int minor;        /* of the request that is being answered */
	bool head;        /* it is a HEAD */
	bool keep_alive;
	bool continued; /* "100 Continue" went out for this request */
	bool readable;  /* the socket may hold bytes */
	bool ended;     /* the peer sends no more */
	bool running;   /* http_connection_run() is on the stack */
	bool dead;
	void *data;
};

struct http_line {
	struct http_connection *oldest, *newest;
};

struct http_source;

enum { HTTP_SOURCE_BUCKETS = 1024 };

struct http_server {
	struct ev_loop *loop;
	const struct http_handler *handler;
	void *arg;
	struct tls_server *tls;
	struct http_listener *listeners;
	struct http_line lines[PHASE_COUNT];
	struct http_source *sources[HTTP_SOURCE_BUCKETS];
	size_t places, connections;
	bool stopping;
	ev_timer sweep;
	time_t date_time;
	char date[HTTP_DATE_MAX];
};

/* Takes the stream over. */
void http_connection_start(struct http_server *s, struct stream *stream, const struct addr *peer,
			   bool handshake);
uint64_t http_phase_limit_ms(enum http_phase phase);
/* Does what can be done without waiting; frees the connection when it is over. */
void http_connection_run(struct http_connection *c);
/* Its phase's time is up. */
void http_connection_expire(struct http_connection *c);
void http_connection_close(struct http_connection *c);

/* server.c: one connection more, or less, from there. */
void http_source_enter(struct http_server *s, const struct addr *peer);
void http_source_leave(struct http_server *s, const struct addr *peer);
/* server.c: a place has become free. */
void http_server_has_place(struct http_server *s);

#endif
