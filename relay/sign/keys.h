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
 */
#ifndef GATEPOST_RELAY_SIGN_KEYS_H
#define GATEPOST_RELAY_SIGN_KEYS_H

#include "lib/buf.h"

#include <openssl/types.h>
#include <stdbool.h>

enum sign_key_kind { SIGN_KEY_RSA, SIGN_KEY_ED25519 };

struct sign_key {
	enum sign_key_kind kind;
	EVP_PKEY *pkey;  /* the cache's */
	char handle[32]; /* what libopendkim is given */
};

struct sign_keys;

/* dirfd is the key directory, open for as long as the cache lives; the caller's to close. */
struct sign_keys *sign_keys_new(int dirfd);
void sign_keys_free(struct sign_keys *k);

/*
 * The key DOMAIN.SELECTOR.pem (for ed25519: DOMAIN.SELECTOR.ed25519.pem, beside or instead of
 * it); read and parsed the first time, or again when the file has changed. NULL with *error set
 * when the file exists and is no usable key (RSA under 1024 bits, another kind, a group- or
 * world-writable file), NULL with *error empty when there is no such file.
 */
const struct sign_key *sign_keys_get(struct sign_keys *k, const char *domain, const char *selector,
				     enum sign_key_kind kind, struct buf *error);

/* Reads every key of the directory now, for a process that gives up opening files later. Returns
 * how many; faults go to *error, one line each. */
size_t sign_keys_load_all(struct sign_keys *k, struct buf *error);

/* Makes a signature with a fresh key through libopendkim: true when it took ours. */
bool keys_override_in_force(void);

#endif
