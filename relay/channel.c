/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/channel.h"

#include "lib/wire.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	HEADER_BYTES = 17, /* u32 type, u64 id, u32 length, u8 descriptor follows */
	READ_CHUNK = 64 * 1024,
	FDS_AT_ONCE = 64, /* that one recvmsg may bring */
	FDS_WAITING_MAX = 1024,
};

/* Queued bytes; a message with a descriptor begins a chunk of its own, so that the descriptor
 * leaves with its first byte and the receiver can pair the two by order. */
struct chunk {
	struct chunk *next;
	struct buf bytes;
	size_t sent;
	int fd;
};

struct channel {
	struct ev_loop *loop;
	int fd;
	ev_io readable, writable;
	ev_prepare flush;
	channel_message_fn *on_message;
	channel_closed_fn *on_closed;
	void *arg, *data;
	struct chunk *first, *last;
	size_t backlog;
	struct buf in;
	int fds[FDS_WAITING_MAX];
	size_t fd_count;
	bool dispatching, closed;
};

static void chunk_free(struct chunk *k)
{
	if (k->fd >= 0)
		close(k->fd);
	buf_free(&k->bytes);
	free(k);
}

static void channel_free(struct channel *c)
{
	while (c->first) {
		struct chunk *next = c->first->next;
		chunk_free(c->first);
		c->first = next;
	}
	for (size_t i = 0; i < c->fd_count; i++)
		close(c->fds[i]);
	buf_free(&c->in);
	free(c);
}

/* Lets go of the socket now, of the memory once no caller of ours is on the stack. */
static void channel_shut(struct channel *c)
{
	if (c->closed)
		return;
	c->closed = true;
	ev_io_stop(c->loop, &c->readable);
	ev_io_stop(c->loop, &c->writable);
	ev_prepare_stop(c->loop, &c->flush);
	close(c->fd);
}

void channel_close(struct channel *c)
{
	channel_shut(c);
	if (!c->dispatching)
		channel_free(c);
}

static void channel_broke(struct channel *c)
{
	if (c->closed)
		return;
	channel_shut(c);
	c->dispatching = true;
	c->on_closed(c, c->arg);
	channel_free(c);
}

/* ---- out ---- */

/* One sendmsg; false when the socket is full or broken (errno says which). */
static bool chunk_send(struct channel *c, struct chunk *k)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct iovec iov = {k->bytes.data + k->sent, k->bytes.len - k->sent};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	if (k->fd >= 0) {
		msg.msg_control = control.bytes;
		msg.msg_controllen = sizeof(control.bytes);
		struct cmsghdr *h = CMSG_FIRSTHDR(&msg);
		h->cmsg_level = SOL_SOCKET;
		h->cmsg_type = SCM_RIGHTS;
		h->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(h), &k->fd, sizeof(int));
	}
	ssize_t n = sendmsg(c->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0)
		return false;
	if (k->fd >= 0) {
		close(k->fd);
		k->fd = -1;
	}
	k->sent += (size_t)n;
	c->backlog -= (size_t)n;
	return true;
}

/* Sends what the kernel takes. A broken socket is left for the reader to notice. */
static void channel_drain(struct channel *c)
{
	while (c->first) {
		struct chunk *k = c->first;
		if (!chunk_send(c, k)) {
			if (errno == EINTR)
				continue;
			if (errno == EAGAIN || errno == ETOOMANYREFS) {
				ev_io_start(c->loop, &c->writable);
				return;
			}
			break;
		}
		if (k->sent < k->bytes.len)
			continue;
		c->first = k->next;
		if (!c->first)
			c->last = NULL;
		chunk_free(k);
	}
	ev_io_stop(c->loop, &c->writable);
}

static void on_writable(struct ev_loop *loop, ev_io *w, int events)
{
	(void)loop;
	(void)events;
	channel_drain(w->data);
}

static void on_flush(struct ev_loop *loop, ev_prepare *w, int events)
{
	struct channel *c = w->data;

	(void)events;
	ev_prepare_stop(loop, w);
	if (!ev_is_active(&c->writable))
		channel_drain(c);
}

void channel_flush(struct channel *c)
{
	if (!c->closed)
		channel_drain(c);
}

void channel_send(struct channel *c, uint32_t type, uint64_t id, const struct buf *payload, int fd)
{
	size_t len = payload ? payload->len : 0;

	if (c->closed) {
		if (fd >= 0)
			close(fd);
		return;
	}
	if (len > CHANNEL_PAYLOAD_MAX)
		abort();
	if (!c->last || fd >= 0 || c->last->bytes.len > READ_CHUNK) {
		struct chunk *k = calloc(1, sizeof(*k));
		if (!k)
			abort();
		k->fd = fd;
		if (c->last)
			c->last->next = k;
		else
			c->first = k;
		c->last = k;
	}
	struct buf *out = &c->last->bytes;
	wire_put_u32(out, type);
	wire_put_u64(out, id);
	wire_put_u32(out, (uint32_t)len);
	wire_put_u8(out, fd >= 0);
	if (len)
		buf_append(out, payload->data, len);
	c->backlog += HEADER_BYTES + len;
	ev_prepare_start(c->loop, &c->flush);
}

size_t channel_backlog(const struct channel *c)
{
	return c->backlog;
}

/* ---- in ---- */

static int take_fd(struct channel *c)
{
	if (!c->fd_count)
		return -1;
	int fd = c->fds[0];
	memmove(c->fds, c->fds + 1, --c->fd_count * sizeof(int));
	return fd;
}

/* Hands over every whole message. False when the other end broke the rules. */
static bool channel_dispatch(struct channel *c)
{
	size_t at = 0;
	bool sound = true;

	while (!c->closed && c->in.len - at >= HEADER_BYTES) {
		struct wire w = wire_reader(c->in.data + at, HEADER_BYTES);
		struct message m = {.fd = -1};
		m.type = wire_u32(&w);
		m.id = wire_u64(&w);
		m.len = wire_u32(&w);
		bool has_fd = wire_u8(&w) != 0;
		if (m.len > CHANNEL_PAYLOAD_MAX || (has_fd && !c->fd_count)) {
			sound = false;
			break;
		}
		if (c->in.len - at - HEADER_BYTES < m.len)
			break;
		m.payload = c->in.data + at + HEADER_BYTES;
		if (has_fd)
			m.fd = take_fd(c);
		at += HEADER_BYTES + m.len;
		c->on_message(c, &m, c->arg);
		if (m.fd >= 0)
			close(m.fd);
	}
	if (!c->closed)
		buf_consume(&c->in, at);
	return sound;
}

static bool keep_fds(struct channel *c, struct msghdr *msg)
{
	bool kept = !(msg->msg_flags & MSG_CTRUNC);

	for (struct cmsghdr *h = CMSG_FIRSTHDR(msg); h; h = CMSG_NXTHDR(msg, h)) {
		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			continue;
		size_t n = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;
			memcpy(&fd, CMSG_DATA(h) + i * sizeof(int), sizeof(int));
			if (c->fd_count < FDS_WAITING_MAX) {
				c->fds[c->fd_count++] = fd;
			} else {
				close(fd);
				kept = false;
			}
		}
	}
	return kept;
}

/* One recvmsg. 1: something came; 0: nothing for now; -1: the end, or a broken rule. */
static int channel_receive(struct channel *c)
{
	union {
		char bytes[CMSG_SPACE(FDS_AT_ONCE * sizeof(int))];
		struct cmsghdr align;
	} control;

	buf_reserve(&c->in, READ_CHUNK);
	struct iovec iov = {c->in.data + c->in.len, READ_CHUNK};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	ssize_t n = recvmsg(c->fd, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	bool kept = keep_fds(c, &msg);
	c->in.len += (size_t)n;
	return n > 0 && kept ? 1 : -1;
}

static void on_readable(struct ev_loop *loop, ev_io *w, int events)
{
	struct channel *c = w->data;

	(void)loop;
	(void)events;
	int got = channel_receive(c);
	c->dispatching = true;
	bool sound = channel_dispatch(c);
	c->dispatching = false;
	if (c->closed)
		channel_free(c);
	else if (got < 0 || !sound)
		channel_broke(c);
}

struct channel *channel_open(struct ev_loop *loop, int fd, channel_message_fn *on_message,
			     channel_closed_fn *on_closed, void *arg)
{
	struct channel *c = calloc(1, sizeof(*c));
	if (!c)
		abort();
	c->loop = loop;
	c->fd = fd;
	c->on_message = on_message;
	c->on_closed = on_closed;
	c->arg = arg;
	ev_io_init(&c->readable, on_readable, fd, EV_READ);
	ev_io_init(&c->writable, on_writable, fd, EV_WRITE);
	ev_prepare_init(&c->flush, on_flush);
	c->readable.data = c->writable.data = c->flush.data = c;
	ev_io_start(loop, &c->readable);
	return c;
}

void channel_set_data(struct channel *c, void *data)
{
	c->data = data;
}

void *channel_data(const struct channel *c)
{
	return c->data;
}
