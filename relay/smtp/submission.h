/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A message that was handed to the spool and waits for its answer. Its client may be gone by then:
 * the message is kept all the same, and the log says what became of it.
 */
#ifndef GATEPOST_RELAY_SMTP_SUBMISSION_H
#define GATEPOST_RELAY_SMTP_SUBMISSION_H

#include "relay/smtp/acceptor.h"
#include "relay/smtp/body.h"

struct submission;

/*
 * Takes envelope and body over; charged: in whose name the body's bytes are held. NULL when it
 * could not be sent: the spool is away, or the body was not stored.
 */
struct submission *submission_send(struct acceptor *a, struct connection *c, struct envelope *e,
				   struct body *body, const char *charged, const char *tls);
/* The client went away. */
void submission_forget_client(struct submission *s);
/* MSG_SUBMITTED. */
void submission_answered(struct acceptor *a, const struct message *m);
/* The spool is gone: every one is answered with "later". */
void submission_fail_all(struct acceptor *a);

#endif
