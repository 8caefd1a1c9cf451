/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A message's bytes on their way in: gathered in memory, then in a memfd that travels to the spool.
 * A small one stays in memory and travels as bytes: a file of its own costs more than copying it.
 * What cannot be stored is noticed at the end.
 */
#ifndef GATEPOST_RELAY_SMTP_BODY_H
#define GATEPOST_RELAY_SMTP_BODY_H

#include "lib/buf.h"

#include <stdint.h>

#define BODY_SMALL_MAX ((size_t)32 * 1024) /* bytes */

struct body {
	struct buf pending;
	int fd;        /* -1: none yet */
	int error;     /* errno; 0: none */
	uint64_t size; /* bytes kept so far */
};

#define BODY_INIT ((struct body){.fd = -1})

void body_append(struct body *b, const char *bytes, size_t n);
/* All of it while it is small, still b's; NULL when it is not, or could not be stored. */
const struct buf *body_small(const struct body *b);
/* The descriptor with all of it, the caller's; -1 with errno set when it could not be stored. b is
 * empty afterwards. */
int body_finish(struct body *b);
/* There is no room for it: what came is let go, what comes is not kept, body_finish() fails. */
void body_fail(struct body *b);
void body_clear(struct body *b);

#endif
