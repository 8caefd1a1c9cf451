/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One HTTP/1.1 request to a server elsewhere, and its response.
 *
 * Nothing blocks; time, head and body are bounded; redirects are not followed, and nothing is kept
 * between two requests. Over TLS the server's certificate has to hold for the host's name.
 */
#ifndef GATEPOST_RELAY_HTTP_CLIENT_H
#define GATEPOST_RELAY_HTTP_CLIENT_H

#include "lib/addr.h"
#include "lib/tls.h"

#include <ev.h>
#include <stddef.h>
#include <stdint.h>

enum http_client_limit { HTTP_ADDRS_MAX = 8 };

/* All is copied but tls, which has to last until the response. */
struct http_request {
	const char *method; /* "GET" */
	const char *host;   /* in Host, in SNI, in the certificate */
	uint16_t port;
	const char *path;         /* "/.well-known/mta-sts.txt" */
	const struct addr *addrs; /* of the host, tried in turn; at most HTTP_ADDRS_MAX */
	size_t addr_count;
	struct tls_client *tls; /* verifying; NULL: plain HTTP */
	const char *type;       /* of the body; NULL: no body */
	const void *body;
	size_t body_len;
	size_t reply_max; /* bytes of the response's body */
	double timeout_s; /* for all of it, every address */
};

struct http_reply {
	const char *error; /* why there is none; NULL when there is one */
	int status;
	const char *type; /* without parameters, lower case */
	const char *body; /* NUL-terminated beyond len */
	size_t len;
};

typedef void http_reply_fn(const struct http_reply *r, void *arg);

struct http_client;

/* fn is called exactly once, never before this returns, unless cancelled; what it is given lasts as
 * long as the call. */
struct http_client *http_client_open(struct ev_loop *loop, const struct http_request *r,
				     http_reply_fn *fn, void *arg);
void http_client_cancel(struct http_client *c);

#endif
