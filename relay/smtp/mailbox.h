/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A mailbox: local-part@domain, by the grammar of RFC 5321 §4.1.2 with the UTF-8 of RFC 6531.
 *
 * The text kept is canonical: a local part is in quotes only where it has to be, so that
 * "bob"@b.example and bob@b.example are one. Its case stays as given. No length is limited but the
 * whole's and the domain's: bulk senders' return paths pass the 64 bytes of §4.5.3.1.1.
 */
#ifndef GATEPOST_RELAY_SMTP_MAILBOX_H
#define GATEPOST_RELAY_SMTP_MAILBOX_H

#include "relay/spool/envelope.h"

#include <stdbool.h>
#include <stddef.h>

struct mailbox {
	char text[ENVELOPE_ADDRESS_MAX + 1];
	size_t at; /* where '@' stands; the text's length when there is no domain */
	bool utf8; /* holds characters over 127 */
};

/*
 * The mailbox that s[n] begins with: returns the bytes it takes, or 0, with what is wrong as a
 * phrase in *reason. A mailbox without a domain is given back as such: what that means is the
 * caller's to say (only postmaster may stand alone).
 */
size_t mailbox_parse(const char *s, size_t n, struct mailbox *out, const char **reason);

/* "" when there is none. */
const char *mailbox_domain(const struct mailbox *m);

/*
 * Is it the sender that pattern names: user@domain, or *@domain for everybody there (and nowhere
 * below)? Case makes no difference: nobody gives two people names that differ by case, and clients
 * write it as their users typed it.
 */
bool mailbox_matches(const struct mailbox *m, const char *pattern);

/* Is host the domain itself or below it? Case makes no difference. */
bool domain_is_within(const char *host, const char *domain);

#endif
