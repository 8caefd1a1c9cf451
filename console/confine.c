/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "console/confine.h"

#include "lib/log.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <seccomp.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

/* socketpair: one for each SSH session. The last three lines are how abort() ends the process. */
static const char *const calls[] = {
	"read",          "write",          "writev",     "recvfrom",
	"recvmsg",       "sendto",         "sendmsg",    "poll",
	"ppoll",         "close",          "socketpair", "shutdown",
	"clock_gettime", "gettimeofday",   "getrandom",  "futex",
	"mmap",          "munmap",         "mremap",     "brk",
	"madvise",       "mprotect",       "fstat",      "newfstatat",
	"lseek",         "rt_sigreturn",   "exit_group", "restart_syscall",
	"rt_sigaction",  "rt_sigprocmask", "getpid",     "gettid",
	"tgkill",
};

static void leave_root(const char *dir, const char *user)
{
	const struct passwd *pw = getpwnam(user);

	if (geteuid() == 0) {
		if (chdir(dir) != 0 || chroot(".") != 0)
			fatal("chroot %s: %s", dir, strerror(errno));
		if (!pw)
			log_warn("there is no user %s here; staying %s", user, "root");
		else if (setgroups(0, NULL) != 0 ||
			 setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) != 0 ||
			 setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) != 0)
			fatal("cannot become %s: %s", user, strerror(errno));
	}
	cap_t none = cap_init();
	if (!none || cap_set_proc(none) != 0)
		fatal("cannot give up capabilities: %s", strerror(errno));
	cap_free(none);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		fatal("no_new_privs: %s", strerror(errno));
}

#ifndef __SANITIZE_ADDRESS__
static void limit(int resource, rlim_t most)
{
	const struct rlimit both = {most, most};

	if (setrlimit(resource, &both) != 0)
		fatal("setrlimit: %s", strerror(errno));
}

static void add_call(scmp_filter_ctx filter, const char *name)
{
	int number = seccomp_syscall_resolve_name(name), status;

	/* New memory may never be executable. */
	if (!strcmp(name, "mmap") || !strcmp(name, "mprotect"))
		status = seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 1,
					  SCMP_A2(SCMP_CMP_MASKED_EQ, 4 /* PROT_EXEC */, 0));
	else
		status = seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0);
	if (status != 0)
		fatal("seccomp: cannot add %s: %s", name, strerror(-status));
}

static void filter_calls(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);

	if (!filter)
		fatal("seccomp: cannot begin a filter");
	for (size_t i = 0; i < sizeof(calls) / sizeof(*calls); i++)
		add_call(filter, calls[i]);
	if (seccomp_load(filter) != 0)
		fatal("seccomp: cannot load the filter");
	seccomp_release(filter);
}

static void limit_all(void)
{
	limit(RLIMIT_DATA, CONFINE_MEMORY_MAX);
	limit(RLIMIT_NOFILE, 64);
	limit(RLIMIT_CORE, 0);
	filter_calls();
}
#else
/* The sanitizers need more memory and more calls than any list should have. */
static void limit_all(void)
{
	(void)calls;
}
#endif

void confine(const char *dir, const char *user)
{
	leave_root(dir, user);
	limit_all();
}
