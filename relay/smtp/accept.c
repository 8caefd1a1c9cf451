/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The role accept: takes connections and speaks SMTP with them. It holds the TLS key and no other
 * secret; passwords are checked by auth, messages kept by spool.
 */
#include "lib/log.h"
#include "relay/config_index.h"
#include "relay/smtp/acceptor.h"
#include "relay/smtp/connection.h"
#include "relay/smtp/submission.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	CONNECTIONS_MAX = 8192,
	DESCRIPTORS_SPARE = 64,    /* listeners, channels, the event loop */
	STRANGERS_PER_SOURCE = 50, /* connections of a source that is in no account's networks */
	ACCEPTS_A_TURN = 16,
	BODIES_SHARE = 8,  /* an eighth of the memory may be bodies under way */
	BODIES_SMALL = 16, /* who holds less than a sixteenth of that is not in anybody's way */
};
#define BODIES_MIN ((uint64_t)64 * 1024 * 1024)

/* No descriptor is left: nobody is accepted for so long. */
#define PAUSE_S      .2
#define STOP_DRAIN_S (STOP_BOUND_S - 2)

struct listener {
	struct listener *next;
	char *name;
	enum listener_kind kind;
	ev_io watcher;
};

static struct acceptor acceptor;
static struct listener *listeners;
static ev_timer pause_timer, stop_timer;
static struct process *process;

/* ---- listeners ---- */

static void add_limit(const struct config_account *a, void *arg)
{
	*(unsigned *)arg += a->connections_max;
}

/* Connections that the accounts in whose networks it is allow it together. */
static unsigned source_limit(const struct addr *client)
{
	unsigned limit = STRANGERS_PER_SOURCE;

	config_index_at(acceptor.config->index, client, add_limit, &limit);
	return limit;
}

/* NULL, or the one line that a client gets who may not come in. */
static const char *refusal(const struct addr *client)
{
	char source[ADDR_STR_MAX];

	if (acceptor.connections >= acceptor.connections_max)
		return "421 4.7.0 too many connections are open: try again later\r\n";
	connection_source(client, source);
	if (tally_of(&acceptor.by_source, source) >= source_limit(client))
		return "421 4.7.0 too many connections from your address are open\r\n";
	return NULL;
}

static void turn_away(int fd, enum listener_kind kind, const char *line)
{
	ssize_t ignored = 0;

	if (kind != LISTENER_SUBMISSIONS)
		ignored = send(fd, line, strlen(line), MSG_NOSIGNAL | MSG_DONTWAIT);
	(void)ignored;
	close(fd);
}

static void each_listener(void (*act)(struct ev_loop *, ev_io *))
{
	for (struct listener *l = listeners; l; l = l->next)
		act(acceptor.loop, &l->watcher);
}

static void start_watching(struct ev_loop *loop, ev_io *w)
{
	ev_io_start(loop, w);
}

static void stop_watching(struct ev_loop *loop, ev_io *w)
{
	ev_io_stop(loop, w);
}

static void on_pause_over(struct ev_loop *loop, ev_timer *w, int events)
{
	(void)loop;
	(void)w;
	(void)events;
	each_listener(start_watching);
}

static void pause_listeners(void)
{
	log_warn("no connection can be accepted: %s", strerror(errno));
	each_listener(stop_watching);
	ev_timer_set(&pause_timer, PAUSE_S, 0.);
	ev_timer_start(acceptor.loop, &pause_timer);
}

static void on_acceptable(struct ev_loop *loop, ev_io *w, int events)
{
	const struct listener *l = w->data;

	(void)loop;
	(void)events;
	for (int i = 0; i < ACCEPTS_A_TURN; i++) {
		struct sockaddr_storage from;
		socklen_t n = sizeof(from);
		int fd = accept4(w->fd, (struct sockaddr *)&from, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
		const char *line;
		struct addr client;

		if (fd < 0) {
			if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
			    errno == ENOMEM)
				pause_listeners();
			return;
		}
		addr_from_sockaddr((struct sockaddr *)&from, &client, NULL);
		line = refusal(&client);
		if (line)
			turn_away(fd, l->kind, line);
		else
			connection_open(&acceptor, fd, &client, l->kind);
	}
}

static void listener_close(struct listener *l)
{
	ev_io_stop(acceptor.loop, &l->watcher);
	close(l->watcher.fd);
	free(l->name);
	free(l);
}

static void close_named(const char *name)
{
	for (struct listener **at = &listeners; *at; at = &(*at)->next) {
		struct listener *l = *at;

		if (strcmp(l->name, name) != 0)
			continue;
		*at = l->next;
		listener_close(l);
		return;
	}
}

static const struct config_listener *configured(const char *name)
{
	for (size_t i = 0; i < acceptor.config->listener_count; i++)
		if (strcmp(acceptor.config->listeners[i].name, name) == 0)
			return &acceptor.config->listeners[i];
	return NULL;
}

/* What the config says of those that are open: closed, or perhaps of another kind. */
static void review_listeners(void)
{
	struct listener **at = &listeners;

	while (*at) {
		struct listener *l = *at;
		const struct config_listener *now = configured(l->name);

		if (now) {
			l->kind = now->kind;
			at = &l->next;
		} else {
			*at = l->next;
			listener_close(l);
		}
	}
}

static void close_listeners(void)
{
	while (listeners) {
		struct listener *l = listeners;

		listeners = l->next;
		listener_close(l);
	}
}

static void accept_listener(struct process *p, const struct config_listener *l, int fd)
{
	struct listener *new = calloc(1, sizeof(*new));

	close_named(l->name);
	if (!new || !(new->name = strdup(l->name)))
		abort();
	new->kind = l->kind;
	new->next = listeners;
	listeners = new;
	ev_io_init(&new->watcher, on_acceptable, fd, EV_READ);
	new->watcher.data = new;
	if (acceptor.stopping)
		close_listeners();
	else
		ev_io_start(p->loop, &new->watcher);
}

/* ---- the other processes ---- */

static void on_auth_answer(const struct message *m)
{
	struct connection *c = tickets_take(&acceptor.logins, m->id);
	struct auth_answer answer;

	if (!c)
		return; /* it hung up meanwhile */
	if (!auth_answer_decode(m, &answer)) {
		log_error("auth sent a damaged answer");
		answer = (struct auth_answer){.verdict = AUTH_LATER};
	}
	connection_authenticated(c, &answer);
}

static void accept_message(struct process *p, enum role_id from, struct channel *c,
			   struct message *m)
{
	(void)p;
	(void)c;
	if (from == ROLE_AUTH && m->type == MSG_AUTH_ANSWER)
		on_auth_answer(m);
	else if (from == ROLE_SPOOL && m->type == MSG_SUBMITTED)
		submission_answered(&acceptor, m);
	else if (from == ROLE_REPORT && m->type == MSG_EVENT_KEPT)
		outbox_kept(&acceptor.outbox, m->id);
	else if (from == ROLE_MAIN && m->type == MSG_DRAIN && m->len == 1)
		acceptor.draining = *(const uint8_t *)m->payload;
	else
		log_error("a message of type %u from %s is not for accept", m->type,
			  role_name(from));
	if (acceptor.stopping)
		acceptor.less(&acceptor);
}

static void accept_peer_up(struct process *p, enum role_id peer, unsigned index, struct channel *c)
{
	(void)p;
	(void)index;
	if (peer == ROLE_AUTH)
		acceptor.auth = c;
	else if (peer == ROLE_SPOOL)
		acceptor.spool = c;
	else if (peer == ROLE_REPORT)
		outbox_connect(&acceptor.outbox, c);
}

static void fail_logins(void)
{
	struct connection *c;

	while ((c = tickets_take_any(&acceptor.logins)))
		connection_authenticated(c, &(struct auth_answer){.verdict = AUTH_LATER});
}

static void accept_peer_down(struct process *p, enum role_id peer, unsigned index,
			     struct channel *c)
{
	(void)p;
	(void)index;
	if (peer == ROLE_AUTH && acceptor.auth == c) {
		acceptor.auth = NULL;
		fail_logins();
	} else if (peer == ROLE_SPOOL && acceptor.spool == c) {
		acceptor.spool = NULL;
		submission_fail_all(&acceptor);
	} else if (peer == ROLE_REPORT && acceptor.outbox.report == c) {
		outbox_connect(&acceptor.outbox, NULL);
	}
}

/* ---- its life ---- */

static void load_tls(const struct relay_config *config)
{
	struct buf error = BUF_INIT;
	struct tls_server *fresh = tls_server_new(config->tls_chain, config->tls_key, &error);

	if (!fresh && !acceptor.tls)
		fatal("TLS: %s", buf_str(&error));
	if (!fresh) {
		log_error("TLS: the old certificate stays in force: %s", buf_str(&error));
	} else {
		tls_server_free(acceptor.tls);
		acceptor.tls = fresh;
	}
	buf_free(&error);
}

/* A connection needs its socket, and a descriptor for the message that it is sending. */
static unsigned descriptor_share(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return 256;
	if (limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
		getrlimit(RLIMIT_NOFILE, &limit);
	}
	if (limit.rlim_cur / 2 > CONNECTIONS_MAX + DESCRIPTORS_SPARE)
		return CONNECTIONS_MAX;
	return (unsigned)(limit.rlim_cur - DESCRIPTORS_SPARE) / 2;
}

static uint64_t bodies_share(void)
{
	long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
	uint64_t share = pages > 0 ? (uint64_t)pages * (uint64_t)page / BODIES_SHARE : 0;

	return share > BODIES_MIN ? share : BODIES_MIN;
}

/* ---- room ---- */

void acceptor_hold(struct acceptor *a, const char *account, uint64_t bytes)
{
	a->body_bytes += bytes;
	tally_add(&a->bytes_by_account, account, bytes);
}

void acceptor_release(struct acceptor *a, const char *account, uint64_t bytes)
{
	a->body_bytes -= bytes;
	tally_take(&a->bytes_by_account, account, bytes);
}

bool acceptor_has_room(const struct acceptor *a, const char *account)
{
	uint64_t held = tally_of(&a->bytes_by_account, account);

	if (a->body_bytes < a->body_bytes_max)
		return held < a->body_bytes_max / 2;
	return a->body_bytes < 2 * a->body_bytes_max && held < a->body_bytes_max / BODIES_SMALL;
}

static void exit_when_done(struct acceptor *a)
{
	if (!a->stopping || a->first || tickets_count(&a->submissions))
		return;
	/* Events wait for report, which outlives us, but not for ever. */
	if (a->outbox.first && a->outbox.report)
		return;
	process_exit(process);
}

static void on_stop_bound(struct ev_loop *loop, ev_timer *w, int events)
{
	(void)loop;
	(void)w;
	(void)events;
	log_warn("%u connections are cut off", acceptor.connections);
	process_exit(process);
}

static void accept_open(struct process *p)
{
	process = p;
	acceptor.loop = p->loop;
	acceptor.config = p->config;
	acceptor.less = exit_when_done;
	acceptor.connections_max = descriptor_share();
	acceptor.body_bytes_max = bodies_share();
	turns_open(&acceptor.turns, p->loop, connection_serve);
	ev_init(&pause_timer, on_pause_over);
	ev_init(&stop_timer, on_stop_bound);
	load_tls(p->config);
}

/* Sessions go on: with the new accounts, and the old certificate where TLS is in force. */
static void accept_reload(struct process *p)
{
	acceptor.config = p->config;
	load_tls(p->config);
	connection_reload_all(&acceptor);
	review_listeners();
}

static void accept_stop(struct process *p)
{
	acceptor.stopping = true;
	ev_timer_stop(p->loop, &pause_timer);
	close_listeners();
	ev_timer_set(&stop_timer, STOP_DRAIN_S, 0.);
	ev_timer_start(p->loop, &stop_timer);
	connection_drain_all(&acceptor);
	exit_when_done(&acceptor);
}

const struct role accept_role = {
	.name = "accept",
	.prompt = true,
	.open = accept_open,
	.reload = accept_reload,
	.listener = accept_listener,
	.peer_up = accept_peer_up,
	.peer_down = accept_peer_down,
	.message = accept_message,
	.stop = accept_stop,
};
