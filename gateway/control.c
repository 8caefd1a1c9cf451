/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gateway/control.h"

#include "gateway/helper.h"
#include "gateway/listen.h"
#include "gateway/relay_call.h"
#include "gateway/tool.h"
#include "lib/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUEST_MAX (2 * TEXT_MAX) /* bytes: a whole config, escaped */
#define CLIENTS_MAX 64
/* A helper's output waits in memory for a client that does not read it; more than this ends it. */
#define OUTPUT_MAX ((size_t)4 << 20)

struct client {
	struct gate_control *control;
	struct client *next;
	int fd;
	ev_io readable, writable;
	struct buf in, out;
	size_t searched; /* no line end in this many bytes of in */
	struct peer peer;
	struct relay_call *call; /* either one: its request is being worked on */
	struct helper *helper;
};

struct gate_control {
	struct ev_loop *loop;
	struct gate *gate;
	char *path;
	int fd;
	ev_io acceptable;
	ev_timer deadline; /* of the commit that waits */
	ev_timer tidy;     /* once the answer to a commit is out */
	struct client *clients;
	unsigned count;
	unsigned sessions; /* so far */
};

/* ---- a client ---- */

static void client_close(struct client *k)
{
	struct gate_control *c = k->control;
	struct client **link = &c->clients;

	while (*link != k)
		link = &(*link)->next;
	*link = k->next;
	c->count--;
	ev_io_stop(c->loop, &k->readable);
	ev_io_stop(c->loop, &k->writable);
	lock_release(&c->gate->lock, k->peer.session);
	announcer_leave(c->gate->announcer, k->peer.session);
	if (k->call)
		relay_call_cancel(k->call);
	if (k->helper)
		helper_cancel(k->helper);
	close(k->fd);
	buf_free(&k->in);
	buf_free(&k->out);
	free(k);
}

static void client_lines(struct client *k);

/* Sends later, from the loop: no caller loses its client under its hands. */
static void client_send(struct client *k, json_t *answer)
{
	char *text = answer ? json_dumps(answer, JSON_COMPACT) : NULL;

	buf_appends(&k->out,
		    text ? text : "{\"ok\":false,\"error\":\"no answer can be given\\n\"}");
	buf_appendc(&k->out, '\n');
	free(text);
	json_decref(answer);
	ev_io_start(k->control->loop, &k->writable);
}

static bool is_busy(const struct client *k)
{
	return k->call || k->helper || k->out.len;
}

static void on_writable(struct ev_loop *loop, ev_io *w, int revents)
{
	struct client *k = w->data;
	ssize_t n = send(k->fd, k->out.data, k->out.len, MSG_NOSIGNAL);

	(void)revents;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		client_close(k);
		return;
	}
	buf_consume(&k->out, (size_t)n);
	if (k->out.len)
		return;
	ev_io_stop(loop, w);
	client_lines(k);
}

/* ---- requests that take their time ---- */

static void relay_answered(void *arg, json_t *answer)
{
	struct client *k = arg;

	k->call = NULL;
	client_send(k, answer);
}

static void ask_relay(struct client *k, const json_t *request)
{
	static const char *const for_readers[] = {
		"log",       "queue",       "message", "show",         "status",    "statistics",
		"listeners", "certificate", "alarms",  "suppressions", "shut-list", "keys"};
	const json_t *question = json_object_get(request, "request");
	const char *verb = json_string_value(json_object_get(question, "verb"));
	const struct lyd_node *relay = conf_top(commit_running(k->control->gate->commit), "relay");
	bool reads = false;

	for (size_t i = 0; verb && i < sizeof(for_readers) / sizeof(*for_readers); i++)
		reads = reads || !strcmp(verb, for_readers[i]);
	if (verb && !reads)
		verb_note(k->control->gate, &k->peer, request, NULL);
	const char *path = conf_value(conf_child(relay, "directory"), "control");
	if (!verb)
		client_send(k, verb_failure("the request to the relay has no verb\n"));
	else if (!reads && !k->peer.admin)
		client_send(k, verb_failure("this is for administrators\n"));
	else if (!path)
		client_send(k, verb_failure("no relay is configured\n"));
	else
		k->call = relay_call_start(k->control->loop, path, question, relay_answered, k);
}

static void helper_output(void *arg, const char *bytes, size_t len)
{
	struct client *k = arg;
	char line[8192];

	if (k->out.len > OUTPUT_MAX)
		return;
	while (len) {
		size_t some = strcspn(bytes, "\n") < len ? strcspn(bytes, "\n") : len;
		log_escape(line, sizeof(line) - 1, bytes, some);
		bool ended = some < len;
		client_send(k, json_pack("{s:s+}", "output", line, ended ? "\n" : ""));
		bytes += some + ended;
		len -= some + ended;
	}
}

static void helper_ended(void *arg, int status)
{
	struct client *k = arg;

	k->helper = NULL;
	client_send(k, json_pack("{s:b s:i}", "ok", 1, "status", status));
}

static void start_tool(struct client *k, const char *verb, const json_t *request)
{
	static const struct helper_events events = {helper_output, helper_ended};
	struct buf error = BUF_INIT;
	struct words argv;

	if (tool_command(verb, request, commit_running(k->control->gate->commit), &argv, &error)) {
		char **list = realloc(argv.list, (argv.count + 1) * sizeof(*list));
		if (!list)
			abort();
		list[argv.count] = NULL;
		argv.list = list;
		k->helper = helper_start(k->control->loop, list, &events, k, &error);
	}
	if (!k->helper)
		client_send(k, verb_failure("%s", buf_str(&error)));
	words_free(&argv);
	buf_free(&error);
}

/* ---- requests ---- */

static void set_deadline(struct gate_control *c)
{
	struct unconfirmed u;
	bool waits = commit_waiting(c->gate->commit, &u);

	if (!waits) {
		ev_timer_stop(c->loop, &c->deadline);
	} else if (!ev_is_active(&c->deadline)) {
		/* Counted from now on by a clock that nobody can set. */
		double seconds = (double)(u.deadline_s - (int64_t)ev_time());
		ev_now_update(c->loop);
		ev_timer_set(&c->deadline, seconds < 0 ? 0 : seconds, 0.0);
		ev_timer_start(c->loop, &c->deadline);
	}
}

/* What a commit left for later is done when its answer had the time to be read. */
#define TIDY_AFTER_S 0.02

static void on_tidy(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct gate_control *c = w->data;

	(void)loop;
	(void)revents;
	apply_tidy(c->gate->apply);
}

static void tidy_later(struct gate_control *c)
{
	if (apply_is_tidy(c->gate->apply) || ev_is_active(&c->tidy))
		return;
	ev_now_update(c->loop);
	ev_timer_set(&c->tidy, TIDY_AFTER_S, 0.0);
	ev_timer_start(c->loop, &c->tidy);
}

static void on_deadline(struct ev_loop *loop, ev_timer *w, int revents)
{
	struct gate_control *c = w->data;
	struct buf error = BUF_INIT;

	(void)loop;
	(void)revents;
	commit_go_back(c->gate->commit, "not confirmed in time", &error); /* it logs a failure */
	alarms_refresh(c->gate->alarms);
	drift_committed(c->gate->drift);
	tidy_later(c);
	buf_free(&error);
}

static json_t *refuse(struct client *k, const json_t *request)
{
	json_t *answer = verb_failure("%s may look, but not change anything; log in as an "
				      "administrator\n",
				      k->peer.who);

	verb_note(k->control->gate, &k->peer, request, answer);
	return answer;
}

static json_t *answer_at_once(struct client *k, const struct verb *verb, const json_t *request)
{
	struct gate_control *c = k->control;
	json_t *answer = verb->answer(c->gate, &k->peer, request);

	if (verb->admin) {
		if (strcmp(verb->name, "check") != 0)
			verb_note(c->gate, &k->peer, request, answer);
		/* Groups and roles may have changed. */
		listen_open_to_logins(c->path);
		for (struct client *other = c->clients; other; other = other->next)
			peer_refresh(&other->peer);
	}
	set_deadline(c);
	tidy_later(c);
	if (verb->admin) {
		alarms_refresh(c->gate->alarms);
		drift_committed(c->gate->drift);
	}
	return answer;
}

static void client_request(struct client *k, const json_t *request)
{
	const char *name = json_string_value(json_object_get(request, "verb"));
	const struct verb *verb = name ? verb_find(name) : NULL;

	if (!verb) {
		client_send(k, verb_failure("no such verb\n"));
	} else if (!peer_may(&k->peer, verb->admin)) {
		client_send(k, refuse(k, request));
	} else if (verb->answer) {
		client_send(k, answer_at_once(k, verb, request));
	} else if (!strcmp(verb->name, "relay")) {
		ask_relay(k, request);
	} else {
		start_tool(k, verb->name, request);
	}
}

static void client_lines(struct client *k)
{
	char *end;

	while (!is_busy(k) && k->in.len > k->searched &&
	       (end = memchr(k->in.data + k->searched, '\n', k->in.len - k->searched))) {
		size_t len = (size_t)(end - k->in.data);
		json_error_t why;
		json_t *request = json_loadb(k->in.data, len, 0, &why);

		if (json_is_object(request))
			client_request(k, request);
		else
			client_send(k, verb_failure("the request is not a JSON object\n"));
		json_decref(request);
		buf_consume(&k->in, len + 1);
		k->searched = 0;
	}
	if (!is_busy(k))
		k->searched = k->in.len;
}

static void on_readable(struct ev_loop *loop, ev_io *w, int revents)
{
	struct client *k = w->data;

	(void)loop;
	(void)revents;
	buf_reserve(&k->in, 65536);
	ssize_t n = recv(k->fd, k->in.data + k->in.len, 65536, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0 || k->in.len + (size_t)n > REQUEST_MAX) {
		if (n > 0)
			log_warn("control: a request of more than %zu bytes was cut off",
				 REQUEST_MAX);
		client_close(k);
		return;
	}
	k->in.len += (size_t)n;
	k->in.data[k->in.len] = '\0';
	client_lines(k);
}

static void on_acceptable(struct ev_loop *loop, ev_io *w, int revents)
{
	struct gate_control *c = w->data;
	int fd = accept4(c->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	struct client *k = NULL;

	(void)revents;
	if (fd < 0)
		return;
	if (c->count >= CLIENTS_MAX || !(k = calloc(1, sizeof(*k))) ||
	    !peer_identify(fd, ++c->sessions, &k->peer)) {
		log_warn("control: a connection was refused (%u are open)", c->count);
		free(k);
		close(fd);
		return;
	}
	k->control = c;
	k->fd = fd;
	k->next = c->clients;
	c->clients = k;
	c->count++;
	announcer_join(c->gate->announcer, k->peer.session, k->peer.terminal);
	ev_io_init(&k->readable, on_readable, fd, EV_READ);
	ev_io_init(&k->writable, on_writable, fd, EV_WRITE);
	k->readable.data = k;
	k->writable.data = k;
	ev_io_start(loop, &k->readable);
}

/* ---- the socket ---- */

struct gate_control *gate_control_open(struct ev_loop *loop, const char *path, struct gate *gate,
				       struct buf *error)
{
	int fd = listen_for_people(path, SOCK_NONBLOCK, error);
	struct gate_control *c;

	if (fd < 0)
		return NULL;
	c = calloc(1, sizeof(*c));
	if (!c || !(c->path = strdup(path)))
		abort();
	c->loop = loop;
	c->gate = gate;
	c->fd = fd;
	ev_io_init(&c->acceptable, on_acceptable, fd, EV_READ);
	ev_timer_init(&c->deadline, on_deadline, 0.0, 0.0);
	ev_timer_init(&c->tidy, on_tidy, 0.0, 0.0);
	c->tidy.data = c;
	c->acceptable.data = c;
	c->deadline.data = c;
	ev_io_start(loop, &c->acceptable);
	tidy_later(c); /* of the start */
	return c;
}

void gate_control_close(struct gate_control *c)
{
	if (!c)
		return;
	while (c->clients)
		client_close(c->clients);
	ev_io_stop(c->loop, &c->acceptable);
	ev_timer_stop(c->loop, &c->deadline);
	ev_timer_stop(c->loop, &c->tidy);
	close(c->fd);
	unlink(c->path);
	free(c->path);
	free(c);
}
