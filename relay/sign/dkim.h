/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DKIM signatures (RFC 6376, RFC 8463) through libopendkim: relaxed/relaxed, From over-signed, the
 * fields of RFC 6376 §5.4.1, MIME's, and List-Unsubscribe-Post (RFC 8058 §4); never l=.
 *
 * t= is the time given, so a retry signs the same bytes. No file, clock or resolver is touched.
 */
#ifndef GATEPOST_RELAY_SIGN_DKIM_H
#define GATEPOST_RELAY_SIGN_DKIM_H

#include "lib/buf.h"
#include "relay/sign/keys.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dkim_signer;

/* NULL when the library cannot be set up, or the key override is not in force; *error says it. */
struct dkim_signer *dkim_signer_new(struct buf *error);
void dkim_signer_free(struct dkim_signer *s);

/*
 * Appends one DKIM-Signature field (CRLF at its end) to go in front of the message. message is
 * the last word: CRLF lines, nothing added later but trace fields above. False with *error set
 * when there is no From field or the library refuses.
 */
bool dkim_signer_sign(struct dkim_signer *s, const char *message, size_t n, const char *domain,
		      const char *selector, const struct sign_key *key, int64_t when,
		      struct buf *out, struct buf *error);

#endif
