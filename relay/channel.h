/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A channel: messages between two of the relay's processes over a Unix stream socket.
 *
 * A message is a header {type, id, length}, a payload of wire.h fields (at most
 * CHANNEL_PAYLOAD_MAX) and, when the sender gives one, a file descriptor: large bodies travel as
 * descriptors, not as payload. Messages arrive whole and in order. What is sent within one turn
 * of the event loop leaves in as few system calls as possible. The two ends do not trust each
 * other: a malformed header, or a payload over the bound, closes the channel.
 */
#ifndef GATEPOST_RELAY_CHANNEL_H
#define GATEPOST_RELAY_CHANNEL_H

#include "lib/buf.h"

#include <ev.h>
#include <stddef.h>
#include <stdint.h>

#define CHANNEL_PAYLOAD_MAX ((size_t)1024 * 1024)
#define CHANNEL_LATER_S     0.01

struct channel;

struct message {
	uint32_t type; /* enum message_type, messages.h */
	uint64_t id;   /* the asker's own number; an answer carries it back */
	const void *payload;
	size_t len;
	int fd; /* -1 for none; whoever keeps it sets it to -1 here, else it is closed */
};

typedef void channel_message_fn(struct channel *c, struct message *m, void *arg);
/* The other end is gone, or broke the rules. The channel is freed when this returns. */
typedef void channel_closed_fn(struct channel *c, void *arg);

/* Takes over the non-blocking socket fd. */
struct channel *channel_open(struct ev_loop *loop, int fd, channel_message_fn *on_message,
			     channel_closed_fn *on_closed, void *arg);

/* Closes without calling on_closed. Safe from within on_message. */
void channel_close(struct channel *c);

/*
 * Queues a message. payload may be NULL. fd is taken over (closed once sent); -1 for none.
 * Never blocks: look at channel_backlog() where a peer may be slower than what feeds it.
 */
void channel_send(struct channel *c, uint32_t type, uint64_t id, const struct buf *payload, int fd);

/*
 * The same for what nobody waits for, without a descriptor: it leaves with the next message, or
 * after CHANNEL_LATER_S, so that a busy process is not woken for each one.
 */
void channel_send_later(struct channel *c, uint32_t type, uint64_t id, const struct buf *payload);

/* Bytes queued and not yet taken by the kernel. */
size_t channel_backlog(const struct channel *c);

/* Writes out what is queued before the loop's next turn; for the last words before an exit. */
void channel_flush(struct channel *c);

/* For the owner's use; NULL at first. */
void channel_set_data(struct channel *c, void *data);
void *channel_data(const struct channel *c);

#endif
