/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "console/keeper.h"

#include "console/authlog.h"
#include "console/handover.h"
#include "console/link.h"
#include "console/netns.h"
#include "lib/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	/* A stack that ends again and again is started less often, but never less than twice a
	 * second. */
	PAUSE_FIRST_MS = 50,
	PAUSE_MAX_MS = 500,
	WELL_MS = 5000, /* one that ran this long starts over */
	PORT_RETRY_MS = 1000,
	ENV_PATH_MAX = 64,
};

struct server {
	pid_t pid; /* 0: this place is free */
	uint64_t since_ms;
	char client[HANDOVER_CLIENT_MAX];
};

struct keeper {
	const struct keeper_options *o;
	struct lanport settings;
	struct netlink *outside;
	int signals;
	int log; /* authlog.h; -1 */
	sigset_t mask_before;

	pid_t stack; /* 0: none runs */
	int control; /* to it; -1 */
	uint64_t started_ms, start_ms;
	unsigned pause_ms;
	struct port_sockets sockets;
	int link;

	struct server servers[KEEPER_SERVERS_MAX];
	bool port_missed, ending;
	int status;
};

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* ---- settings ---- */

static void read_settings(struct keeper *k)
{
	struct buf text = BUF_INIT, error = BUF_INIT;

	lanport_default(&k->settings);
	if (!buf_read_file(&text, k->o->settings, LANPORT_FILE_MAX)) {
		if (errno != ENOENT)
			log_error("%s: %s", k->o->settings, strerror(errno));
	} else if (!lanport_parse(&k->settings, buf_str(&text), &error)) {
		for (char *rest = NULL, *line = strtok_r(error.data, "\n", &rest); line;
		     line = strtok_r(NULL, "\n", &rest))
			log_error("%s: %s; left as it was", k->o->settings, line);
	}
	buf_free(&text);
	buf_free(&error);
}

/* ---- the stack ---- */

/* In the child: signals as a program expects them. */
static void begin_child(const struct keeper *k)
{
	sigprocmask(SIG_SETMASK, &k->mask_before, NULL);
	setsid();
}

/* Moves each to its place, over whatever is there; none of them is in the way of another's place,
 * since all were first moved beyond them. */
static void place_descriptors(const struct keeper *k, int control)
{
	int from[HANDOVER_END - HANDOVER_KEEPER] = {control, k->link};

	for (size_t i = 0; i < FRAME_CLASSES; i++)
		from[HANDOVER_SOCKETS - HANDOVER_KEEPER + i] = k->sockets.fds[i];
	for (int i = 0; i < HANDOVER_END - HANDOVER_KEEPER; i++) {
		from[i] = fcntl(from[i], F_DUPFD_CLOEXEC, HANDOVER_END);
		if (from[i] < 0)
			_exit(127);
	}
	for (int i = 0; i < HANDOVER_END - HANDOVER_KEEPER; i++)
		if (dup2(from[i], HANDOVER_KEEPER + i) < 0)
			_exit(127);
	dup2(STDERR_FILENO, STDOUT_FILENO); /* where lwIP says which assertion failed */
}

_Noreturn static void exec_stack(const struct keeper *k, int control)
{
	const uint8_t *m = k->sockets.mac;
	char index[16], mac[32], address[PREFIX_STR_MAX];

	begin_child(k);
	place_descriptors(k, control);
	snprintf(index, sizeof(index), "%u", k->sockets.index);
	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4],
		 m[5]);
	prefix_format(&k->settings.address, address);
	/* Executed anew, so that each has its memory at other addresses. */
	execl("/proc/self/exe", "gatepost-console", "--stack", index, mac, address,
	      k->settings.dhcp ? "on" : "off", k->o->root, k->o->user, (char *)NULL);
	_exit(127);
}

static void close_stack(struct keeper *k)
{
	if (k->control >= 0)
		close(k->control);
	if (k->link >= 0)
		close(k->link);
	if (k->sockets.index)
		port_close_sockets(&k->sockets);
	k->control = k->link = -1;
	k->sockets.index = 0;
}

static bool open_port(struct keeper *k)
{
	struct buf error = BUF_INIT;
	bool ok = netns_fetch(k->outside, k->o->device, &error) &&
		  port_open_sockets(k->o->device, &k->sockets, &error);

	if (ok && (k->link = link_open()) < 0) {
		buf_printf(&error, "rtnetlink: %s\n", strerror(errno));
		ok = false;
	}
	if (!ok && !k->port_missed)
		log_error("%.*s; trying again every second", (int)strcspn(buf_str(&error), "\n"),
			  buf_str(&error));
	k->port_missed = !ok;
	buf_free(&error);
	return ok;
}

static void start_stack(struct keeper *k)
{
	int pair[2] = {-1, -1};

	k->started_ms = now_ms();
	if (!open_port(k) || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
		close_stack(k);
		k->start_ms = k->started_ms + PORT_RETRY_MS;
		return;
	}
	k->stack = fork();
	if (k->stack == 0)
		exec_stack(k, pair[1]);
	if (k->stack < 0) {
		log_error("fork: %s", strerror(errno));
		k->stack = 0;
		k->start_ms = k->started_ms + PORT_RETRY_MS;
	}
	close(pair[1]);
	k->control = pair[0];
	if (!k->stack)
		close_stack(k);
}

/* A refusal to run is final; anything else is mended by a fresh one. */
static void stack_ended(struct keeper *k, int status)
{
	uint64_t now = now_ms();

	k->stack = 0;
	close_stack(k);
	if (now - k->started_ms >= WELL_MS)
		k->pause_ms = 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 1) {
		k->ending = true;
		k->status = 1;
		return;
	}
	if (WIFSIGNALED(status))
		log_error("the stack ended on signal %d (%s); starting it again", WTERMSIG(status),
			  strsignal(WTERMSIG(status)));
	else if (!k->ending)
		log_warn("the stack ended (status %d); starting it again", WEXITSTATUS(status));
	k->start_ms = now + k->pause_ms;
	k->pause_ms = k->pause_ms ? 2 * k->pause_ms : PAUSE_FIRST_MS;
	if (k->pause_ms > PAUSE_MAX_MS)
		k->pause_ms = PAUSE_MAX_MS;
}

/* ---- SSH servers ---- */

/* Whether some process has this parent: a login has begun then, its shell is one. */
static bool has_child(pid_t parent)
{
	DIR *dir = opendir("/proc");
	bool found = false;

	for (struct dirent *e; dir && !found && (e = readdir(dir));) {
		char path[sizeof("/proc//stat") + 256];
		struct buf text = BUF_INIT;
		snprintf(path, sizeof(path), "/proc/%s/stat", e->d_name);
		if (e->d_name[0] >= '1' && e->d_name[0] <= '9' &&
		    buf_read_file(&text, path, 4096)) {
			/* "pid (name) state ppid": the name may hold anything */
			const char *behind = strrchr(buf_str(&text), ')');
			found = behind && strlen(behind) > 4 && atoi(behind + 4) == parent;
		}
		buf_free(&text);
	}
	if (dir)
		closedir(dir);
	return found;
}

static struct server *free_server(struct keeper *k)
{
	for (size_t i = 0; i < KEEPER_SERVERS_MAX; i++)
		if (!k->servers[i].pid)
			return &k->servers[i];
	return NULL;
}

static struct server *make_room(struct keeper *k)
{
	struct server *oldest = NULL;

	for (size_t i = 0; i < KEEPER_SERVERS_MAX; i++) {
		struct server *s = &k->servers[i];
		if ((!oldest || s->since_ms < oldest->since_ms) && !has_child(s->pid))
			oldest = s;
	}
	if (oldest) {
		log_warn("%s: not logged in, makes room for another", oldest->client);
		kill(-oldest->pid, SIGKILL);
		waitpid(oldest->pid, NULL, 0);
		oldest->pid = 0;
	}
	return oldest;
}

_Noreturn static void exec_server(const struct keeper *k, int fd)
{
	static char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
	char *const environment[] = {path, NULL};
	const char *const argv[] = {"dropbear", "-i", "-m", "-w",           "-j", "-k",
				    "-T",       "6",  "-r", k->o->host_key, NULL};

	begin_child(k);
	/* A socket that does not block: the server expects one that does. */
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
	if (dup2(fd, STDIN_FILENO) < 0 || dup2(fd, STDOUT_FILENO) < 0)
		_exit(127);
	execve(k->o->dropbear, (char *const *)argv, environment);
	log_error("%s: %s", k->o->dropbear, strerror(errno));
	_exit(127);
}

static void serve(struct keeper *k, int fd, const char *client)
{
	struct server *s = free_server(k);

	if (!s && !(s = make_room(k))) {
		log_warn("%s: turned away, %d are logged in", client, KEEPER_SERVERS_MAX);
		return;
	}
	s->pid = fork();
	if (s->pid == 0)
		exec_server(k, fd);
	if (s->pid < 0) {
		log_error("%s: turned away, fork: %s", client, strerror(errno));
		s->pid = 0;
		return;
	}
	s->since_ms = now_ms();
	snprintf(s->client, sizeof(s->client), "%s", client);
	log_info("%s: connected (process %d)", client, (int)s->pid);
}

static void server_ended(struct server *s)
{
	log_info("%s: gone after %llu s (process %d)", s->client,
		 (unsigned long long)(now_ms() - s->since_ms) / 1000, (int)s->pid);
	s->pid = 0;
}

/* ---- the loop ---- */

static void on_child(struct keeper *k)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == k->stack)
			stack_ended(k, status);
		for (size_t i = 0; i < KEEPER_SERVERS_MAX; i++)
			if (k->servers[i].pid == pid)
				server_ended(&k->servers[i]);
	}
}

static void on_signal(struct keeper *k)
{
	struct signalfd_siginfo info;

	if (read(k->signals, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	switch (info.ssi_signo) {
	case SIGCHLD:
		on_child(k);
		break;
	case SIGHUP:
		log_info("reading the settings again");
		read_settings(k);
		if (k->stack)
			kill(k->stack, SIGTERM);
		break;
	default:
		k->ending = true;
	}
}

static void on_connection(struct keeper *k)
{
	char client[HANDOVER_CLIENT_MAX];
	int fd = handover_receive(k->control, MSG_DONTWAIT, client);

	if (fd >= 0) {
		serve(k, fd, client);
		close(fd);
	} else if (errno == EPIPE) {
		/* Its end will be told as a child's, too. */
		close(k->control);
		k->control = -1;
	}
}

static void loop(struct keeper *k)
{
	while (!k->ending) {
		struct pollfd fds[] = {{.fd = k->signals, .events = POLLIN},
				       {.fd = k->control, .events = POLLIN},
				       {.fd = k->log, .events = POLLIN}};
		uint64_t now = now_ms();
		int wait = -1;

		if (!k->stack && now >= k->start_ms)
			start_stack(k);
		if (!k->stack)
			wait = k->start_ms > now ? (int)(k->start_ms - now) : 0;
		fds[1].fd = k->control;
		if (poll(fds, 3, wait) < 0 && errno != EINTR)
			fatal("poll: %s", strerror(errno));
		if (fds[1].revents)
			on_connection(k);
		if (fds[2].revents & POLLIN)
			authlog_read(k->log);
		if (fds[0].revents & POLLIN)
			on_signal(k);
	}
}

static void end_all(struct keeper *k)
{
	if (k->stack)
		kill(k->stack, SIGTERM);
	for (size_t i = 0; i < KEEPER_SERVERS_MAX; i++)
		if (k->servers[i].pid)
			kill(-k->servers[i].pid, SIGTERM);
	close_stack(k);
	close(k->signals);
	if (k->log >= 0)
		close(k->log);
	netlink_close(k->outside);
}

int keeper_run(const struct keeper_options *o)
{
	static struct keeper k;
	struct buf error = BUF_INIT;
	sigset_t mask;

	k = (struct keeper){.o = o, .control = -1, .link = -1, .log = -1};
	sigemptyset(&mask);
	for (size_t i = 0; i < 4; i++)
		sigaddset(&mask, (const int[]){SIGCHLD, SIGHUP, SIGTERM, SIGINT}[i]);
	sigprocmask(SIG_BLOCK, &mask, &k.mask_before);
	if ((k.signals = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK)) < 0)
		fatal("signalfd: %s", strerror(errno));
	if ((k.log = authlog_open(o->log)) < 0)
		log_warn("%s: %s; what the SSH servers say of logins is not here", o->log,
			 strerror(errno));
	if (mkdir(o->root, 0755) != 0 && errno != EEXIST)
		fatal("cannot create %s: %s", o->root, strerror(errno));
	/* The port comes from the namespace that we were started in. */
	if (!(k.outside = netlink_open(NETLINK_ROUTE, &error)) || !netns_enter(o->netns, &error))
		fatal("%.*s", (int)strcspn(buf_str(&error), "\n"), buf_str(&error));
	read_settings(&k);
	loop(&k);
	end_all(&k);
	buf_free(&error);
	return k.status;
}
