/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All mails that the scheduler knows of, found by their number, and their accounts.
 *
 * A mail of one recipient costs about 400 bytes; nothing of its body is here.
 */
#ifndef GATEPOST_RELAY_QUEUE_MAILS_H
#define GATEPOST_RELAY_QUEUE_MAILS_H

#include "relay/queue/scheduler.h"

/* The account of that name; made when it is new, never forgotten. */
struct account *account_named(const char *name);
/* Weights as the config has them now. */
void accounts_reload(const struct relay_config *c);
struct account *account_next(const struct account *after); /* NULL: the first; NULL at the end */

/* e stays the caller's. NULL when there is one of that number. */
struct mail *mail_add(struct envelope *e, const struct place *place);
struct mail *mail_find(uint64_t id);
/* Its parcels are gone already. */
void mail_free(struct mail *m);
size_t mail_count(void);

/* Calls fn for each; fn may free that one. */
void mail_each(void (*fn)(struct mail *m, void *arg), void *arg);

/* The whole envelope, but for the recipients' states; the caller frees it. */
struct envelope *mail_envelope(const struct mail *m);

void rcpt_set_reply(struct rcpt *r, const char *reply);

/* Is each recipient to get bytes of its own? */
bool mail_is_tracked(const struct mail *m);

#endif
