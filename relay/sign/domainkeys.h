/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DomainKeys signatures (RFC 4870): rsa-sha1 over nofws, the fields named in h=. Historic, and
 * still asked for by some receivers. Pure: message and key in, one header field out.
 */
#ifndef GATEPOST_RELAY_SIGN_DOMAINKEYS_H
#define GATEPOST_RELAY_SIGN_DOMAINKEYS_H

#include "lib/buf.h"
#include "relay/sign/keys.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * Appends one DomainKey-Signature field (CRLF at its end) to go in front of the message. False with
 * *error set when the key is not RSA, or the message has no From field or a line that is none.
 */
bool domainkeys_sign(const char *message, size_t n, const char *domain, const char *selector,
		     const struct sign_key *key, struct buf *out, struct buf *error);

#endif
