/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/control.h"

#include "lib/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { CLIENTS_MAX = 16, LINE_MAX_BYTES = 64 * 1024, READ_CHUNK = 4096 };

static const struct {
	const char *verb;
	enum role_id role;
} verbs[] = {
	{"certificate", ROLE_MAIN},    {"reload", ROLE_MAIN},     {"status", ROLE_MAIN},
	{"listeners", ROLE_MAIN},      {"keys", ROLE_MAIN},       {"key-make", ROLE_MAIN},
	{"queue", ROLE_DELIVER},       {"show", ROLE_DELIVER},    {"retry", ROLE_DELIVER},
	{"remove", ROLE_DELIVER},      {"hold", ROLE_DELIVER},    {"release", ROLE_DELIVER},
	{"pause", ROLE_DELIVER},       {"resume", ROLE_DELIVER},  {"drain", ROLE_DELIVER},
	{"alarms", ROLE_DELIVER},      {"log", ROLE_REPORT},      {"statistics", ROLE_REPORT},
	{"suppressions", ROLE_REPORT}, {"suppress", ROLE_REPORT}, {"unsuppress", ROLE_REPORT},
	{"shut-list", ROLE_REPORT},    {"shut-off", ROLE_REPORT}, {"reopen", ROLE_REPORT},
};

struct client {
	struct control *control;
	int fd; /* -1: free */
	ev_io readable, writable;
	struct buf in, out;
	uint64_t waiting; /* the question that a role is working on; 0 for none */
	enum role_id asked;
	bool amended; /* main adds to the answer */
};

struct control {
	struct ev_loop *loop;
	const struct control_owner *owner;
	char *path;
	int fd;
	ev_io readable;
	uint64_t questions;
	struct client clients[CLIENTS_MAX];
};

static void client_close(struct client *k)
{
	ev_io_stop(k->control->loop, &k->readable);
	ev_io_stop(k->control->loop, &k->writable);
	close(k->fd);
	k->fd = -1;
	k->waiting = 0;
	buf_free(&k->in);
	buf_free(&k->out);
}

static void client_send(struct client *k)
{
	while (k->out.len) {
		ssize_t n = send(k->fd, k->out.data, k->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			ev_io_start(k->control->loop, &k->writable);
			return;
		}
		if (n < 0) {
			client_close(k);
			return;
		}
		buf_consume(&k->out, (size_t)n);
	}
	ev_io_stop(k->control->loop, &k->writable);
}

static void client_answer(struct client *k, json_t *answer)
{
	char *text = json_dumps(answer, JSON_COMPACT);

	buf_appends(&k->out, text ? text : "{\"ok\":false,\"error\":\"out of memory\"}");
	buf_appendc(&k->out, '\n');
	free(text);
	json_decref(answer);
	client_send(k);
}

static void client_refuse(struct client *k, const char *error, const char *text)
{
	char safe[128];

	log_escape(safe, sizeof(safe), text, strlen(text));
	client_answer(k, json_pack("{s:b, s:o}", "ok", 0, "error",
				   json_sprintf("%s: '%s'", error, safe)));
}

static void client_ask(struct client *k, enum role_id role, bool amended, const char *line,
		       size_t n)
{
	struct channel *c = k->control->owner->channel(role);
	struct buf text = BUF_INIT;

	if (!c) {
		client_refuse(k, "the process that knows is being restarted; ask again", "");
		return;
	}
	buf_append(&text, line, n);
	k->waiting = ++k->control->questions;
	k->asked = role;
	k->amended = amended;
	channel_send(c, MSG_CONTROL, k->waiting, &text, -1);
	buf_free(&text);
}

static void client_line(struct client *k, const char *line, size_t n)
{
	json_error_t fault;
	json_t *question = json_loadb(line, n, 0, &fault);
	const char *verb = json_string_value(json_object_get(question, "verb"));

	if (!question) {
		client_refuse(k, "not a JSON object", fault.text);
		return;
	}
	size_t i = 0;
	while (i < sizeof(verbs) / sizeof(*verbs) && (!verb || strcmp(verb, verbs[i].verb) != 0))
		i++;
	if (i == sizeof(verbs) / sizeof(*verbs))
		client_refuse(k, "no such verb", verb ? verb : "");
	else if (verbs[i].role == ROLE_MAIN)
		client_answer(k, k->control->owner->answer(verb, question));
	else
		client_ask(k, verbs[i].role, strcmp(verb, "alarms") == 0, line, n);
	json_decref(question);
}

/* One question at a time: the next line waits until a role has answered. */
static void client_lines(struct client *k)
{
	while (k->fd >= 0 && !k->waiting) {
		char *end = memchr(k->in.data ? k->in.data : "", '\n', k->in.len);
		if (!end)
			break;
		size_t n = (size_t)(end - k->in.data);
		struct buf line = BUF_INIT;
		buf_append(&line, k->in.data, n);
		buf_consume(&k->in, n + 1);
		client_line(k, line.data, line.len);
		buf_free(&line);
	}
}

static void on_client_readable(struct ev_loop *loop, ev_io *w, int events)
{
	struct client *k = w->data;

	(void)loop;
	(void)events;
	buf_reserve(&k->in, READ_CHUNK);
	ssize_t n = read(k->fd, k->in.data + k->in.len, READ_CHUNK);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0 || k->in.len + (size_t)n > LINE_MAX_BYTES) {
		client_close(k);
		return;
	}
	k->in.len += (size_t)n;
	client_lines(k);
}

static void on_client_writable(struct ev_loop *loop, ev_io *w, int events)
{
	(void)loop;
	(void)events;
	client_send(w->data);
}

static void on_connection(struct ev_loop *loop, ev_io *w, int events)
{
	struct control *c = w->data;

	(void)events;
	int fd = accept4(c->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return;
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		struct client *k = &c->clients[i];
		if (k->fd >= 0)
			continue;
		k->fd = fd;
		ev_io_init(&k->readable, on_client_readable, fd, EV_READ);
		ev_io_init(&k->writable, on_client_writable, fd, EV_WRITE);
		k->readable.data = k->writable.data = k;
		ev_io_start(loop, &k->readable);
		return;
	}
	log_warn("control: more than %d clients at once", CLIENTS_MAX);
	close(fd);
}

static void client_pass_on(struct client *k, const struct message *m)
{
	json_t *answer = k->amended ? json_loadb(m->payload, m->len, 0, NULL) : NULL;

	if (answer) {
		k->control->owner->amend(answer);
		client_answer(k, answer);
		return;
	}
	buf_append(&k->out, m->payload, m->len);
	buf_appendc(&k->out, '\n');
	client_send(k);
}

void control_answered(struct control *c, const struct message *m)
{
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		struct client *k = &c->clients[i];
		if (k->fd < 0 || k->waiting != m->id)
			continue;
		k->waiting = 0;
		client_pass_on(k, m);
		client_lines(k);
		return;
	}
}

void control_role_lost(struct control *c, enum role_id role)
{
	for (size_t i = 0; i < CLIENTS_MAX; i++) {
		struct client *k = &c->clients[i];
		if (k->fd < 0 || !k->waiting || k->asked != role)
			continue;
		k->waiting = 0;
		client_refuse(k, "the process that knows is being restarted; ask again", "");
		client_lines(k);
	}
}

struct control *control_open(struct ev_loop *loop, const char *path,
			     const struct control_owner *owner, struct buf *error)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof(address.sun_path)) {
		buf_printf(error, "directory/control: '%s' is longer than %zu bytes\n", path,
			   sizeof(address.sun_path) - 1);
		return NULL;
	}
	strcpy(address.sun_path, path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	unlink(path);
	mode_t before = umask(0117);
	bool bound = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
		     listen(fd, CLIENTS_MAX) == 0;
	umask(before);
	if (!bound) {
		buf_printf(error, "directory/control: cannot listen on '%s': %s\n", path,
			   strerror(errno));
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	struct control *c = calloc(1, sizeof(*c));
	if (!c || !(c->path = strdup(path)))
		abort();
	c->loop = loop;
	c->owner = owner;
	c->fd = fd;
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		c->clients[i] = (struct client){.control = c, .fd = -1};
	ev_io_init(&c->readable, on_connection, fd, EV_READ);
	c->readable.data = c;
	ev_io_start(loop, &c->readable);
	return c;
}

void control_close(struct control *c)
{
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		if (c->clients[i].fd >= 0)
			client_close(&c->clients[i]);
	ev_io_stop(c->loop, &c->readable);
	close(c->fd);
	unlink(c->path);
	free(c->path);
	free(c);
}
