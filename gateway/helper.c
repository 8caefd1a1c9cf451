/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gateway/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct helper {
	struct ev_loop *loop;
	const struct helper_events *events;
	void *arg;
	pid_t pid;
	int fd;
	ev_io io;
	ev_child child;
	bool drained, reaped;
	int status;
};

static void free_helper(struct helper *h)
{
	ev_io_stop(h->loop, &h->io);
	ev_child_stop(h->loop, &h->child);
	if (h->fd >= 0)
		close(h->fd);
	free(h);
}

void helper_cancel(struct helper *h)
{
	if (!h->reaped)
		kill(-h->pid, SIGKILL);
	free_helper(h); /* libev reaps every child of the default loop */
}

static void end_when_done(struct helper *h)
{
	if (!h->drained || !h->reaped)
		return;
	int status = WIFEXITED(h->status) ? WEXITSTATUS(h->status) : 128 + WTERMSIG(h->status);
	const struct helper_events *events = h->events;
	void *arg = h->arg;
	free_helper(h);
	events->ended(arg, status);
}

static void on_output(struct ev_loop *loop, ev_io *w, int revents)
{
	struct helper *h = w->data;
	char bytes[4096];
	ssize_t n = read(h->fd, bytes, sizeof(bytes));

	(void)revents;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0) {
		h->events->output(h->arg, bytes, (size_t)n);
		return;
	}
	ev_io_stop(loop, w);
	h->drained = true;
	end_when_done(h);
}

static void on_child(struct ev_loop *loop, ev_child *w, int revents)
{
	struct helper *h = w->data;

	(void)revents;
	ev_child_stop(loop, w);
	h->reaped = true;
	h->status = w->rstatus;
	end_when_done(h);
}

_Noreturn static void run(char *const argv[], int out)
{
	static char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
	static char *const environment[] = {path, NULL};
	sigset_t none;

	setpgid(0, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	int null = open("/dev/null", O_RDONLY);
	if (null >= 0)
		dup2(null, STDIN_FILENO);
	putenv(path);
	execvpe(argv[0], argv, environment);
	static const char missing[] = "this program is not on the box\n";
	ssize_t n = write(STDERR_FILENO, missing, sizeof(missing) - 1);
	(void)n;
	_exit(127);
}

struct helper *helper_start(struct ev_loop *loop, char *const argv[],
			    const struct helper_events *events, void *arg, struct buf *error)
{
	int pipe_fds[2];

	if (pipe2(pipe_fds, O_CLOEXEC) != 0) {
		buf_printf(error, "cannot run %s: %s\n", argv[0], strerror(errno));
		return NULL;
	}
	pid_t pid = fork();
	if (pid == 0)
		run(argv, pipe_fds[1]);
	close(pipe_fds[1]);
	if (pid < 0) {
		buf_printf(error, "cannot run %s: %s\n", argv[0], strerror(errno));
		close(pipe_fds[0]);
		return NULL;
	}
	struct helper *h = calloc(1, sizeof(*h));
	if (!h)
		abort();
	*h = (struct helper){.loop = loop, .events = events, .arg = arg, .pid = pid};
	h->fd = pipe_fds[0];
	setpgid(pid, pid); /* both sides do it, so that kill() cannot come too early */
	fcntl(h->fd, F_SETFL, O_NONBLOCK);
	ev_io_init(&h->io, on_output, h->fd, EV_READ);
	ev_child_init(&h->child, on_child, pid, 0);
	h->io.data = h;
	h->child.data = h;
	ev_io_start(loop, &h->io);
	ev_child_start(loop, &h->child);
	return h;
}
