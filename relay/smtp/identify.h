/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whose mail is it? From alone never opens the relay: it chooses among the accounts that the client
 * may speak for, because it is in their networks or has logged in to them (DESIGN §5). The
 * envelope's sender and the header's From must both be on that account's list.
 *
 * auth-required makes networks a condition instead of a key: the client must have logged in to the
 * account, and from within its networks if it has any.
 *
 * A null sender (bounces, automatic replies) names nobody: there the header's From chooses alone.
 */
#ifndef GATEPOST_RELAY_SMTP_IDENTIFY_H
#define GATEPOST_RELAY_SMTP_IDENTIFY_H

#include "relay/config.h"
#include "relay/smtp/mailbox.h"

struct client {
	struct addr address;
	const char *account; /* whose user logged in; "" for nobody */
};

#define IDENTIFY_TEXT_MAX 480

struct identified {
	const struct config_account *account; /* the config's; NULL when refused, and then: */
	const struct config_account *known;   /* the client's, though not its sender's; or NULL */
	const char *status;                   /* "550 5.7.1" */
	char text[IDENTIFY_TEXT_MAX];         /* what is wrong, and what to do */
};

/*
 * sender: the envelope's. from: the header's, NULL as long as it is not known. Among several
 * accounts the one logged in to comes first, then the config's order.
 */
void identify(const struct relay_config *config, const struct client *client,
	      const struct mailbox *sender, const struct mailbox *from, struct identified *out);

/* The domain that the account signs with for this From: the From's own, or the nearest above it,
 * so that DMARC finds them aligned. "" for none. */
const char *identify_sign_domain(const struct config_account *account, const struct mailbox *from);

#endif
