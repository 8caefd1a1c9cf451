/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * New signing keys, and what the DNS has to say of a key (RFC 6376 §3.6.1, RFC 8463 §4; RFC 4870
 * §3.2.3 reads the same record).
 */
#ifndef GATEPOST_RELAY_SIGN_MAKE_H
#define GATEPOST_RELAY_SIGN_MAKE_H

#include "lib/buf.h"
#include "relay/sign/keys.h"

#include <stdbool.h>

enum { SIGN_RSA_BITS = 2048 }; /* of a new key */

/* Appends a fresh private key in PEM. False with the reason in error. */
bool sign_make_key(enum sign_key_kind kind, struct buf *pem, struct buf *error);

/* Appends "v=DKIM1; k=rsa; p=…", in one piece. */
void sign_record_text(const struct sign_key *key, struct buf *out);

/* Appends a line of a zone file for that record: strings of at most 255 bytes, in brackets where
 * there are several. selector: with its -ed25519 where it has one. */
void sign_record_line(const char *domain, const char *selector, const char *text, struct buf *out);

#endif
