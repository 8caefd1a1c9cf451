/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What was proven lately: a bounded table of short-lived facts, each known only by an HMAC under a
 * key that this process drew at its start. Whoever reads the table learns no password from it, and
 * nothing outlives the process.
 */
#ifndef GATEPOST_RELAY_SMTP_PROOFS_H
#define GATEPOST_RELAY_SMTP_PROOFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct proofs;

struct proof_key {
	uint8_t bytes[32];
};

/* At most count facts (a power of two); each lives life_ms. */
struct proofs *proofs_new(size_t count, uint64_t life_ms);
void proofs_free(struct proofs *p);

/* The HMAC of two strings of bytes; where one ends and the other begins counts. */
struct proof_key proofs_key(const struct proofs *p, const void *a, size_t a_len, const void *b,
			    size_t b_len);

/* The value that stands for the key, NULL when there is none or it has grown old. */
const char *proofs_find(const struct proofs *p, const struct proof_key *key, uint64_t now_ms);
/* value: at most 63 bytes. Takes the place of the oldest neighbour. */
void proofs_add(struct proofs *p, const struct proof_key *key, const char *value, uint64_t now_ms);
void proofs_forget(struct proofs *p);

/* Equal in a time that tells nothing about where they differ. */
bool proofs_equal(const void *a, const void *b, size_t n);

#endif
