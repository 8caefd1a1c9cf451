/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A message made fit for DATA (RFC 5321 §4.5.2): dots at the beginning of lines doubled, and the
 * lone dot behind it. Pure; the message may come in pieces cut anywhere.
 *
 * Only CRLF ends a line. What is kept has no other line ends; should one turn up all the same, it
 * leaves as CRLF, so that nobody behind us can be made to see an end of data that we did not mean
 * (SMTP smuggling).
 */
#ifndef GATEPOST_RELAY_DELIVER_DOTS_H
#define GATEPOST_RELAY_DELIVER_DOTS_H

#include "lib/buf.h"

#include <stdbool.h>
#include <stddef.h>

struct dots {
	bool inside_line; /* something of the line has been seen */
	bool after_cr;    /* the last byte was a CR that has not been written yet */
};

void dots_add(struct dots *d, const char *bytes, size_t n, struct buf *out);
/* The end of the message: the last line's end if it has none, then the dot. */
void dots_end(struct dots *d, struct buf *out);

#endif
