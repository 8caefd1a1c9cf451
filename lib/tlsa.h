/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TLSA records (RFC 6698) against a server's certificates, as SMTP has them (RFC 7672 §3.1). Pure.
 *
 * Two usages count: DANE-EE(3) pins the server's own certificate or key, whatever it names and
 * however old it is; DANE-TA(2) pins an authority among the certificates that the server sent, and
 * what is below it has to hold, name and dates included. PKIX-TA(0) and PKIX-EE(1) lean on a list
 * of authorities that SMTP has no agreement about: such records are unusable (§3.1.3).
 */
#ifndef GATEPOST_LIB_TLSA_H
#define GATEPOST_LIB_TLSA_H

#include "lib/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mbedtls_x509_crt;

enum tlsa_limit { TLSA_RECORDS_MAX = 32, TLSA_DATA_MAX = 8192 /* bytes of one record */ };

struct tlsa {
	uint8_t usage, selector, matching;
	size_t len;
	uint8_t *data;
};

/* The usable records of a name. Shared: tlsa_set_keep() and tlsa_set_drop() count its owners. */
struct tlsa_set {
	unsigned refs;
	size_t count; /* 0: there are records, but none that can be used */
	struct tlsa records[TLSA_RECORDS_MAX];
};

struct tlsa_set *tlsa_set_new(void); /* one reference, the caller's */
struct tlsa_set *tlsa_set_keep(struct tlsa_set *s);
void tlsa_set_drop(struct tlsa_set *s); /* NULL is fine */

/* Takes a record's data as the DNS has it. False when it is unusable: it is left out. */
bool tlsa_set_add(struct tlsa_set *s, const uint8_t *rdata, size_t n);
/* Leaves out a SHA-256 where a SHA-512 pins the same thing (RFC 7671 §9); after the last add. */
void tlsa_set_prefer_strong(struct tlsa_set *s);

/*
 * Do the certificates that the server sent, its own first, fit one of the records? names: any of
 * them may be the one that a certificate below a DANE-TA has (§3.2.2). False with the reason.
 */
bool tlsa_verify(const struct tlsa_set *s, const struct mbedtls_x509_crt *chain,
		 const char *const *names, size_t name_count, struct buf *why);

#endif
