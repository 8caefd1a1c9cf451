/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "console/ssh.h"

#include "console/peers.h"
#include "lib/log.h"

#include <errno.h>
#include <lwip/priv/tcp_priv.h>
#include <lwip/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	PORT = 22,
	OUT_BYTES = 16384,
	HALF_OPEN_MAX = 64,
	LEFT_MAX = 16, /* connections that we are done with and the client not */
	/* A laptop that was unplugged frees its place in a minute. */
	KEEP_IDLE_MS = 30000,
	KEEP_EVERY_MS = 10000,
	KEEP_TRIES = 3,
};

struct session {
	struct tcp_pcb *pcb; /* NULL: this place is free */
	int fd;              /* to the SSH server */
	bool client_done;    /* it sent FIN */
	bool told_server;    /* and the server knows */
	bool server_done;    /* it closed its end */
	uint8_t in[TCP_WND]; /* from the client: never more than the window that we gave it */
	size_t in_len;
	uint8_t out[OUT_BYTES];
	size_t out_len, out_sent;
};

static struct session sessions[SESSIONS_MAX];
static ssh_start *start_server;
static void *start_context;

/* ---- the life of a session ---- */

static struct session *free_place(void)
{
	for (size_t i = 0; i < SESSIONS_MAX; i++)
		if (!sessions[i].pcb)
			return &sessions[i];
	return NULL;
}

static void release(struct session *s)
{
	close(s->fd);
	s->pcb = NULL;
}

/* The client's connection is gone without us. */
static void on_error(void *arg, err_t why)
{
	(void)why;
	release(arg);
}

static err_t on_received(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t why)
{
	struct session *s = arg;

	(void)why;
	if (!p) {
		s->client_done = true;
		return ERR_OK;
	}
	if (p->tot_len > sizeof(s->in) - s->in_len) {
		/* Beyond the window: lwIP trims that, so this is no client's doing. */
		log_error("lwIP delivered more than its window");
		pbuf_free(p);
		release(s);
		tcp_abort(pcb);
		return ERR_ABRT;
	}
	pbuf_copy_partial(p, s->in + s->in_len, p->tot_len, 0);
	s->in_len += p->tot_len;
	pbuf_free(p);
	return ERR_OK;
}

static void settle(struct session *s, struct tcp_pcb *pcb, int fd)
{
	s->pcb = pcb;
	s->fd = fd;
	s->client_done = s->told_server = s->server_done = false;
	s->in_len = s->out_len = s->out_sent = 0;
	tcp_arg(pcb, s);
	tcp_err(pcb, on_error);
	tcp_recv(pcb, on_received);
	tcp_nagle_disable(pcb);
	ip_set_option(pcb, SOF_KEEPALIVE);
	pcb->keep_idle = KEEP_IDLE_MS;
	pcb->keep_intvl = KEEP_EVERY_MS;
	pcb->keep_cnt = KEEP_TRIES;
}

static err_t on_accepted(void *arg, struct tcp_pcb *pcb, err_t why)
{
	struct session *s = free_place();
	char client[IPADDR_STRLEN_MAX] = "";
	int pair[2];

	(void)arg;
	if (!pcb || why != ERR_OK)
		return ERR_VAL;
	ipaddr_ntoa_r(&pcb->remote_ip, client, sizeof(client));
	if (!s || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0) {
		log_warn("%s: no place for another connection", client);
		tcp_abort(pcb);
		return ERR_ABRT;
	}
	bool started = start_server(start_context, pair[1], client);
	close(pair[1]);
	if (!started) {
		close(pair[0]);
		tcp_abort(pcb);
		return ERR_ABRT;
	}
	peers_keep(pcb);
	settle(s, pcb, pair[0]);
	return ERR_OK;
}

bool ssh_listen(ssh_start *start, void *context)
{
	struct tcp_pcb *pcb = tcp_new_ip_type(IPADDR_TYPE_ANY);

	start_server = start;
	start_context = context;
	if (!pcb || tcp_bind(pcb, IP_ANY_TYPE, PORT) != ERR_OK || !(pcb = tcp_listen(pcb)))
		return false;
	tcp_accept(pcb, on_accepted);
	return true;
}

/* ---- carrying ---- */

static void to_server(struct session *s)
{
	size_t sent = 0;
	ssize_t n = 0;

	while (!s->server_done && sent < s->in_len &&
	       (n = send(s->fd, s->in + sent, s->in_len - sent, MSG_NOSIGNAL | MSG_DONTWAIT)) > 0)
		sent += (size_t)n;
	if (s->server_done || (n < 0 && errno != EAGAIN && errno != EINTR))
		sent = s->in_len; /* nobody reads it any more */
	if (sent) {
		s->in_len -= sent;
		memmove(s->in, s->in + sent, s->in_len);
		tcp_recved(s->pcb, (u16_t)sent);
	}
	if (s->client_done && !s->told_server && !s->in_len) {
		shutdown(s->fd, SHUT_WR);
		s->told_server = true;
	}
}

/* Hands lwIP what it has room for; false: what is left has to wait. */
static bool send_out(struct session *s)
{
	while (s->out_sent < s->out_len) {
		size_t n = s->out_len - s->out_sent, room = tcp_sndbuf(s->pcb);
		n = n > room ? room : n;
		if (n == 0 || tcp_write(s->pcb, s->out + s->out_sent, (u16_t)n,
					TCP_WRITE_FLAG_COPY) != ERR_OK)
			return false;
		s->out_sent += n;
	}
	s->out_len = s->out_sent = 0;
	return true;
}

static void to_client(struct session *s)
{
	while (send_out(s) && !s->server_done) {
		ssize_t n = recv(s->fd, s->out, sizeof(s->out), MSG_DONTWAIT);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		s->server_done = n <= 0;
		s->out_len = n > 0 ? (size_t)n : 0;
	}
	tcp_output(s->pcb);
}

/* The server is done and all that it said has been handed over: lwIP sees to the rest. */
static void end(struct session *s)
{
	struct tcp_pcb *pcb = s->pcb;

	tcp_arg(pcb, NULL);
	tcp_err(pcb, NULL);
	tcp_recv(pcb, NULL);
	if (tcp_close(pcb) != ERR_OK)
		tcp_abort(pcb);
	release(s);
}

void ssh_pump(void)
{
	for (size_t i = 0; i < SESSIONS_MAX; i++) {
		struct session *s = &sessions[i];
		if (!s->pcb)
			continue;
		to_server(s);
		to_client(s);
		if (s->server_done && s->out_len == 0) {
			to_server(s); /* read or not, it is read: unread bytes make a RST */
			end(s);
		}
	}
}

unsigned ssh_poll_fds(struct pollfd out[SESSIONS_MAX])
{
	unsigned n = 0;

	for (size_t i = 0; i < SESSIONS_MAX; i++) {
		const struct session *s = &sessions[i];
		short events = 0;
		if (!s->pcb || s->server_done)
			continue;
		if (s->out_len == 0)
			events |= POLLIN;
		if (s->in_len)
			events |= POLLOUT;
		/* With nothing to wait for, a hang-up would wake us again and again. */
		if (events)
			out[n++] = (struct pollfd){.fd = s->fd, .events = events};
	}
	return n;
}

/* ---- floods ---- */

static bool is_half_open(const struct tcp_pcb *pcb)
{
	return pcb->state == SYN_RCVD;
}

/* Ours no more, and not closed for good: the client still has to say so. */
static bool is_left(const struct tcp_pcb *pcb)
{
	return !is_half_open(pcb) && !pcb->callback_arg;
}

static bool is_waiting(const struct tcp_pcb *pcb)
{
	return pcb->state == TIME_WAIT;
}

/* lwIP puts what it heard of last in front, so the last that fits is the one to drop. */
static struct tcp_pcb *last_of(struct tcp_pcb *list, bool (*fits)(const struct tcp_pcb *),
			       unsigned *n)
{
	struct tcp_pcb *last = NULL;

	*n = 0;
	for (struct tcp_pcb *pcb = list; pcb; pcb = pcb->next)
		if (fits(pcb)) {
			last = pcb;
			++*n;
		}
	return last;
}

static void keep(struct tcp_pcb *const *list, bool (*fits)(const struct tcp_pcb *), unsigned most)
{
	struct tcp_pcb *last;
	unsigned n;

	while ((last = last_of(*list, fits, &n)) && n > most)
		tcp_abandon(last, 0);
}

void ssh_prune(void)
{
	keep(&tcp_active_pcbs, is_half_open, HALF_OPEN_MAX);
	keep(&tcp_active_pcbs, is_left, LEFT_MAX);
	keep(&tcp_tw_pcbs, is_waiting, LEFT_MAX);
}
