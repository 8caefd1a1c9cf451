/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gateway/relay_call.h"

#include "lib/buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct relay_call {
	struct ev_loop *loop;
	relay_call_done done;
	void *arg;
	int fd; /* -1: could not be opened */
	ev_io io;
	ev_timer timer; /* also delivers a failure of the start */
	struct buf out, in;
	json_t *failure;
};

static json_t *failure(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static json_t *failure(const char *fmt, ...)
{
	struct buf text = BUF_INIT;
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	json_t *answer = json_pack("{s:b s:s}", "ok", 0, "error", buf_str(&text));
	buf_free(&text);
	return answer;
}

void relay_call_cancel(struct relay_call *c)
{
	ev_io_stop(c->loop, &c->io);
	ev_timer_stop(c->loop, &c->timer);
	if (c->fd >= 0)
		close(c->fd);
	buf_free(&c->in);
	buf_free(&c->out);
	json_decref(c->failure);
	free(c);
}

static void finish(struct relay_call *c, json_t *answer)
{
	relay_call_done done = c->done;
	void *arg = c->arg;

	relay_call_cancel(c);
	done(arg, answer);
}

static void on_timer(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct relay_call *c = w->data;

	(void)loop;
	(void)revents;
	finish(c, c->failure ? json_incref(c->failure)
			     : failure("the relay did not answer within %.0f seconds\n",
				       RELAY_CALL_TIMEOUT_S));
}

static void take_answer(struct relay_call *c, size_t len)
{
	json_error_t why;
	json_t *answer = json_loadb(c->in.data, len, 0, &why);

	if (!json_is_object(answer)) {
		json_decref(answer);
		answer = failure("the relay's answer cannot be read\n");
	}
	finish(c, answer);
}

static void read_some(struct relay_call *c)
{
	buf_reserve(&c->in, 65536);
	ssize_t n = recv(c->fd, c->in.data + c->in.len, 65536, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		finish(c, failure("the relay closed the connection without an answer\n"));
		return;
	}
	char *end = memchr(c->in.data + c->in.len, '\n', (size_t)n);
	c->in.len += (size_t)n;
	c->in.data[c->in.len] = '\0';
	if (end)
		take_answer(c, (size_t)(end - c->in.data));
	else if (c->in.len > RELAY_CALL_ANSWER_MAX)
		finish(c, failure("the relay's answer is too long; ask for less (limit N)\n"));
}

static void write_some(struct relay_call *c)
{
	ssize_t n = send(c->fd, c->out.data, c->out.len, MSG_NOSIGNAL);

	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		finish(c, failure("the relay does not listen: %s\n", strerror(errno)));
		return;
	}
	if (n > 0)
		buf_consume(&c->out, (size_t)n);
	if (c->out.len)
		return;
	ev_io_stop(c->loop, &c->io);
	ev_io_set(&c->io, c->fd, EV_READ);
	ev_io_start(c->loop, &c->io);
}

static void on_io(struct ev_loop *loop, ev_io *w, int revents)
{
	(void)loop;
	if (revents & EV_WRITE)
		write_some(w->data);
	else
		read_some(w->data);
}

static int connect_to(const char *path)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof(sun.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(sun.sun_path, path, strlen(path));
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&sun, sizeof(sun)) != 0) {
		int saved = errno;
		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

struct relay_call *relay_call_start(struct ev_loop *loop, const char *path, const json_t *request,
				    relay_call_done done, void *arg)
{
	struct relay_call *c = calloc(1, sizeof(*c));
	char *line = json_dumps(request, JSON_COMPACT);

	if (!c || !line)
		abort();
	c->loop = loop;
	c->done = done;
	c->arg = arg;
	buf_printf(&c->out, "%s\n", line);
	free(line);
	c->fd = connect_to(path);
	if (c->fd < 0)
		c->failure = failure("the relay does not answer at %s: %s\n", path,
				     errno == ENOENT || errno == ECONNREFUSED ? "it is not running"
									      : strerror(errno));
	ev_io_init(&c->io, on_io, c->fd, EV_WRITE);
	ev_timer_init(&c->timer, on_timer, c->fd < 0 ? 0.0 : RELAY_CALL_TIMEOUT_S, 0.0);
	c->io.data = c;
	c->timer.data = c;
	if (c->fd >= 0)
		ev_io_start(loop, &c->io);
	ev_timer_start(loop, &c->timer);
	return c;
}
