/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gatepost-syslog: sends every log line of this box to the receivers of 'system syslog'.
 *
 *	gatepost-syslog [-u USER] [-p PORT] [-k KMSG] RECEIVERS FOLDER...
 *
 * RECEIVERS is a file of addresses, one a line; each FOLDER is one that svlogd writes into. It only
 * reads: the files' one writer stays svlogd, and neither a receiver that is away nor the end of
 * this program holds anybody up. UDP, so what a receiver does not take is lost to it; it stays in
 * the files. It begins with what is logged after its start.
 */
#include "gateway/syslog/follow.h"
#include "gateway/syslog/line.h"
#include "lib/addr.h"
#include "lib/log.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

enum { RECEIVERS_MAX = 8, FOLDERS_MAX = 32, SYSLOG_PORT = 514 };

struct sender {
	char host[256];
	int receivers[RECEIVERS_MAX];
	size_t receivers_n;
	struct follow follows[FOLDERS_MAX];
	size_t follows_n;
	int kmsg, inotify; /* kmsg: -1 for none */
};

/* ---- sending ---- */

static void send_message(const struct sender *s, const struct buf *message)
{
	size_t n = message->len < SYSLOG_MESSAGE_MAX ? message->len : SYSLOG_MESSAGE_MAX;

	for (size_t i = 0; i < s->receivers_n; i++) {
		/* An error here may be the last message's: the network told of it only now. */
		if (send(s->receivers[i], message->data, n, MSG_DONTWAIT) < 0)
			(void)!send(s->receivers[i], message->data, n, MSG_DONTWAIT);
	}
}

static void send_line(const struct follow *f, const char *line, size_t n, void *context)
{
	const struct sender *s = context;
	struct buf message = BUF_INIT;

	syslog_service_line(s->host, f->service, line, n, &message);
	send_message(s, &message);
	buf_free(&message);
}

static void send_kernel_lines(struct sender *s)
{
	char line[8192], now[32];
	struct buf message = BUF_INIT;
	ssize_t n;

	/* EPIPE: lines were overwritten before they were read; the next read goes on behind them.
	 */
	while ((n = read(s->kmsg, line, sizeof(line))) > 0 || (n < 0 && errno == EPIPE)) {
		time_t at = time(NULL);
		struct tm utc;
		strftime(now, sizeof(now), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&at, &utc));
		buf_clear(&message);
		if (n > 0 && syslog_kernel_line(s->host, now, line, (size_t)n, &message))
			send_message(s, &message);
	}
	buf_free(&message);
}

/* ---- starting ---- */

static void add_receiver(struct sender *s, const char *text, uint16_t port)
{
	struct sockaddr_storage to;
	struct addr a;

	if (!addr_parse(text, &a))
		fatal("\"%s\" is not an address", text);
	if (s->receivers_n == RECEIVERS_MAX)
		fatal("more than %d receivers", RECEIVERS_MAX);
	int fd = socket(a.family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	socklen_t len = addr_to_sockaddr(&a, port, &to);
	/* Only chooses the way: an address with no route now may have one later. */
	if (fd < 0 || (connect(fd, (struct sockaddr *)&to, len) && errno != ENETUNREACH &&
		       errno != EHOSTUNREACH))
		fatal("receiver %s: %s", text, strerror(errno));
	s->receivers[s->receivers_n++] = fd;
}

static void read_receivers(struct sender *s, const char *path, uint16_t port)
{
	struct buf text = BUF_INIT;
	char *line, *rest;

	if (!buf_read_file(&text, path, 4096))
		fatal("%s: %s", path, strerror(errno));
	buf_appendc(&text, '\0');
	for (line = strtok_r(text.data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		add_receiver(s, line, port);
	buf_free(&text);
	if (!s->receivers_n)
		fatal("%s names no receiver", path);
}

static void become(const char *user)
{
	const struct passwd *pw = getpwnam(user);

	if (!pw || setgroups(0, NULL) || setgid(pw->pw_gid) || setuid(pw->pw_uid))
		fatal("cannot become user %s: %s", user, pw ? strerror(errno) : "there is none");
}

static void run(struct sender *s)
{
	struct pollfd fds[] = {{.fd = s->inotify, .events = POLLIN},
			       {.fd = s->kmsg, .events = POLLIN}};
	char events[4096];

	while (poll(fds, 2, -1) >= 0 || errno == EINTR) {
		/* Which of them does not matter: whoever has nothing new says so at once. */
		while (read(s->inotify, events, sizeof(events)) > 0)
			;
		for (size_t i = 0; i < s->follows_n; i++)
			follow_read(&s->follows[i], send_line, s);
		if (fds[1].revents)
			send_kernel_lines(s);
	}
	fatal("poll: %s", strerror(errno));
}

int main(int argc, char **argv)
{
	static struct sender s = {.kmsg = -1};
	const char *user = NULL, *kmsg = NULL;
	uint16_t port = SYSLOG_PORT;
	int option;

	log_open("gatepost-syslog", LOG_LEVEL_INFO);
	while ((option = getopt(argc, argv, "u:p:k:")) != -1) {
		if (option == 'u')
			user = optarg;
		else if (option == 'p')
			port = (uint16_t)atoi(optarg);
		else if (option == 'k')
			kmsg = optarg;
		else
			return 2;
	}
	if (argc - optind < 2 || argc - optind - 1 > FOLDERS_MAX)
		fatal("usage: gatepost-syslog [-u USER] [-p PORT] [-k KMSG] RECEIVERS FOLDER...");
	if (gethostname(s.host, sizeof(s.host) - 1))
		fatal("gethostname: %s", strerror(errno));
	read_receivers(&s, argv[optind], port);
	s.inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (kmsg && (s.kmsg = open(kmsg, O_RDONLY | O_NONBLOCK | O_CLOEXEC)) < 0)
		fatal("%s: %s", kmsg, strerror(errno));
	if (s.kmsg >= 0)
		lseek(s.kmsg, 0, SEEK_END);
	if (user)
		become(user);
	for (int i = optind + 1; i < argc; i++) {
		if (inotify_add_watch(s.inotify, argv[i], IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0)
			fatal("%s: %s", argv[i], strerror(errno));
		follow_open(&s.follows[s.follows_n++], argv[i], false);
	}
	log_info("ready");
	run(&s);
}
