/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/process.h"

#include "lib/log.h"
#include "lib/wire.h"
#include "relay/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched/types.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
	SLICE_BYTES_MAX = 64 * 1024 * 1024,
	PATIENT_NICE = 5,
	EXPRESS_NICE = -5,
	PROMPT_TURN_NS = 200000
};

static const struct role *const roles[ROLE_COUNT] = {
	[ROLE_ACCEPT] = &accept_role, [ROLE_AUTH] = &auth_role,       [ROLE_SPOOL] = &spool_role,
	[ROLE_WORK] = &work_role,     [ROLE_DELIVER] = &deliver_role, [ROLE_HTTP] = &http_role,
	[ROLE_REPORT] = &report_role,
};

/* The one process that this is. */
static struct process self;
static enum role_id self_id;
static bool confined;

/* What a channel to a peer carries as its data. */
struct peer {
	struct peer *next;
	struct channel *channel;
	enum role_id role;
	unsigned index;
};
static struct peer *peers;

uint64_t clock_wall_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

uint64_t clock_steady_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

void process_exit(struct process *p)
{
	for (const struct peer *peer = peers; peer; peer = peer->next)
		channel_flush(peer->channel);
	if (p->main)
		channel_flush(p->main);
	log_debug("ends");
	exit(0);
}

/* ---- peers ---- */

static void on_peer_message(struct channel *c, struct message *m, void *arg)
{
	const struct peer *peer = arg;

	if (self.role->message)
		self.role->message(&self, peer->role, c, m);
}

static void on_peer_closed(struct channel *c, void *arg)
{
	struct peer *peer = arg, **link = &peers;

	while (*link != peer)
		link = &(*link)->next;
	*link = peer->next;
	if (self.role->peer_down)
		self.role->peer_down(&self, peer->role, peer->index, c);
	free(peer);
}

static void take_peer(struct message *m)
{
	struct wire w = wire_reader(m->payload, m->len);
	struct peer *peer = calloc(1, sizeof(*peer));

	if (!peer)
		abort();
	peer->role = wire_u32(&w);
	peer->index = wire_u32(&w);
	if (!wire_done(&w) || peer->role >= ROLE_COUNT || m->fd < 0)
		fatal("main sent a damaged peer");
	struct channel *c = channel_open(self.loop, m->fd, on_peer_message, on_peer_closed, peer);
	m->fd = -1;
	peer->channel = c;
	peer->next = peers;
	peers = peer;
	if (self.role->peer_up)
		self.role->peer_up(&self, peer->role, peer->index, c);
}

/* ---- what main says ---- */

static void take_config(struct message *m)
{
	struct buf text = BUF_INIT, error = BUF_INIT;

	if (m->fd < 0 || lseek(m->fd, 0, SEEK_SET) != 0 ||
	    !buf_read_fd(&text, m->fd, SLICE_BYTES_MAX))
		fatal("main sent a config that cannot be read: %s", strerror(errno));
	struct relay_config *fresh = config_parse(buf_str(&text), text.len, &error);
	if (!fresh)
		fatal("main sent a config that is refused: %s", buf_str(&error));
	explicit_bzero(text.data, text.len);
	buf_free(&text);

	struct relay_config *old = (struct relay_config *)self.config;
	self.config = fresh;
	if (!confined) {
		if (self.role->open)
			self.role->open(&self);
		sandbox_enter(self_id, self.role->name);
		confined = true;
		channel_send(self.main, MSG_READY, 0, NULL, -1);
	} else if (self.role->reload) {
		self.role->reload(&self);
	}
	config_free(old);
}

static void take_listener(struct message *m)
{
	struct wire w = wire_reader(m->payload, m->len);
	struct config_listener l = {.name = wire_str(&w)};

	l.address = wire_addr(&w);
	l.port = (uint16_t)wire_u32(&w);
	l.kind = wire_u32(&w);
	if (!wire_done(&w) || m->fd < 0)
		fatal("main sent a damaged listener");
	if (self.role->listener) {
		self.role->listener(&self, &l, m->fd);
		m->fd = -1;
	}
	free(l.name);
}

static void take_stop(struct message *m)
{
	(void)m;
	if (!self.role->stop)
		process_exit(&self);
	self.role->stop(&self);
}

typedef void main_verb_fn(struct message *m);
static main_verb_fn *const main_verbs[] = {
	[MSG_CONFIG] = take_config,
	[MSG_PEER] = take_peer,
	[MSG_LISTENER] = take_listener,
	[MSG_STOP] = take_stop,
};

static void on_main_message(struct channel *c, struct message *m, void *arg)
{
	(void)arg;
	if (m->type < sizeof(main_verbs) / sizeof(*main_verbs) && main_verbs[m->type])
		main_verbs[m->type](m);
	else if (self.role->message)
		self.role->message(&self, ROLE_MAIN, c, m);
}

/* Without main nobody could restart or reload this process: the next main starts a new one. */
static void on_main_closed(struct channel *c, void *arg)
{
	(void)c;
	(void)arg;
	exit(0);
}

const char *role_name(enum role_id id)
{
	return id < ROLE_COUNT && roles[id] ? roles[id]->name : NULL;
}

/* Of the processor. Linux 6.12 and later let in early who asks for short turns; before that the
 * number means nothing, and who sleeps much is let in early anyway. */
static void ask_for_turns(const struct role *r, unsigned index)
{
	bool express = r->express && index == 0;
	const struct sched_attr prompt = {.size = sizeof(prompt), .sched_runtime = PROMPT_TURN_NS};

	if (r->prompt || express)
		syscall(SYS_sched_setattr, 0, &prompt, 0);
	if (express) /* has no effect when the relay is not started as root */
		setpriority(PRIO_PROCESS, 0, EXPRESS_NICE);
	else if (r->patient)
		setpriority(PRIO_PROCESS, 0, PATIENT_NICE);
}

/* Its own directory is made the working directory by main's child before the exec. */
int process_main(const char *name, const char *index, int main_fd)
{
	char ident[64];

	while (self_id < ROLE_COUNT && (!roles[self_id] || strcmp(roles[self_id]->name, name) != 0))
		self_id++;
	if (self_id == ROLE_COUNT)
		fatal("no role '%s'", name);
	self = (struct process){
		.loop = ev_default_loop(EVFLAG_AUTO),
		.role = roles[self_id],
		.index = (unsigned)strtoul(index, NULL, 10),
	};
	if (!self.loop)
		fatal("no event loop");
	snprintf(ident, sizeof(ident), "gatepost-relay[%s]", self.role->name);
	log_open(ident, LOG_LEVEL_INFO);
	tzset(); /* the first gmtime_r() would open files, which a role may not */
	signal(SIGPIPE, SIG_IGN);
	/* A terminal's ^C reaches every process: main decides the order of ending. */
	signal(SIGINT, SIG_IGN);
	self.main = channel_open(self.loop, main_fd, on_main_message, on_main_closed, NULL);
	ask_for_turns(self.role, self.index);
	ev_run(self.loop, 0);
	return 0;
}
