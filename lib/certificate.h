/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A certificate chain and its private key (RFC 5280), as a server shows them: read, described,
 * judged by names and by time; and one of our own making.
 *
 * Whether anybody trusts who issued it is the clients' to judge, not ours.
 */
#ifndef GATEPOST_LIB_CERTIFICATE_H
#define GATEPOST_LIB_CERTIFICATE_H

#include "lib/buf.h"

#include <stdbool.h>
#include <stdint.h>

struct certificate;
struct mbedtls_ssl_config;

/* From PEM text, the server's own certificate first. NULL with the reason in error: what does not
 * parse, or a key that does not fit. */
struct certificate *certificate_new(const char *chain_pem, const char *key_pem, struct buf *error);
void certificate_free(struct certificate *c);
/* A TLS server's from now on; c must outlive conf. mbedTLS's error code, 0: none. */
int certificate_use(struct certificate *c, struct mbedtls_ssl_config *conf);

/* "relay.example.net, *.example.org"; its subject where it has no names. */
void certificate_names(const struct certificate *c, struct buf *out);
void certificate_issuer(const struct certificate *c, struct buf *out);
bool certificate_is_self_signed(const struct certificate *c);
/* Seconds since 1970 between which it is valid. */
int64_t certificate_from_s(const struct certificate *c);
int64_t certificate_until_s(const struct certificate *c);
/* "2027-05-01 12:00 UTC" */
void certificate_put_time(int64_t time_s, struct buf *out);

/* Is host one of its names, wildcards (RFC 6125 §6.4.3) included? */
bool certificate_covers(const struct certificate *c, const char *host);
/* The same, with the reason in error; what: where the host comes from ("relay host-name"). */
bool certificate_check_host(const struct certificate *c, const char *host, const char *what,
			    struct buf *error);
/* Is it valid at that time? Else false with the reason. */
bool certificate_check_time(const struct certificate *c, int64_t now_s, struct buf *error);

/* A self-signed ECDSA P-256 certificate for host, valid from yesterday for ten years. */
bool certificate_self_signed(const char *host, struct buf *chain_pem, struct buf *key_pem,
			     struct buf *error);

#endif
