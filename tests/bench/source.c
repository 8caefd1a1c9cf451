/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * source --port N --template FILE --from ADDRESS --to ADDRESS --tag LETTER [options]
 *
 * Submits messages over sessions that stay open, each command answered before the next one is
 * sent, as Debian's smtp-source -d does; but it costs less, gives each message a name of its own
 * (ID_MARK in the template), and writes down when each was sent and when the 250 came.
 *
 *   --count N          messages; 0: until SIGTERM
 *   --sessions N       at one time
 *   --interval-us N    a message falls due each N us, whether or not the last one is through;
 *                      without it, as fast as the sessions are answered
 *   --backlog N        at most N messages of this tag accepted and not yet at the sink (--gauge)
 *   --gauge FILE, --log FILE, --bind ADDRESS
 *
 * Any reply but the one hoped for ends it with status 1 and the reply's text: a bench that lost a
 * message has no result.
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
	SESSIONS_MAX = 512,
	REPLY_BYTES = 4096,
	ID_PLACES_MAX = 16,
	POLL_MS = 1, /* when the backlog is full */
};

enum state { GREETING, HELLO, IDLE, MAIL, RCPT, DATA, BODY };

struct session {
	int fd;
	enum state state;
	char *text; /* the template, with this message's name */
	size_t sent;
	bool writing; /* of text */
	char reply[REPLY_BYTES];
	size_t reply_len;
	struct submission now;
};

static struct {
	struct sockaddr_in server, local;
	const char *from, *to;
	unsigned tag;
	uint64_t count, interval_ns, backlog;
	size_t session_count;
	struct gauge *gauge;
	FILE *log;
	char *text; /* the template, dot-stuffed, with its end-of-data */
	size_t text_len;
	size_t id_places[ID_PLACES_MAX], id_place_count;
	int epoll;
	uint64_t started_ns, begun, accepted;
	struct session sessions[SESSIONS_MAX];
} source = {.session_count = 1};

static volatile sig_atomic_t stopping;

static void on_signal(int number)
{
	(void)number;
	stopping = 1;
}

/* ---- the template ---- */

static void load_template(const char *path)
{
	FILE *f = fopen(path, "rb");

	if (!f || fseek(f, 0, SEEK_END) != 0)
		err(2, "cannot read the template '%s'", path);
	size_t n = (size_t)ftell(f);
	rewind(f);
	source.text = malloc(n + 4);
	if (!source.text || fread(source.text, 1, n, f) != n)
		err(2, "cannot read the template '%s'", path);
	fclose(f);
	if (n < 2 || memcmp(source.text + n - 2, "\r\n", 2) != 0 ||
	    memmem(source.text, n, "\r\n.", 3))
		errx(2, "the template '%s' does not end with CRLF, or has a line with a dot first",
		     path);
	memcpy(source.text + n, ".\r\n", 3);
	source.text_len = n + 3;
	for (char *at = source.text;
	     (at = memmem(at, source.text_len - (size_t)(at - source.text), ID_MARK, ID_CHARS));
	     at += ID_CHARS) {
		if (source.id_place_count == ID_PLACES_MAX)
			errx(2, "more than %d times %s", ID_PLACES_MAX, ID_MARK);
		source.id_places[source.id_place_count++] = (size_t)(at - source.text);
	}
}

static void name_message(struct session *s)
{
	char id[32];

	snprintf(id, sizeof(id), "%c%011llu", (char)source.tag, (unsigned long long)s->now.number);
	for (size_t i = 0; i < source.id_place_count; i++)
		memcpy(s->text + source.id_places[i], id, ID_CHARS);
}

/* ---- the dialogue ---- */

static void watch(struct session *s, uint32_t events, int op)
{
	struct epoll_event e = {.events = events, .data.ptr = s};

	if (epoll_ctl(source.epoll, op, s->fd, &e) != 0)
		err(2, "epoll_ctl");
}

static void command(struct session *s, enum state state, const char *format, const char *argument)
{
	char line[512];
	int n = snprintf(line, sizeof(line), format, argument);

	if (send(s->fd, line, (size_t)n, MSG_NOSIGNAL) != n)
		err(1, "cannot send '%.60s'", line);
	s->state = state;
}

static void send_text(struct session *s)
{
	s->now.sent_ns = now_ns();
	ssize_t n = send(s->fd, s->text + s->sent, source.text_len - s->sent, MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN)
		err(1, "the server went away within message %llu",
		    (unsigned long long)s->now.number);
	s->sent += n > 0 ? (size_t)n : 0;
	bool writing = s->sent < source.text_len;
	if (writing != s->writing)
		watch(s, writing ? EPOLLIN | EPOLLOUT : EPOLLIN, EPOLL_CTL_MOD);
	s->writing = writing;
}

static bool may_begin(void)
{
	if (stopping || (source.count && source.begun == source.count))
		return false;
	if (source.interval_ns && now_ns() < source.started_ns + source.begun * source.interval_ns)
		return false;
	if (source.backlog) {
		uint64_t gone = atomic_load_explicit(&source.gauge->arrived_of[source.tag - 'A'],
						     memory_order_relaxed);
		return source.begun < gone + source.backlog;
	}
	return true;
}

static void begin(struct session *s)
{
	s->now.number = source.begun;
	s->now.due_ns = source.interval_ns ? source.started_ns + source.begun * source.interval_ns
					   : now_ns();
	source.begun++;
	name_message(s);
	command(s, MAIL, "MAIL FROM:<%s>\r\n", source.from);
}

static void accepted(struct session *s)
{
	s->now.accepted_ns = now_ns();
	if (source.log && fwrite(&s->now, sizeof(s->now), 1, source.log) != 1)
		err(2, "cannot write the log");
	source.accepted++;
	s->state = IDLE;
	if (may_begin())
		begin(s);
}

static void on_reply(struct session *s)
{
	static const char hoped[] = {[GREETING] = '2', [HELLO] = '2', [MAIL] = '2',
				     [RCPT] = '2',     [DATA] = '3',  [BODY] = '2'};

	if (s->state == IDLE || s->reply[0] != hoped[s->state])
		errx(1, "in state %d of message %llu, the server said '%.*s'", s->state,
		     (unsigned long long)s->now.number, (int)s->reply_len, s->reply);
	switch (s->state) {
	case GREETING:
		command(s, HELLO, "EHLO %s\r\n", "source.example");
		break;
	case HELLO:
		s->state = IDLE;
		if (may_begin())
			begin(s);
		break;
	case MAIL:
		command(s, RCPT, "RCPT TO:<%s>\r\n", source.to);
		break;
	case RCPT:
		command(s, DATA, "%s\r\n", "DATA");
		break;
	case DATA:
		s->state = BODY;
		s->sent = 0;
		send_text(s);
		break;
	case BODY:
		accepted(s);
		break;
	case IDLE:
		break;
	}
}

/* Is the reply whole: does it end with a line whose code is followed by no hyphen? */
static bool is_whole(const char *reply, size_t n)
{
	if (n < 4 || reply[n - 1] != '\n')
		return false;
	const char *last = memrchr(reply, '\n', n - 1);
	last = last ? last + 1 : reply;
	return reply + n - last >= 4 && last[3] != '-';
}

static void on_readable(struct session *s)
{
	ssize_t n = recv(s->fd, s->reply + s->reply_len, sizeof(s->reply) - s->reply_len, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0)
		errx(1, "the server closed a session: %s", n ? strerror(errno) : "end of file");
	s->reply_len += (size_t)n;
	if (is_whole(s->reply, s->reply_len)) {
		on_reply(s);
		s->reply_len = 0;
	} else if (s->reply_len == sizeof(s->reply)) {
		errx(1, "a reply of more than %d bytes", REPLY_BYTES);
	}
}

static void session_open(struct session *s)
{
	int on = 1;

	s->now.tag = source.tag;
	s->text = malloc(source.text_len);
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (!s->text || s->fd < 0)
		err(2, "no socket or no memory");
	memcpy(s->text, source.text, source.text_len);
	if (source.local.sin_family &&
	    bind(s->fd, (struct sockaddr *)&source.local, sizeof(source.local)) != 0)
		err(2, "cannot bind the local address");
	if (connect(s->fd, (struct sockaddr *)&source.server, sizeof(source.server)) != 0)
		err(1, "cannot connect");
	setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	fcntl(s->fd, F_SETFL, O_NONBLOCK);
	watch(s, EPOLLIN, EPOLL_CTL_ADD);
}

/* How long nothing can be begun, at the least. */
static int pause_ms(void)
{
	if (!source.interval_ns)
		return source.backlog ? POLL_MS : 100;
	uint64_t due = source.started_ns + source.begun * source.interval_ns, now = now_ns();
	return due > now ? (int)((due - now + 999999) / 1000000) : POLL_MS;
}

static bool is_done(void)
{
	bool all = stopping || (source.count && source.begun == source.count);

	return all && source.accepted == source.begun;
}

static void run(void)
{
	struct epoll_event events[EVENTS_MAX];
	size_t next = 0;

	source.started_ns = now_ns();
	while (!is_done()) {
		int n = epoll_wait(source.epoll, events, EVENTS_MAX, pause_ms());
		for (int i = 0; i < n; i++) {
			struct session *s = events[i].data.ptr;
			if (events[i].events & EPOLLOUT)
				send_text(s);
			if (events[i].events & ~(uint32_t)EPOLLOUT)
				on_readable(s);
		}
		/* What an answer did not begin at once: an interval's or a backlog's next. */
		for (size_t i = 0; i < source.session_count && may_begin(); i++) {
			next = (next + 1) % source.session_count;
			if (source.sessions[next].state == IDLE)
				begin(&source.sessions[next]);
		}
	}
}

static const struct option options[] = {
	{"port", required_argument, NULL, 'p'},
	{"template", required_argument, NULL, 't'},
	{"from", required_argument, NULL, 'f'},
	{"to", required_argument, NULL, 'r'},
	{"tag", required_argument, NULL, 'a'},
	{"count", required_argument, NULL, 'n'},
	{"sessions", required_argument, NULL, 's'},
	{"interval-us", required_argument, NULL, 'i'},
	{"backlog", required_argument, NULL, 'b'},
	{"gauge", required_argument, NULL, 'g'},
	{"log", required_argument, NULL, 'l'},
	{"bind", required_argument, NULL, 'B'},
	{0},
};

static void take_option(int option, const char *value)
{
	uint64_t number = strtoull(value, NULL, 10);

	switch (option) {
	case 'p':
		source.server.sin_port = htons((uint16_t)number);
		break;
	case 't':
		load_template(value);
		break;
	case 'f':
		source.from = value;
		break;
	case 'r':
		source.to = value;
		break;
	case 'a':
		source.tag = (unsigned char)*value;
		break;
	case 'n':
		source.count = number;
		break;
	case 's':
		source.session_count = number;
		break;
	case 'i':
		source.interval_ns = number * 1000;
		break;
	case 'b':
		source.backlog = number;
		break;
	case 'g':
		source.gauge = gauge_map(value);
		break;
	case 'l':
		source.log = fopen(value, "wb");
		break;
	case 'B':
		source.local.sin_family = AF_INET;
		if (inet_pton(AF_INET, value, &source.local.sin_addr) != 1)
			errx(2, "--bind '%s' is no IPv4 address", value);
		break;
	default:
		exit(2);
	}
}

int main(int argc, char **argv)
{
	int option;

	source.server.sin_family = AF_INET;
	source.server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		take_option(option, optarg ? optarg : "");
	if (!source.text || !source.from || !source.to || source.tag < 'A' ||
	    source.tag >= 'A' + GAUGE_TAGS || !source.session_count ||
	    source.session_count > SESSIONS_MAX || (source.backlog && !source.gauge) ||
	    optind != argc)
		errx(2,
		     "--port --template --from --to --tag A to Z; --sessions 1 to %d; --backlog "
		     "with --gauge",
		     SESSIONS_MAX);
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	source.epoll = epoll_create1(EPOLL_CLOEXEC);
	for (size_t i = 0; i < source.session_count; i++)
		session_open(&source.sessions[i]);
	run();
	printf("%llu\n", (unsigned long long)source.accepted);
	return source.log && fclose(source.log) != 0 ? 2 : 0;
}
