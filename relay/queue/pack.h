/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Envelopes, packed: a hundred thousand of them wait in memory.
 *
 * What an account's messages have in common (account, user, client, HELO name, From, pool,
 * tracking, signing) is a profile, kept once for all that share it. What is a message's own
 * (sender, subject, Message-ID, ENVID, recipients) is a tail of bytes beside it. The recipients'
 * states, attempts and replies are not here: the mail has those.
 */
#ifndef GATEPOST_RELAY_QUEUE_PACK_H
#define GATEPOST_RELAY_QUEUE_PACK_H

#include "lib/buf.h"
#include "relay/spool/envelope.h"

#include <stddef.h>

struct profile;

/* The profile of e, to be released; appends the tail. */
struct profile *pack_envelope(struct envelope *e, struct buf *tail);
void profile_release(struct profile *p);
/* How many there are. */
size_t profile_count(void);

/* The envelope again, with these numbers; the caller frees it. NULL: reason says what changed in
 * memory. */
struct envelope *pack_open(const struct profile *p, const char *tail, size_t recipients,
			   const char **reason);

#endif
