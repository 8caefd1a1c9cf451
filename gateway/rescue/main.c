/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * gatepost-rescue: what the command line turns to while gatepostd is down, and for the logs, the
 * services and the power at any time (deeds.h).
 *
 * One question a connection, one connection at a time, each with a few seconds to ask: a JSON
 * object on a line in, one out. It holds nothing in memory between two of them.
 */
#include "gateway/listen.h"
#include "gateway/rescue/deeds.h"
#include "lib/log.h"
#include "model/text.h"

#include <errno.h>
#include <getopt.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#define REQUEST_MAX (2 * TEXT_MAX) /* bytes: a whole config, escaped */

enum { PATIENCE_S = 10 };

static const struct {
	struct option option;
	const char *argument, *help;
} options_known[] = {
	{{"config", 1, NULL, 'c'}, "FILE", "the config (/config/gatepost.conf)"},
	{{"store", 1, NULL, 's'}, "DIR", "revisions and the like (the config's folder)"},
	{{"run-dir", 1, NULL, 'r'}, "DIR", "sockets (/run/gatepost)"},
	{{"services", 1, NULL, 'S'}, "DIR", "runit's services (/etc/service)"},
	{{"logs", 1, NULL, 'l'}, "DIR", "their logs (/var/log)"},
	{{"release", 1, NULL, 'R'}, "FILE", "about the image (/etc/gatepost/release)"},
	{{"power", 1, NULL, 'p'}, "DIR", "reboot and poweroff (/sbin)"},
	{{"help", 0, NULL, 'h'}, "", "this list"},
};
#define OPTION_COUNT (sizeof(options_known) / sizeof(*options_known))

_Noreturn static void usage(FILE *out, int status)
{
	fprintf(out, "gatepost-rescue [OPTIONS]: the store's keeper while gatepostd is down\n");
	for (size_t i = 0; i < OPTION_COUNT; i++)
		fprintf(out, "  --%-8s %-5s %s\n", options_known[i].option.name,
			options_known[i].argument, options_known[i].help);
	exit(status);
}

/* The run folder. */
static const char *parse_options(struct rescue *r, int argc, char **argv)
{
	struct option list[OPTION_COUNT + 1] = {0};
	const char *run_dir = "/run/gatepost";
	int c;

	for (size_t i = 0; i < OPTION_COUNT; i++)
		list[i] = options_known[i].option;
	while ((c = getopt_long(argc, argv, "", list, NULL)) != -1) {
		switch (c) {
		case 'c':
			r->config = optarg;
			break;
		case 's':
			r->store = optarg;
			break;
		case 'r':
			run_dir = optarg;
			break;
		case 'S':
			r->services = optarg;
			break;
		case 'l':
			r->logs = optarg;
			break;
		case 'R':
			r->release = optarg;
			break;
		case 'p':
			r->power = optarg;
			break;
		case 'h':
			usage(stdout, 0);
		default:
			usage(stderr, 2);
		}
	}
	if (optind < argc) {
		fprintf(stderr, "gatepost-rescue: \"%s\": an option begins with --\n",
			argv[optind]);
		usage(stderr, 2);
	}
	return run_dir;
}

/* DIR/NAME; lives as long as the process. */
static const char *below(const char *dir, const char *name)
{
	struct buf path = BUF_INIT;

	buf_printf(&path, "%s/%s", dir, name);
	return buf_steal(&path);
}

static const char *folder_of(const char *path)
{
	char *copy = strdup(path);

	if (!copy)
		abort();
	return dirname(copy);
}

/* ---- one question ---- */

/* Up to the line's end. False when none came in time. */
static bool read_request(int fd, struct buf *line)
{
	size_t searched = 0;
	char *end;

	while (!(end = line->len > searched
			       ? memchr(line->data + searched, '\n', line->len - searched)
			       : NULL)) {
		searched = line->len;
		buf_reserve(line, 65536);
		ssize_t n = recv(fd, line->data + line->len, 65536, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0 || line->len + (size_t)n > REQUEST_MAX)
			return false;
		line->len += (size_t)n;
	}
	buf_truncate(line, (size_t)(end - line->data));
	return true;
}

static void write_answer(int fd, const json_t *answer)
{
	char *text = json_dumps(answer, JSON_COMPACT);
	struct buf line = BUF_INIT;
	size_t sent = 0;
	ssize_t n = 0;

	buf_printf(&line, "%s\n", text ? text : "{\"ok\":false,\"error\":\"no answer\\n\"}");
	free(text);
	while (sent < line.len &&
	       ((n = send(fd, line.data + sent, line.len - sent, MSG_NOSIGNAL)) > 0 ||
		errno == EINTR))
		sent += n > 0 ? (size_t)n : 0;
	buf_free(&line);
}

static void serve_one(const struct rescue *r, int fd)
{
	const struct timeval patience = {.tv_sec = PATIENCE_S};
	struct buf line = BUF_INIT;
	struct peer peer;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (peer_identify(fd, 1, &peer) && read_request(fd, &line)) {
		json_t *request = json_loadb(buf_str(&line), line.len, 0, NULL);
		json_t *answer = json_is_object(request)
					 ? rescue_answer(r, &peer, request)
					 : json_pack("{s:b s:s}", "ok", 0, "error",
						     "the request is not a JSON object\n");
		write_answer(fd, answer);
		json_decref(answer);
		json_decref(request);
	}
	buf_free(&line);
	close(fd);
}

int main(int argc, char **argv)
{
	struct rescue r = {
		.config = "/config/gatepost.conf",
		.services = "/etc/service",
		.logs = "/var/log",
		.release = "/etc/gatepost/release",
		.power = "/sbin",
	};
	struct buf error = BUF_INIT;

	log_open("gatepost-rescue", LOG_LEVEL_INFO);
	const char *run_dir = parse_options(&r, argc, argv);
	if (!r.store)
		r.store = folder_of(r.config);
	r.control = below(run_dir, "control.sock");
	r.disks = below(run_dir, "disks");
	const char *socket_path = below(run_dir, "rescue.sock");
	signal(SIGPIPE, SIG_IGN);
	umask(022);
	if (mkdir(run_dir, 0755) != 0 && errno != EEXIST)
		fatal("cannot create %s: %s", run_dir, strerror(errno));
	umask(077);
	int listening = listen_for_people(socket_path, 0, &error);
	if (listening < 0)
		fatal("%s", buf_str(&error));
	log_info("answering at %s", socket_path);
	for (;;) {
		int fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
		listen_open_to_logins(socket_path); /* a commit may have made the group meanwhile */
		if (fd >= 0)
			serve_one(&r, fd);
		else if (errno != EINTR && errno != ECONNABORTED)
			fatal("cannot accept: %s", strerror(errno));
	}
}
