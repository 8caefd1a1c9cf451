/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DKIM signatures (RFC 6376, RFC 8463) through libopendkim: relaxed/relaxed, From over-signed, the
 * fields of headers.h, never l=.
 *
 * t= is the time given, so a retry signs the same bytes. No file (but a key's, by keys.h), clock
 * or resolver is touched.
 */
#ifndef GATEPOST_RELAY_SIGN_DKIM_H
#define GATEPOST_RELAY_SIGN_DKIM_H

#include "lib/buf.h"
#include "relay/sign/keys.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An Ed25519 key needs a selector of its own (RFC 8463 §4 leaves one record for one key). */
#define DKIM_ED25519_SUFFIX "-ed25519"

struct dkim_signer;

/* NULL when the library cannot be set up, or an override is not in force (keys.h, standin.h);
 * *error says it. */
struct dkim_signer *dkim_signer_new(struct buf *error);
void dkim_signer_free(struct dkim_signer *s);

/* true: bodies go through the library itself from now on, not by standin.h. For comparisons: the
 * signatures are the same. */
void dkim_signer_slow(struct dkim_signer *s, bool slow);

/* What signs for one selector; ed25519 is NULL where there is no such file. */
struct dkim_keys {
	const struct sign_key *key, *ed25519;
};

/* False with *error set when one cannot be used; with *error as it was when there is no
 * DOMAIN.SELECTOR.pem. Valid as sign_keys_get() has it. */
bool dkim_keys_get(struct sign_keys *keys, const char *domain, const char *selector,
		   struct dkim_keys *out, struct buf *error);

/*
 * Appends the DKIM-Signature fields (each with CRLF) to go in front of message[n]: one with the
 * key DOMAIN.SELECTOR.pem, and one with DOMAIN.SELECTOR-ed25519.pem where there is that file. The
 * message has its last form: nothing is added to it later but trace fields above. when: seconds
 * since 1970. False, with nothing appended and *error set, when a key is missing or unusable, there
 * is no From field, or the library refuses.
 */
bool dkim_sign_message(struct dkim_signer *s, struct sign_keys *keys, const char *message, size_t n,
		       const char *domain, const char *selector, int64_t when, struct buf *out,
		       struct buf *error);

/* The same by keys that are at hand. */
bool dkim_sign_keys(struct dkim_signer *s, const struct dkim_keys *keys, const char *message,
		    size_t n, const char *domain, const char *selector, int64_t when,
		    struct buf *out, struct buf *error);

/* Appends one field, by that key, whatever kind it is. */
bool dkim_sign_with(struct dkim_signer *s, const struct sign_key *key, const char *message,
		    size_t n, const char *domain, const char *selector, int64_t when,
		    struct buf *out, struct buf *error);

#endif
