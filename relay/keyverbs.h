/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Verbs of the control socket about signing keys, which main answers: it is the one that writes
 * into the directory of the secrets.
 *
 *	{"verb": "keys", "domain": "acme.example"}
 *	{"verb": "key-make", "domain": "acme.example", "selector": "g1", "kind": "rsa"}
 */
#ifndef GATEPOST_RELAY_KEYVERBS_H
#define GATEPOST_RELAY_KEYVERBS_H

#include "relay/config.h"

#include <jansson.h>

/* Every key that an account needs or that lies there: {"keys": [{"domain", "selector", "kind",
 * "bits", "accounts", "state", "file", "name", "text", "record"}]}; state is "in use", "unused",
 * "missing", or what is wrong with the file. domain may be left out. */
json_t *keyverbs_list(const struct relay_config *c, const json_t *question);

/* Makes DOMAIN.SELECTOR.pem, or DOMAIN.SELECTOR-ed25519.pem, and gives the row of "keys" for it
 * as "key". What is there already is never replaced: a key that the DNS knows must stay. */
json_t *keyverbs_make(const struct relay_config *c, const json_t *question);

#endif
