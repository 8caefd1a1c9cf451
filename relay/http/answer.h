/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An HTTP/1.1 response as a client reads it (RFC 9112), out of whatever a server sends. Pure.
 *
 * The body ends where Content-Length, the last chunk or the connection's end says (§6.3). Head and
 * body are bounded; a response that says two things about its length is refused.
 */
#ifndef GATEPOST_RELAY_HTTP_ANSWER_H
#define GATEPOST_RELAY_HTTP_ANSWER_H

#include "lib/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum answer_limit {
	ANSWER_HEAD_MAX = 16 * 1024, /* bytes of status line and fields, interim ones included */
	ANSWER_TYPE_MAX = 128,
};

enum answer_status { ANSWER_MORE, ANSWER_DONE, ANSWER_BAD };

struct answer {
	int status;                 /* 200 */
	char type[ANSWER_TYPE_MAX]; /* Content-Type without parameters, lower case; "" for none */
	struct buf body;
	const char *error; /* for ANSWER_BAD */
	/* inside */
	size_t body_max, head_bytes;
	struct buf line;
	uint64_t left; /* of the body, or of a chunk */
	int state;
	bool chunked, sized;
};

/* body_max: bytes; a larger body is refused. */
void answer_init(struct answer *a, size_t body_max);
/* After ANSWER_DONE or ANSWER_BAD nothing more may be fed. */
enum answer_status answer_feed(struct answer *a, const char *bytes, size_t n);
/* The server has closed the connection. */
enum answer_status answer_end(struct answer *a);
void answer_free(struct answer *a);

#endif
