/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What accepting a message has to know of its header (RFC 5322): who it says it is from, how many
 * relays it has passed, its subject and Message-ID for the log, its campaign and tags.
 *
 * The From field decides whose mail it is, so nothing about it may be open to two readings: exactly
 * one field, in it exactly one address, no group, no encoded-word inside the address, and no line
 * in the header that is no field.
 */
#ifndef GATEPOST_RELAY_SMTP_HEADER_H
#define GATEPOST_RELAY_SMTP_HEADER_H

#include "relay/smtp/mailbox.h"

#include <stdbool.h>
#include <stddef.h>

enum header_limit {
	HEADER_HOPS_MAX = 50, /* Received fields: more than that is a loop (RFC 5321 §6.3) */
	HEADER_TEXT_MAX = 400,
	HEADER_LABEL_MAX = 500, /* bytes */
};

struct header {
	struct mailbox from;
	unsigned hops;
	char subject[ENVELOPE_SUBJECT_MAX + 1];       /* decoded, printable UTF-8; "" for none */
	char message_id[ENVELOPE_MESSAGE_ID_MAX + 1]; /* printable; "" for none */
	/* X-Gatepost-Campaign and X-Gatepost-Tags, decoded; of tags all fields, commas between */
	char campaign[HEADER_LABEL_MAX + 1], tags[HEADER_LABEL_MAX + 1];

	const char *status; /* NULL, or "550 5.7.1" and the like, and why: */
	char text[HEADER_TEXT_MAX];
};

/* bytes[n]: the header's lines, each with its CR LF, without the empty one. */
void header_read(const char *bytes, size_t n, struct header *out);

/* The one address in a From field's value, folded or not; else false with *reason. */
bool header_from(const char *value, size_t n, struct mailbox *out, const char **reason);

/*
 * A field's value as people read it: unfolded, encoded-words (RFC 2047) decoded, what is not
 * printable replaced. Cut between characters to fit cap, NUL included.
 */
void header_decode(const char *value, size_t n, char *out, size_t cap);

#endif
