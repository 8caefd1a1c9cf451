/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Signing keys: PEM files, parsed once.
 *
 * libopendkim takes a key as PEM text and parses it again for every signature, which costs more
 * than half of the time. So it is given a short handle that looks like the beginning of a PEM
 * text, and this file defines PEM_read_bio_PrivateKey, which the executable supplies in place of
 * libcrypto's: for a handle it returns the parsed key out of the cache, for anything else it does
 * what libcrypto does. keys_override_in_force() proves that the library calls ours; a program
 * that signs refuses to run when it does not.
 *
 * Not for several threads at a time.
 */
#ifndef GATEPOST_RELAY_SIGN_KEYS_H
#define GATEPOST_RELAY_SIGN_KEYS_H

#include "lib/buf.h"

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>

enum sign_key_kind { SIGN_KEY_RSA, SIGN_KEY_ED25519 };

enum {
	SIGN_RSA_BITS_MIN = 1024, /* RFC 8301 §3.2 */
	SIGN_KEY_FILE_MAX = 32 * 1024,
};

struct sign_key {
	enum sign_key_kind kind;
	EVP_PKEY *pkey;  /* the cache's */
	char handle[40]; /* what libopendkim is given */
};

struct sign_keys;

/* dirfd is the key directory, open for as long as the cache lives; the caller's to close. */
struct sign_keys *sign_keys_new(int dirfd);
void sign_keys_free(struct sign_keys *k);

/*
 * The key in DOMAIN.SELECTOR.pem (the domain in lower case), read and parsed the first time, and
 * again when the file has changed; valid until it is asked for again. NULL with *error empty when
 * there is no such file, NULL with *error saying why when it is no key that signs: neither RSA of
 * SIGN_RSA_BITS_MIN bits nor Ed25519, or others may write to it.
 */
const struct sign_key *sign_keys_get(struct sign_keys *k, const char *domain, const char *selector,
				     struct buf *error);

/* A fresh Ed25519 key, for self-tests; to be dropped, made or not. False when libcrypto has none.
 */
bool sign_key_make(struct sign_key *key);
void sign_key_drop(struct sign_key *key);

/*
 * Makes a signature with a fresh key through libopendkim: true when it took ours. Also does what
 * libcrypto does at its first use, so that it opens no file later, and finds out what the library
 * forgets to free after an Ed25519 signature (in 2.11.0~beta2: the key and the BIO around it).
 */
bool keys_override_in_force(void);

/* After dkim_free(): frees that, for the key that was taken last. */
void keys_taken_back(enum sign_key_kind kind);

#endif
