/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The listening sockets that the config asks for: bound by main, used by accept and http. */
#ifndef GATEPOST_RELAY_LISTEN_H
#define GATEPOST_RELAY_LISTEN_H

#include "lib/buf.h"
#include "relay/config.h"

#include <jansson.h>
#include <stddef.h>

struct listen_set;

/*
 * Binds what c asks for; a socket that old (may be NULL) already has for the same name, address
 * and port is shared with it, so that a reload refuses no connection. NULL with every fault in
 * error.
 */
struct listen_set *listen_open(const struct relay_config *c, const struct listen_set *old,
			       struct buf *error);
void listen_free(struct listen_set *s);

size_t listen_count(const struct listen_set *s);
/* Its port is the one that was bound where the config says 0. */
const struct config_listener *listen_at(const struct listen_set *s, size_t i);
/* It was not in the old set. */
bool listen_is_fresh(const struct listen_set *s, size_t i);
/* A duplicate descriptor, the caller's. */
int listen_dup(const struct listen_set *s, size_t i);
/* [{"name":..., "address":..., "port":...}] */
json_t *listen_status(const struct listen_set *s);

#endif
