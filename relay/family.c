/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/family.h"

#include "lib/log.h"
#include "lib/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	CHILDREN_MAX = ROLE_COUNT + CONFIG_WORKERS_MAX,
	RESTART_FIRST_MS = 50,
	RESTART_LONGEST_MS = 5000,
	STEADY_MS = 10000, /* a child that lived this long is restarted at once again */
	CHANNEL_FD = 3,
};

/* Who speaks to whom. */
static const enum role_id wires[][2] = {
	{ROLE_ACCEPT, ROLE_AUTH},    {ROLE_ACCEPT, ROLE_SPOOL}, {ROLE_ACCEPT, ROLE_REPORT},
	{ROLE_SPOOL, ROLE_DELIVER},  {ROLE_SPOOL, ROLE_WORK},   {ROLE_DELIVER, ROLE_WORK},
	{ROLE_DELIVER, ROLE_REPORT}, {ROLE_HTTP, ROLE_REPORT},
};

/* Mail comes in, is worked on, is kept: ended in that order. */
static const unsigned stop_stage[ROLE_COUNT] = {
	[ROLE_ACCEPT] = 1, [ROLE_AUTH] = 1,  [ROLE_HTTP] = 1,   [ROLE_DELIVER] = 2,
	[ROLE_WORK] = 3,   [ROLE_SPOOL] = 4, [ROLE_REPORT] = 4,
};
enum { STAGE_LAST = 4 };

struct child {
	struct family *family;
	enum role_id role;
	unsigned index;
	pid_t pid; /* 0: not running */
	struct channel *channel;
	ev_child watcher;
	ev_timer restart;
	uint64_t since_ms;
	unsigned restarts, delay_ms;
	bool ready;
	bool retired; /* not to be restarted */
};

struct family {
	struct ev_loop *loop;
	const struct family_owner *owner;
	struct child children[CHILDREN_MAX];
	size_t count;
	bool was_ready;
	unsigned stage; /* 0: running; else what is being ended */
	ev_timer bound;
};

static void child_start(struct child *k);

/* ---- channels ---- */

static void check_ready(struct family *f)
{
	for (size_t i = 0; i < f->count; i++)
		if (!f->children[i].ready && !f->children[i].retired)
			return;
	if (!f->was_ready)
		f->owner->all_ready();
	f->was_ready = true;
}

static void on_message(struct channel *c, struct message *m, void *arg)
{
	struct child *k = arg;

	(void)c;
	if (m->type == MSG_READY) {
		k->ready = true;
		check_ready(k->family);
	} else {
		k->family->owner->message(k->role, m);
	}
}

/* The process's end itself comes as a signal. */
static void on_closed(struct channel *c, void *arg)
{
	struct child *k = arg;

	(void)c;
	k->channel = NULL;
	if (k->pid)
		kill(k->pid, SIGKILL);
}

static void send_end(struct child *to, const struct child *peer, int fd)
{
	struct buf payload = BUF_INIT;

	wire_put_u32(&payload, peer->role);
	wire_put_u32(&payload, peer->index);
	channel_send(to->channel, MSG_PEER, 0, &payload, fd);
	buf_free(&payload);
}

static void wire_up(struct child *a, struct child *b)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0)
		fatal("socketpair: %s", strerror(errno));
	send_end(a, b, ends[0]);
	send_end(b, a, ends[1]);
}

static bool wired(enum role_id a, enum role_id b)
{
	for (size_t i = 0; i < sizeof(wires) / sizeof(*wires); i++)
		if ((wires[i][0] == a && wires[i][1] == b) ||
		    (wires[i][0] == b && wires[i][1] == a))
			return true;
	return false;
}

/* ---- starting ---- */

/* In the new process: only the standard descriptors, the channel and the spool's lock survive the
 * exec. */
_Noreturn static void become(const struct child *k, int fd)
{
	const char *directory = k->family->owner->directory(k->role);
	char index[16];

	snprintf(index, sizeof(index), "%u", k->index);
	if (chdir(directory) != 0)
		fatal("cannot enter '%s': %s", directory, strerror(errno));
	if (fd == CHANNEL_FD)
		fcntl(fd, F_SETFD, 0);
	else if (dup2(fd, CHANNEL_FD) < 0)
		_exit(126);
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execl("/proc/self/exe", "gatepost-relay", "--role", role_name(k->role), index,
	      (char *)NULL);
	_exit(127);
}

static void on_restart(struct ev_loop *loop, ev_timer *w, int events)
{
	(void)loop;
	(void)events;
	child_start(w->data);
}

static void next_stage(struct family *f);

static void on_child_end(struct ev_loop *loop, ev_child *w, int events)
{
	struct child *k = w->data;
	struct family *f = k->family;
	uint64_t lived_ms = clock_steady_ms() - k->since_ms;

	(void)events;
	ev_child_stop(loop, w);
	k->pid = 0;
	k->ready = false;
	if (k->channel)
		channel_close(k->channel);
	k->channel = NULL;
	f->owner->lost(k->role);
	if (f->stage) {
		next_stage(f);
		return;
	}
	if (k->retired)
		return;
	if (WIFSIGNALED(w->rstatus))
		log_error("%s %u was ended by signal %d (%s); restarting it", role_name(k->role),
			  k->index, WTERMSIG(w->rstatus), strsignal(WTERMSIG(w->rstatus)));
	else
		log_error("%s %u ended with status %d; restarting it", role_name(k->role), k->index,
			  WEXITSTATUS(w->rstatus));
	if (lived_ms > STEADY_MS || !k->delay_ms)
		k->delay_ms = RESTART_FIRST_MS;
	else if (k->delay_ms < RESTART_LONGEST_MS)
		k->delay_ms *= 2;
	k->restarts++;
	ev_timer_set(&k->restart, k->delay_ms / 1000.0, 0);
	ev_timer_start(loop, &k->restart);
}

static void child_start(struct child *k)
{
	struct family *f = k->family;
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0)
		fatal("socketpair: %s", strerror(errno));
	pid_t pid = fork();
	if (pid < 0)
		fatal("fork: %s", strerror(errno));
	if (pid == 0)
		become(k, ends[1]);
	close(ends[1]);
	k->pid = pid;
	k->since_ms = clock_steady_ms();
	k->channel = channel_open(f->loop, ends[0], on_message, on_closed, k);
	ev_child_set(&k->watcher, pid, 0);
	ev_child_start(f->loop, &k->watcher);
	f->owner->started(k->role, k->channel);
	for (size_t i = 0; i < f->count; i++) {
		struct child *other = &f->children[i];
		if (other != k && other->channel && wired(k->role, other->role))
			wire_up(k, other);
	}
}

static void add_child(struct family *f, enum role_id role, unsigned index)
{
	struct child *k = &f->children[f->count++];

	*k = (struct child){.family = f, .role = role, .index = index};
	ev_init(&k->watcher, on_child_end);
	ev_init(&k->restart, on_restart);
	k->watcher.data = k->restart.data = k;
}

struct family *family_start(struct ev_loop *loop, unsigned work_count,
			    const struct family_owner *owner)
{
	struct family *f = calloc(1, sizeof(*f));
	if (!f)
		abort();
	f->loop = loop;
	f->owner = owner;
	for (enum role_id role = ROLE_ACCEPT; role < ROLE_COUNT; role++)
		for (unsigned i = 0; role_name(role) && i < (role == ROLE_WORK ? work_count : 1);
		     i++)
			add_child(f, role, i);
	for (size_t i = 0; i < f->count; i++)
		child_start(&f->children[i]);
	return f;
}

static void retire(struct child *k)
{
	k->retired = true;
	ev_timer_stop(k->family->loop, &k->restart);
	if (k->channel)
		channel_send(k->channel, MSG_STOP, 0, NULL, -1);
}

/* One that still ends is started again when it has. */
static void bring_back(struct child *k)
{
	k->retired = false;
	if (!k->pid && !ev_is_active(&k->restart))
		child_start(k);
}

void family_resize(struct family *f, unsigned work_count)
{
	unsigned found = 0;

	for (size_t i = 0; i < f->count; i++) {
		struct child *k = &f->children[i];
		if (k->role != ROLE_WORK)
			continue;
		found++;
		if (k->index >= work_count && !k->retired)
			retire(k);
		else if (k->index < work_count && k->retired)
			bring_back(k);
	}
	for (; found < work_count; found++) {
		add_child(f, ROLE_WORK, found);
		child_start(&f->children[f->count - 1]);
	}
}

/* ---- ending ---- */

static void on_bound(struct ev_loop *loop, ev_timer *w, int events)
{
	struct family *f = w->data;

	(void)loop;
	(void)events;
	for (size_t i = 0; i < f->count; i++) {
		struct child *k = &f->children[i];
		if (k->pid && stop_stage[k->role] <= f->stage) {
			log_warn("%s %u did not end within %d s", role_name(k->role), k->index,
				 STOP_BOUND_S);
			kill(k->pid, SIGKILL);
		}
	}
}

static bool stage_done(const struct family *f)
{
	for (size_t i = 0; i < f->count; i++)
		if (f->children[i].pid && stop_stage[f->children[i].role] <= f->stage)
			return false;
	return true;
}

static void next_stage(struct family *f)
{
	while (stage_done(f)) {
		ev_timer_stop(f->loop, &f->bound);
		if (f->stage++ == STAGE_LAST) {
			f->owner->ended();
			return;
		}
		for (size_t i = 0; i < f->count; i++)
			if (f->children[i].channel && stop_stage[f->children[i].role] == f->stage)
				channel_send(f->children[i].channel, MSG_STOP, 0, NULL, -1);
		ev_timer_init(&f->bound, on_bound, STOP_BOUND_S, 0);
		f->bound.data = f;
		ev_timer_start(f->loop, &f->bound);
	}
}

void family_stop(struct family *f)
{
	if (f->stage)
		return;
	f->stage = 0;
	for (size_t i = 0; i < f->count; i++)
		ev_timer_stop(f->loop, &f->children[i].restart);
	ev_init(&f->bound, on_bound);
	next_stage(f);
}

/* ---- looking ---- */

struct channel *family_channel(struct family *f, enum role_id role)
{
	for (size_t i = 0; i < f->count; i++)
		if (f->children[i].role == role)
			return f->children[i].channel;
	return NULL;
}

void family_each(struct family *f, void (*fn)(enum role_id role, struct channel *c))
{
	for (size_t i = 0; i < f->count; i++)
		if (f->children[i].channel)
			fn(f->children[i].role, f->children[i].channel);
}

json_t *family_status(const struct family *f)
{
	json_t *out = json_array();

	for (size_t i = 0; i < f->count; i++) {
		const struct child *k = &f->children[i];
		if (k->retired && !k->pid)
			continue;
		json_array_append_new(out, json_pack("{s:s, s:i, s:i, s:i, s:b}", "role",
						     role_name(k->role), "index", (int)k->index,
						     "pid", (int)k->pid, "restarts",
						     (int)k->restarts, "ready", k->ready));
	}
	return out;
}
