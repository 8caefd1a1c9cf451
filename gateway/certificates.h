/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The certificate files that a config names, judged before the config is put in force: do they
 * parse, does the key belong to the chain, are all the relay's names in it, is it valid by the
 * clock? The relay judges them again when it loads them (relay/certify.h).
 *
 * Only what a commit changes is judged: a certificate that has expired in the meantime must not
 * keep an operator from changing a firewall rule.
 */
#ifndef GATEPOST_GATEWAY_CERTIFICATES_H
#define GATEPOST_GATEWAY_CERTIFICATES_H

#include "lib/buf.h"

#include <libyang/libyang.h>
#include <stdbool.h>
#include <stdint.h>

/* running: what is in force, or NULL. False with a line for every fault in error. */
bool certificates_check(const struct lyd_node *conf, const struct lyd_node *running, int64_t now_s,
			struct buf *error);

/*
 * Keeps a chain and its key, pasted in any order, in folder/NAME.pem: both in one file, so that
 * they change together. What stands between the PEM blocks is left out. notes: how to use it, and
 * what an operator should know. False with the reason in error, and nothing changed.
 */
bool certificates_store(const char *folder, const char *name, const char *pem, int64_t now_s,
			struct buf *notes, struct buf *error);

#endif
