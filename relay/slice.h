/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Slices: what each role gets to know of relay.json, and the secrets that go with its duty.
 *
 *   role     relay.json                           secrets
 *   accept   no password hashes                   TLS chain and key; the newest tracking key's
 * number auth     whole                                - work     no password hashes tracking keys
 * (signing keys: its own directory) http     no password hashes                   TLS chain and
 * key; tracking keys deliver  no password hashes                   what others are trusted by: root
 * anchor, authorities others   no password hashes                   -
 *
 * A smart host's password, which has to be presented as it is, is deliver's alone.
 */
#ifndef GATEPOST_RELAY_SLICE_H
#define GATEPOST_RELAY_SLICE_H

#include "lib/buf.h"
#include "relay/config.h"
#include "relay/process.h"

struct slice_secrets {
	char *tls_chain, *tls_key;           /* PEM */
	char *root_anchor;                   /* DS or DNSKEY records, one a line; "" for none */
	char *authorities;                   /* PEM; "" for none */
	struct config_token_key *token_keys; /* newest first */
	size_t token_key_count;
};

/*
 * Reads the secrets that config names; what is not there yet is made: a self-signed certificate
 * for the host name (with a warning), and a first tracking key. False with the reason in error.
 */
bool slice_secrets_load(const struct relay_config *c, struct slice_secrets *out, struct buf *error);
void slice_secrets_free(struct slice_secrets *s);

/* The tracking keys alone, of a relay that has them: nothing is made. For gatepost-track. */
bool slice_tokens_load(const struct relay_config *c, struct slice_secrets *out, struct buf *error);

/* Appends the role's slice of the checked text of relay.json. */
void slice_make(const char *json, size_t n, enum role_id role, const struct slice_secrets *s,
		struct buf *out);

#endif
