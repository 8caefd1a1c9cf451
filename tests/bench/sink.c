/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sink --gauge FILE --log FILE [--reply-ms N] [--serve N] [--samples DIR --sample-every N]
 *
 * An SMTP server that takes everything and writes down when each message arrived: the moment at
 * which the end of its data was read. It has to cost far less than what is measured, so it does no
 * more than find the end of the data and the message's name in its header. (Debian's smtp-sink
 * looks at each byte by itself, and cannot tell which message came.)
 *
 * With --reply-ms it is a slow destination: every reply takes that long, one after the other on
 * each connection, also to pipelined commands. With --serve it serves that many connections at one
 * time, and the others wait to be accepted. It listens on 127.0.0.1 and prints its port.
 */
#include "tests/bench/gauge.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

enum {
	EVENTS_MAX = 64,
	CONNECTIONS_MAX = 1024,
	READ_BYTES = 256 * 1024,
	OUTPUT_BYTES = 16 * 1024,
	COMMAND_MAX = 4096,
	HEADER_LOOK_BYTES = 16 * 1024,
	GATE_POLL_MS = 20,
};

struct connection {
	int fd; /* -1: free */
	bool in_data;
	bool closing; /* QUIT was answered */
	char *bytes;
	size_t len, cap, from, scanned;
	char out[OUTPUT_BYTES];
	size_t out_len;
	uint64_t reply_at_ns; /* the reply to the command at hand; 0: none is owed */
};

static struct {
	int epoll, listener;
	struct gauge *gauge;
	FILE *log;
	const char *sample_dir;
	uint64_t sample_every, reply_ns;
	size_t serve, connections;
	bool accepting;
	struct connection all[CONNECTIONS_MAX];
} sink = {.serve = CONNECTIONS_MAX};

static volatile sig_atomic_t stopping;

static void on_signal(int number)
{
	(void)number;
	stopping = 1;
}

static void set_accepting(bool on)
{
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL};

	if (on == sink.accepting)
		return;
	if (epoll_ctl(sink.epoll, on ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, sink.listener, &e) != 0)
		err(2, "epoll_ctl");
	sink.accepting = on;
}

static void connection_close(struct connection *c)
{
	close(c->fd);
	c->fd = -1;
	sink.connections--;
	atomic_store(&sink.gauge->connections, sink.connections);
	set_accepting(sink.connections < sink.serve);
}

static void flush(struct connection *c)
{
	size_t sent = 0;

	while (sent < c->out_len) {
		ssize_t n = send(c->fd, c->out + sent, c->out_len - sent, MSG_NOSIGNAL);
		if (n <= 0) /* the few bytes of a reply always fit, or the peer is gone */
			break;
		sent += (size_t)n;
	}
	c->out_len = 0;
}

static void say(struct connection *c, const char *reply)
{
	size_t n = strlen(reply);

	if (c->out_len + n > sizeof(c->out))
		flush(c);
	memcpy(c->out + c->out_len, reply, n);
	c->out_len += n;
}

/* ---- messages ---- */

static void keep_sample(const char *id, const char *bytes, size_t n)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/%.*s.eml", sink.sample_dir, ID_CHARS, id);
	FILE *f = fopen(path, "wb");
	if (!f || fwrite(bytes, 1, n, f) != n || fclose(f) != 0)
		err(2, "cannot write the sample '%s'", path);
}

static void arrived(const char *bytes, size_t n)
{
	struct arrival a = {.arrived_ns = now_ns()};
	size_t look = n < HEADER_LOOK_BYTES ? n : HEADER_LOOK_BYTES;
	const char *id = memmem(bytes, look, ID_FIELD, strlen(ID_FIELD));

	if (!id || (size_t)(bytes + look - id) < strlen(ID_FIELD) + ID_CHARS)
		errx(2, "a message without X-Bench-Id: '%.200s'", bytes);
	id += strlen(ID_FIELD);
	a.tag = (unsigned char)*id;
	a.number = strtoull(id + 1, NULL, 10);
	if (a.tag < 'A' || a.tag >= 'A' + GAUGE_TAGS)
		errx(2, "X-Bench-Id: '%.*s' has no tag A to Z", ID_CHARS, id);
	if (fwrite(&a, sizeof(a), 1, sink.log) != 1)
		err(2, "cannot write the log");
	if (sink.sample_every && a.number % sink.sample_every == 0)
		keep_sample(id, bytes, n);
	atomic_store(&sink.gauge->last_ns, a.arrived_ns);
	atomic_fetch_add(&sink.gauge->arrived_of[a.tag - 'A'], 1);
	atomic_fetch_add(&sink.gauge->arrived, 1);
}

/* ---- the dialogue: a step takes one command, or one message, and owes one reply ---- */

static const char *command_reply(struct connection *c, const char *line)
{
	if (strncasecmp(line, "EHLO", 4) == 0)
		return "250-sink.example\r\n250-PIPELINING\r\n250-SIZE 104857600\r\n250 "
		       "8BITMIME\r\n";
	if (strncasecmp(line, "DATA", 4) == 0) {
		c->in_data = true;
		return "354 go ahead\r\n";
	}
	if (strncasecmp(line, "QUIT", 4) == 0) {
		c->closing = true;
		return "221 bye\r\n";
	}
	return "250 ok\r\n";
}

static void consume(struct connection *c, size_t n)
{
	c->from += n;
	c->scanned = c->from;
	if (c->from == c->len)
		c->from = c->scanned = c->len = 0;
}

static const char *step_data(struct connection *c)
{
	/* The end may begin in what an earlier look had as its last bytes. */
	size_t start = c->scanned > c->from + 4 ? c->scanned - 4 : c->from;
	const char *bytes = c->bytes + c->from;
	const char *end = memmem(c->bytes + start, c->len - start, "\r\n.\r\n", 5);

	if (!end) {
		c->scanned = c->len;
		return NULL;
	}
	arrived(bytes, (size_t)(end - bytes) + 2);
	c->in_data = false;
	consume(c, (size_t)(end - bytes) + 5);
	return "250 kept\r\n";
}

static const char *step_command(struct connection *c)
{
	char *line = c->bytes + c->from;
	char *end = memchr(line, '\n', c->len - c->from);

	if (!end) {
		if (c->len - c->from > COMMAND_MAX)
			errx(2, "a command of more than %d bytes: '%.80s'", COMMAND_MAX, line);
		return NULL;
	}
	const char *reply = command_reply(c, line);
	consume(c, (size_t)(end - line) + 1);
	return reply;
}

static void work(struct connection *c)
{
	while (c->len > c->from && !c->reply_at_ns && !c->closing) {
		const char *reply = c->in_data ? step_data(c) : step_command(c);
		if (!reply)
			break;
		say(c, reply);
		if (sink.reply_ns)
			c->reply_at_ns = now_ns() + sink.reply_ns;
	}
	if (c->reply_at_ns)
		return;
	flush(c);
	if (c->closing)
		connection_close(c);
}

static void on_readable(struct connection *c)
{
	if (c->from && c->len == c->cap) {
		memmove(c->bytes, c->bytes + c->from, c->len - c->from);
		c->len -= c->from;
		c->scanned -= c->from;
		c->from = 0;
	}
	if (c->len == c->cap) {
		c->cap = c->cap ? c->cap * 2 : READ_BYTES;
		c->bytes = realloc(c->bytes, c->cap);
		if (!c->bytes)
			err(2, "out of memory");
	}
	ssize_t n = recv(c->fd, c->bytes + c->len, c->cap - c->len, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		connection_close(c);
		return;
	}
	c->len += (size_t)n;
	work(c);
}

static void on_connection(void)
{
	struct connection *c = sink.all;
	int on = 1, fd = accept4(sink.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0)
		return;
	while (c->fd >= 0)
		c++;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	c->fd = fd;
	c->in_data = c->closing = false;
	c->len = c->from = c->scanned = c->out_len = 0;
	struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
	if (epoll_ctl(sink.epoll, EPOLL_CTL_ADD, fd, &e) != 0)
		err(2, "epoll_ctl");
	sink.connections++;
	atomic_store(&sink.gauge->connections, sink.connections);
	if (sink.connections > atomic_load(&sink.gauge->connections_max))
		atomic_store(&sink.gauge->connections_max, sink.connections);
	set_accepting(sink.connections < sink.serve);
	say(c, "220 sink.example ESMTP\r\n");
	c->reply_at_ns = sink.reply_ns ? now_ns() + sink.reply_ns : 0;
	if (!c->reply_at_ns)
		flush(c);
}

/* Replies that are due; the time until the next one. */
static int slow_replies(void)
{
	uint64_t now = now_ns(), next = UINT64_MAX;

	for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
		struct connection *c = &sink.all[i];
		if (c->fd < 0 || !c->reply_at_ns)
			continue;
		if (c->reply_at_ns <= now) {
			c->reply_at_ns = 0;
			work(c);
		}
		if (c->fd >= 0 && c->reply_at_ns && c->reply_at_ns < next)
			next = c->reply_at_ns;
	}
	if (next == UINT64_MAX)
		return -1;
	return next > now ? (int)((next - now + 999999) / 1000000) : 0;
}

static void run(void)
{
	struct epoll_event events[EVENTS_MAX];
	const struct timespec while_closed = {.tv_nsec = GATE_POLL_MS * 1000000};

	while (!stopping) {
		if (atomic_load(&sink.gauge->gate)) {
			nanosleep(&while_closed, NULL);
			continue;
		}
		/* Never for long: the gate is looked at. */
		int wait_ms = sink.reply_ns ? slow_replies() : -1;
		if (wait_ms < 0 || wait_ms > GATE_POLL_MS)
			wait_ms = GATE_POLL_MS;
		int n = epoll_wait(sink.epoll, events, EVENTS_MAX, wait_ms);
		for (int i = 0; i < n; i++) {
			if (!events[i].data.ptr)
				on_connection();
			else
				on_readable(events[i].data.ptr);
		}
	}
}

static uint16_t listen_anywhere(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(a);

	sink.listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (sink.listener < 0 || bind(sink.listener, (struct sockaddr *)&a, sizeof(a)) != 0 ||
	    listen(sink.listener, SOMAXCONN) != 0 ||
	    getsockname(sink.listener, (struct sockaddr *)&a, &n) != 0)
		err(2, "cannot listen on 127.0.0.1");
	return ntohs(a.sin_port);
}

static const struct option options[] = {
	{"gauge", required_argument, NULL, 'g'},
	{"log", required_argument, NULL, 'l'},
	{"reply-ms", required_argument, NULL, 'r'},
	{"serve", required_argument, NULL, 's'},
	{"samples", required_argument, NULL, 'd'},
	{"sample-every", required_argument, NULL, 'e'},
	{0},
};

static void take_option(int option, const char *value)
{
	switch (option) {
	case 'g':
		sink.gauge = gauge_map(value);
		break;
	case 'l':
		sink.log = fopen(value, "wb");
		break;
	case 'r':
		sink.reply_ns = strtoull(value, NULL, 10) * 1000000;
		break;
	case 's':
		sink.serve = strtoull(value, NULL, 10);
		break;
	case 'd':
		sink.sample_dir = value;
		break;
	case 'e':
		sink.sample_every = strtoull(value, NULL, 10);
		break;
	default:
		exit(2);
	}
}

int main(int argc, char **argv)
{
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		take_option(option, optarg);
	if (!sink.gauge || !sink.log || optind != argc || !sink.serve ||
	    sink.serve > CONNECTIONS_MAX || (sink.sample_every && !sink.sample_dir))
		errx(2, "--gauge, --log; --serve 1 to %d; --sample-every with --samples",
		     CONNECTIONS_MAX);
	for (size_t i = 0; i < CONNECTIONS_MAX; i++)
		sink.all[i].fd = -1;
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	sink.epoll = epoll_create1(EPOLL_CLOEXEC);
	printf("%u\n", listen_anywhere());
	fflush(stdout);
	set_accepting(true);
	run();
	return fclose(sink.log) == 0 ? 0 : 2;
}
