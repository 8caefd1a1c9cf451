/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tokens: what a pixel or a tracked link says, sealed (DESIGN §7.4).
 *
 *	token  = base64url(clear ‖ nonce[12] ‖ ciphertext ‖ tag[16])
 *	clear  = version[1] ‖ key id (varint) ‖ account tag[4]
 *	nonce  = first 12 bytes of HMAC-SHA256(nonce key, aad ‖ plaintext)
 *	aad    = clear ‖ tracking host in lower case
 *
 * The cipher is AES-256-GCM. Its key, the nonce key and the tag key come out of the token key's 32
 * bytes by HKDF-SHA256. The account tag is a keyed hash of the account's name, so the account is
 * bound before anything is opened and yet its name shows nowhere; the name itself is inside, and
 * has to fit the tag. The same input gives the same token: a retry gives the same bytes.
 */
#ifndef GATEPOST_RELAY_TRACK_TOKEN_H
#define GATEPOST_RELAY_TRACK_TOKEN_H

#include "lib/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum token_kind { TOKEN_OPEN = 1, TOKEN_CLICK = 2, TOKEN_UNSUBSCRIBE = 3 };

enum token_limit {
	TOKEN_ACCOUNT_MAX = 64, /* bytes, as everything below */
	TOKEN_CAMPAIGN_MAX = 128,
	TOKEN_TAGS_MAX = 128,
	TOKEN_URL_MAX = 4096,
	TOKEN_TEXT_MAX = 8192, /* a token's base64url; longer ones are not looked at */
};

struct token_key {
	uint32_t id;
	uint8_t secret[32];
};

struct token {
	enum token_kind kind;
	uint64_t message;
	uint32_t recipient;                /* index in the envelope */
	uint32_t link;                     /* 0 for the first one tracked in the message */
	int64_t accepted;                  /* seconds since 1970 */
	char account[TOKEN_ACCOUNT_MAX];   /* a string */
	char campaign[TOKEN_CAMPAIGN_MAX]; /* a string, "" for none */
	char tags[TOKEN_TAGS_MAX];         /* a string, commas between them */
	/* A string: where a click leads, the address of who unsubscribes, "" for an open. */
	char url[TOKEN_URL_MAX];
};

/* Keys made ready for use; not for two threads at a time. */
struct token_ring;

/* The keys are copied. Out of order is fine; of two with one id the first counts. */
struct token_ring *token_ring_new(const struct token_key *keys, size_t count);
void token_ring_free(struct token_ring *r);
bool token_ring_has(const struct token_ring *r, uint32_t key_id);

/*
 * Appends the token. host is the tracking host, without a port. False when there is no such key
 * or a field is over its bound.
 */
bool token_seal(struct token_ring *r, uint32_t key_id, const char *host, const struct token *t,
		struct buf *out);

/*
 * False for anything that token_seal() did not make with one of these keys for that host (which
 * may have a port behind it): one answer for every fault, and *out is then untouched.
 */
bool token_open(struct token_ring *r, const char *host, const char *text, size_t n,
		struct token *out);

/*
 * URLs: scheme://host/o/TOKEN (open), /c/TOKEN (click), /u/TOKEN (unsubscribe).
 * token_path() finds the token in a request's path; a query behind it is not part of it.
 */
void token_url(bool https, const char *host, enum token_kind kind, const char *token,
	       struct buf *out);
bool token_path(const char *path, size_t n, enum token_kind *kind, const char **token,
		size_t *token_len);

#endif
