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
	RECEIVES_AT_ONCE = 16,
	FDS_AT_ONCE = 64, /* that one sendmsg may carry */
	FDS_WAITING_MAX = 1024,
};

/* Queued bytes, and the descriptors of the messages in them, which leave with the first byte: the
 * receiver pairs the two by order, so a descriptor may come early, but never late. */
struct chunk {
	struct chunk *next;
	struct buf bytes;
	size_t sent;
	int fds[FDS_AT_ONCE];
	size_t fd_count;
};

struct channel {
	struct ev_loop *loop;
	int fd;
	ev_io readable, writable;
	ev_prepare flush;
	ev_timer later;
	channel_message_fn *on_message;
	channel_closed_fn *on_closed;
	void *arg, *data;
	struct chunk *first, *last, *spare;
	size_t backlog;
	struct buf in;
	int fds[FDS_WAITING_MAX];
	size_t fd_count;
	bool dispatching, closed;
};

static void close_fds(int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++)
		close(fds[i]);
}

static void chunk_free(struct chunk *k)
{
	close_fds(k->fds, k->fd_count);
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
	if (c->spare)
		chunk_free(c->spare);
	close_fds(c->fds, c->fd_count);
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
	ev_timer_stop(c->loop, &c->later);
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

static struct chunk *chunk_add(struct channel *c)
{
	struct chunk *k = c->spare ? c->spare : calloc(1, sizeof(*k));

	if (!k)
		abort();
	c->spare = NULL;
	if (c->last)
		c->last->next = k;
	else
		c->first = k;
	c->last = k;
	return k;
}

/* The first one, k, was sent. */
static void chunk_done(struct channel *c, struct chunk *k)
{
	c->first = k->next;
	if (!c->first)
		c->last = NULL;
	if (c->spare) {
		chunk_free(k);
		return;
	}
	k->next = NULL;
	k->sent = 0;
	buf_clear(&k->bytes);
	c->spare = k;
}

/* One sendmsg; false when the socket is full or broken (errno says which). */
static bool chunk_send(struct channel *c, struct chunk *k)
{
	union {
		char bytes[CMSG_SPACE(FDS_AT_ONCE * sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = {k->bytes.data + k->sent, k->bytes.len - k->sent};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	if (k->fd_count) {
		memset(&control, 0, sizeof(control));
		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE(k->fd_count * sizeof(int));
		struct cmsghdr *h = &control.align;
		h->cmsg_level = SOL_SOCKET;
		h->cmsg_type = SCM_RIGHTS;
		h->cmsg_len = CMSG_LEN(k->fd_count * sizeof(int));
		memcpy(CMSG_DATA(h), k->fds, k->fd_count * sizeof(int));
	}
	ssize_t n = sendmsg(c->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0)
		return false;
	close_fds(k->fds, k->fd_count);
	k->fd_count = 0;
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
		if (k->sent == k->bytes.len)
			chunk_done(c, k);
	}
	ev_io_stop(c->loop, &c->writable);
}

static void on_writable(struct ev_loop *loop, ev_io *w, int events)
{
	(void)loop;
	(void)events;
	channel_drain(w->data);
}

static void flush(struct channel *c)
{
	ev_prepare_stop(c->loop, &c->flush);
	ev_timer_stop(c->loop, &c->later);
	if (!ev_is_active(&c->writable))
		channel_drain(c);
}

static void on_flush(struct ev_loop *loop, ev_prepare *w, int events)
{
	(void)loop;
	(void)events;
	flush(w->data);
}

static void on_later(struct ev_loop *loop, ev_timer *w, int events)
{
	(void)loop;
	(void)events;
	flush(w->data);
}

void channel_flush(struct channel *c)
{
	if (!c->closed)
		channel_drain(c);
}

static void enqueue(struct channel *c, uint32_t type, uint64_t id, const struct buf *payload,
		    int fd)
{
	size_t len = payload ? payload->len : 0;
	struct chunk *k = c->last;

	if (len > CHANNEL_PAYLOAD_MAX)
		abort();
	if (!k || k->bytes.len > READ_CHUNK || (fd >= 0 && (k->sent || k->fd_count == FDS_AT_ONCE)))
		k = chunk_add(c);
	if (fd >= 0)
		k->fds[k->fd_count++] = fd;
	wire_put_u32(&k->bytes, type);
	wire_put_u64(&k->bytes, id);
	wire_put_u32(&k->bytes, (uint32_t)len);
	wire_put_u8(&k->bytes, fd >= 0);
	if (len)
		buf_append(&k->bytes, payload->data, len);
	c->backlog += HEADER_BYTES + len;
}

void channel_send(struct channel *c, uint32_t type, uint64_t id, const struct buf *payload, int fd)
{
	if (c->closed) {
		if (fd >= 0)
			close(fd);
		return;
	}
	enqueue(c, type, id, payload, fd);
	ev_prepare_start(c->loop, &c->flush);
}

void channel_send_later(struct channel *c, uint32_t type, uint64_t id, const struct buf *payload)
{
	if (c->closed)
		return;
	enqueue(c, type, id, payload, -1);
	if (c->backlog > READ_CHUNK)
		ev_prepare_start(c->loop, &c->flush);
	else if (!ev_is_active(&c->later))
		ev_timer_again(c->loop, &c->later);
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

/* One recvmsg. 1: something came; 0: nothing for now; -1: the end, or a broken rule. *more: there
 * may be more, since the buffer is full, or the kernel stopped at a descriptor. */
static int channel_receive(struct channel *c, bool *more)
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
	*more = n == READ_CHUNK || msg.msg_controllen > 0;
	c->in.len += (size_t)n;
	return n > 0 && kept ? 1 : -1;
}

static void on_readable(struct ev_loop *loop, ev_io *w, int events)
{
	struct channel *c = w->data;
	bool more = true, sound = true;
	int got = 1;

	(void)loop;
	(void)events;
	c->dispatching = true;
	for (int i = 0; more && sound && got > 0 && !c->closed && i < RECEIVES_AT_ONCE; i++) {
		more = false;
		got = channel_receive(c, &more);
		sound = channel_dispatch(c);
	}
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
	ev_timer_init(&c->later, on_later, 0., CHANNEL_LATER_S);
	c->readable.data = c->writable.data = c->flush.data = c->later.data = c;
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
