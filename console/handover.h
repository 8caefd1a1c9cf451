/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What passes between the console's two processes: the stack, which reads frames and may do nothing
 * else, and the keeper, which starts SSH servers and restarts the stack.
 *
 * The stack begins with these descriptors open. Over HANDOVER_KEEPER, a sequenced-packet socket
 * pair, it sends one packet for each connection: the client's address as text, and with it the
 * socket at which the connection's bytes are read and written. Nothing comes back; when the keeper
 * will not serve it, it closes the socket. The end of one process is an end of file to the other.
 */
#ifndef GATEPOST_CONSOLE_HANDOVER_H
#define GATEPOST_CONSOLE_HANDOVER_H

#include "console/frame.h"

enum {
	HANDOVER_KEEPER = 3,
	HANDOVER_LINK,    /* link.h */
	HANDOVER_SOCKETS, /* FRAME_CLASSES of them, in that order */
	HANDOVER_END = HANDOVER_SOCKETS + FRAME_CLASSES
};

enum { HANDOVER_CLIENT_MAX = 64 }; /* bytes of an address, NUL included */

/* Sends client and fd, which stays the caller's. */
bool handover_send(int to, int fd, const char *client);

/* The next packet; blocks unless MSG_DONTWAIT is set in flags. Returns the descriptor, which is the
 * caller's; -1: none (errno EAGAIN), a packet that is none of ours (EPROTO), or the other end is
 * gone (EPIPE). What is not printable in client comes as '?'. */
int handover_receive(int from, int flags, char client[HANDOVER_CLIENT_MAX]);

#endif
