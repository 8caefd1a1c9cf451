/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One mail transaction: what MAIL, RCPT and the data said, put together as the envelope that the
 * spool will keep. Pure.
 *
 * Everything that decides how the message leaves is pinned here as the account stands now (DESIGN
 * §7.5). Who it belongs to is decided twice: at MAIL by the envelope sender, and at the end by the
 * header's From as well, which may choose another of the client's accounts.
 */
#ifndef GATEPOST_RELAY_SMTP_TRANSACTION_H
#define GATEPOST_RELAY_SMTP_TRANSACTION_H

#include "relay/config.h"
#include "relay/smtp/command.h"
#include "relay/smtp/data.h"
#include "relay/smtp/header.h"
#include "relay/smtp/identify.h"
#include "relay/spool/envelope.h"

#include <stdbool.h>

struct transaction {
	struct envelope *envelope; /* NULL when no mail is under way */
	struct mailbox sender;
	struct data data;
};

struct refusal {
	const char *status;
	const char *account; /* the config's name of it; "" when it is not known */
	char text[IDENTIFY_TEXT_MAX];
};

/* The MAIL command, well-formed. False when it is refused. */
bool transaction_mail(struct transaction *t, const struct relay_config *config,
		      const struct client *client, const struct command *mail, struct refusal *r);

/* The RCPT command, well-formed. */
bool transaction_rcpt(struct transaction *t, const struct relay_config *config,
		      const struct command *rcpt, struct refusal *r);

/* Takes the recipient back that was added last. */
void transaction_drop_last(struct transaction *t);

/* Bytes that the message may have. */
uint64_t transaction_size_max(const struct transaction *t, const struct relay_config *config);

/* The data are complete: fills the envelope but for client, HELO, user and time. */
bool transaction_finish(struct transaction *t, const struct relay_config *config,
			const struct client *client, struct refusal *r);

/* Forgets the mail; the envelope is freed unless it was taken away. */
void transaction_clear(struct transaction *t);
void transaction_free(struct transaction *t);

#endif
