/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What decides how a message leaves, written into its envelope when it is accepted (DESIGN §7.5):
 * the account's options as they stand, and what the message itself asks for. Pure.
 */
#ifndef GATEPOST_RELAY_SMTP_PIN_H
#define GATEPOST_RELAY_SMTP_PIN_H

#include "relay/config.h"
#include "relay/smtp/header.h"
#include "relay/spool/envelope.h"

/* h: of header, the bytes before the empty line. Sets flags, the tracking host and key, campaign
 * and tags. */
void pin_tracking(struct envelope *e, const struct relay_config *config,
		  const struct config_account *a, const struct header *h, const struct buf *header);

/* Sets flags, domain and selector; nothing when the account does not sign for the From field. */
void pin_signing(struct envelope *e, const struct config_account *a, const struct header *h);

#endif
