/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A Unix socket for people: open to everybody who may log in (peer.h), and to nobody else. */
#ifndef GATEPOST_GATEWAY_LISTEN_H
#define GATEPOST_GATEWAY_LISTEN_H

#include "lib/buf.h"

/* Listens at path, in place of what stood there; nobody can connect before its mode is right.
 * flags as of socket(2). The descriptor, or -1 with the reason in error. */
int listen_for_people(const char *path, int flags, struct buf *error);
/* The group of everybody who may log in may connect; where there is none yet, administrators; where
 * there is no right to give, root alone. To be called again when the accounts have changed. */
void listen_open_to_logins(const char *path);

#endif
