/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SSH over lwIP: every TCP connection to port 22 gets an SSH server of its own at the other end of
 * a socket pair, and the bytes are carried between the two.
 *
 * Each direction waits for the other side: what the SSH server has not taken is not acknowledged as
 * read, so the client's window closes; what the client has not acknowledged is not read from the
 * server. A session holds two buffers of fixed size and nothing else, and there are SESSIONS_MAX.
 *
 * lwIP's own memory has no limit, so what a flood could fill is kept small here: half-open
 * connections, and those that we closed and whose client does not answer.
 */
#ifndef GATEPOST_CONSOLE_SSH_H
#define GATEPOST_CONSOLE_SSH_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

/* A few more than there may be SSH servers: one that ends needs its place for a moment longer. */
enum { SESSIONS_MAX = 12 };

/* Starts an SSH server on fd, which stays the caller's, for the client at this address. False: no
 * server for this one. */
typedef bool ssh_start(void *context, int fd, const char *client);

/* After lwip_init(). start and context must live as long as the process. False: no memory. */
bool ssh_listen(ssh_start *start, void *context);

/* What to wait for; returns how many of the SESSIONS_MAX entries it filled. */
unsigned ssh_poll_fds(struct pollfd out[SESSIONS_MAX]);

/* Carries what can be carried. To be called after each poll. */
void ssh_pump(void);

/* Forgets what floods leave behind; to be called before connection attempts are let in. */
void ssh_prune(void);

#endif
