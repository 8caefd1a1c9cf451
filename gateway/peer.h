/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who is at the other end of a control connection, and what they may do.
 *
 * The kernel says which user it is (SO_PEERCRED), the machine's accounts say which role that user
 * has: root, the daemon's own user and members of the group "admin" administer, everybody else who
 * may open the socket reads, as long as there is such an account. The role is looked up again after
 * every commit: it may have changed.
 */
#ifndef GATEPOST_GATEWAY_PEER_H
#define GATEPOST_GATEWAY_PEER_H

#include "gateway/store.h"

#include <stdbool.h>
#include <sys/types.h>

#define PEER_ADMIN_GROUP  "admin"
#define PEER_LOGIN_GROUP  "operator" /* of everybody who may log in */
#define PEER_TERMINAL_MAX 64

struct peer {
	char who[CONFSTORE_WHO_MAX];
	bool known; /* the machine has an account of this user: it may look */
	bool admin;
	unsigned session; /* of the connection; never used twice, never 0 */
	pid_t pid;
	uid_t uid;
	gid_t gid;
	char terminal[PEER_TERMINAL_MAX]; /* "/dev/pts/3"; "" when it has none */
};

/* False when the kernel does not say. */
bool peer_identify(int fd, unsigned session, struct peer *peer);
/* May it look, or change something? */
bool peer_may(const struct peer *peer, bool change);
/* Name and role anew. */
void peer_refresh(struct peer *peer);

#endif
