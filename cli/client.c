/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/client.h"

#include "lib/buf.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_MAX ((size_t)128 << 20)

enum { AWAIT_MS = 100 };

struct client {
	const char *path;
	bool single;
	int fd;               /* -1 while there is no connection */
	unsigned connections; /* made so far */
	struct buf in;
};

static volatile sig_atomic_t interrupted;

void client_interrupt(void)
{
	interrupted = 1;
}

struct client *client_new(const char *path, bool single)
{
	struct client *c = calloc(1, sizeof(*c));

	if (!c)
		abort();
	c->path = path;
	c->single = single;
	c->fd = -1;
	return c;
}

unsigned client_connection(const struct client *c)
{
	return c->connections;
}

struct client *client_beside(const struct client *c)
{
	return client_new(c->path, c->single);
}

static void disconnect(struct client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	buf_clear(&c->in);
}

void client_free(struct client *c)
{
	if (!c)
		return;
	disconnect(c);
	buf_free(&c->in);
	free(c);
}

static bool connect_now(struct client *c)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};

	disconnect(c);
	if (strlen(c->path) >= sizeof(sun.sun_path)) {
		errno = ENAMETOOLONG;
		return false;
	}
	memcpy(sun.sun_path, c->path, strlen(c->path));
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd >= 0 && connect(c->fd, (struct sockaddr *)&sun, sizeof(sun)) == 0) {
		c->connections++;
		return true;
	}
	int saved = errno;
	disconnect(c);
	errno = saved;
	return false;
}

void client_await(struct client *c, int patience_ms, void (*early)(void))
{
	for (int waited_ms = 0; !connect_now(c) && waited_ms < patience_ms; waited_ms += AWAIT_MS) {
		if (errno != ENOENT && errno != ECONNREFUSED)
			return;
		if (waited_ms == 0)
			early();
		usleep(AWAIT_MS * 1000);
	}
}

/* False when gatepostd closed its end since the last request. */
static bool is_alive(const struct client *c)
{
	char byte;

	if (c->fd < 0)
		return false;
	return recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
	       (errno == EAGAIN || errno == EWOULDBLOCK);
}

static json_t *unreachable(const struct client *c, const char *why)
{
	struct buf text = BUF_INIT;

	buf_printf(&text, "gatepostd does not answer at %s: %s\n", c->path, why);
	json_t *answer =
		json_pack("{s:b s:b s:s}", "ok", 0, "unreachable", 1, "error", buf_str(&text));
	buf_free(&text);
	return answer;
}

static bool send_all(struct client *c, const char *bytes, size_t len)
{
	while (len) {
		ssize_t n = send(c->fd, bytes, len, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR && !interrupted)
			continue;
		if (n < 0)
			return false;
		bytes += n;
		len -= (size_t)n;
	}
	return true;
}

/* The next line as JSON; NULL with errno when there is none to be had. */
static json_t *read_line(struct client *c)
{
	size_t searched = 0;
	char *end;

	while (!(end = c->in.len > searched
			       ? memchr(c->in.data + searched, '\n', c->in.len - searched)
			       : NULL)) {
		searched = c->in.len;
		buf_reserve(&c->in, 65536);
		ssize_t n = recv(c->fd, c->in.data + c->in.len, 65536, 0);
		if (n < 0 && errno == EINTR && !interrupted)
			continue;
		if (n == 0)
			errno = ECONNRESET;
		if (n == 0 || c->in.len > ANSWER_MAX)
			return NULL;
		if (n < 0)
			return NULL;
		c->in.len += (size_t)n;
	}
	size_t len = (size_t)(end - c->in.data);
	json_t *line = json_loadb(c->in.data, len, 0, NULL);
	buf_consume(&c->in, len + 1);
	if (!json_is_object(line)) {
		json_decref(line);
		errno = EPROTO;
		return NULL;
	}
	return line;
}

static json_t *read_answer(struct client *c, client_output output, void *arg)
{
	for (;;) {
		json_t *line = read_line(c);
		if (!line || json_object_get(line, "ok"))
			return line;
		const char *text = json_string_value(json_object_get(line, "output"));
		if (text && output)
			output(arg, text);
		json_decref(line);
	}
}

json_t *client_ask(struct client *c, json_t *request, client_output output, void *arg)
{
	char *text = json_dumps(request, JSON_COMPACT);
	struct buf line = BUF_INIT;
	json_t *answer = NULL;

	interrupted = 0;
	json_decref(request);
	if (!text)
		return json_pack("{s:b s:s}", "ok", 0, "error", "this cannot be said: not UTF-8\n");
	buf_printf(&line, "%s\n", text);
	free(text);
	if (!is_alive(c) && !connect_now(c)) {
		answer = unreachable(c, errno == ENOENT || errno == ECONNREFUSED
						? "it is not running"
						: strerror(errno));
	} else if (!send_all(c, line.data, line.len) || !(answer = read_answer(c, output, arg))) {
		answer = interrupted ? json_pack("{s:b s:s}", "ok", 0, "error", "interrupted\n")
				     : unreachable(c, strerror(errno));
		disconnect(c);
	}
	if (c->single)
		disconnect(c);
	buf_free(&line);
	return answer;
}
