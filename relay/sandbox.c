/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/sandbox.h"

#include "lib/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* Memory, time, the event loop, channels, an orderly end. */
#define CALLS_COMMON                                                                             \
	"read", "write", "readv", "writev", "recvmsg", "sendmsg", "recvfrom", "sendto", "close", \
		"epoll_wait", "epoll_pwait", "epoll_ctl", "epoll_create1", "eventfd2", "poll",   \
		"ppoll", "timerfd_create", "timerfd_settime", "clock_gettime", "gettimeofday",   \
		"clock_nanosleep", "nanosleep", "mmap", "munmap", "mremap", "brk", "madvise",    \
		"mprotect", "futex", "getrandom", "rt_sigaction", "rt_sigprocmask",              \
		"rt_sigreturn", "exit", "exit_group", "getpid", "gettid", "tgkill", "fstat",     \
		"newfstatat", "lseek", "fcntl", "restart_syscall", "rseq", "set_robust_list",    \
		"sched_yield", "dup", "geteuid", "getuid", "sysinfo", "uname", "prlimit64"

/* A socket that somebody else opened. */
#define CALLS_CONNECTION \
	"accept4", "accept", "getpeername", "getsockname", "setsockopt", "getsockopt", "shutdown"

/* A message's bytes, in memory or in a segment that was handed over. */
#define CALLS_BODY "memfd_create", "pread64"

/* Files below the role's own root. */
#define CALLS_FILES                                                                          \
	"openat", "open", "unlink", "unlinkat", "rename", "renameat", "renameat2", "mkdir",  \
		"mkdirat", "fsync", "fdatasync", "fallocate", "getdents64", "stat", "lstat", \
		"statfs", "fstatfs", "statx", "access", "faccessat", "faccessat2", "flock",  \
		"pread64", "pwrite64", "preadv", "pwritev", "msync", "ftruncate", "fchmod",  \
		"fchown", "getcwd", "readlink", "sync_file_range"

#define CALLS_THREADS "clone", "clone3", "set_tid_address", "sched_getaffinity", "membarrier"

/* spool: rename puts a new file of orders in the old one's place. deliver: clock_adjtime is how
 * the kernel is asked whether the clock is synchronised; without a capability nobody can set it. */
static const char *const calls_accept[] = {CALLS_COMMON, CALLS_CONNECTION, CALLS_BODY, NULL};
static const char *const calls_auth[] = {CALLS_COMMON, CALLS_THREADS, NULL};
static const char *const calls_spool[] = {CALLS_COMMON, "rename",    "openat",  "unlink",
					  "statfs",     "fstatfs",   "fsync",   "fdatasync",
					  "fallocate",  "ftruncate", "pread64", "pwrite64",
					  "pwritev",    "pwritev2",  NULL};
static const char *const calls_work[] = {CALLS_COMMON, CALLS_BODY, "openat", "getdents64", NULL};
static const char *const calls_deliver[] = {
	CALLS_COMMON, CALLS_CONNECTION, CALLS_BODY, "clock_adjtime",
	"socket",     "connect",        "bind",     NULL};
static const char *const calls_http[] = {CALLS_COMMON, CALLS_CONNECTION, "pread64", NULL};
static const char *const calls_report[] = {CALLS_COMMON, CALLS_FILES, NULL};

static const char *const *const calls[ROLE_COUNT] = {
	[ROLE_ACCEPT] = calls_accept, [ROLE_AUTH] = calls_auth,       [ROLE_SPOOL] = calls_spool,
	[ROLE_WORK] = calls_work,     [ROLE_DELIVER] = calls_deliver, [ROLE_HTTP] = calls_http,
	[ROLE_REPORT] = calls_report,
};

static const struct passwd *role_user(const char *role_name)
{
	char name[32];

	if (geteuid() != 0)
		return NULL;
	snprintf(name, sizeof(name), "gp-%s", role_name);
	return getpwnam(name);
}

bool sandbox_own(const char *directory, const char *role_name)
{
	const struct passwd *user = role_user(role_name);

	if (!user)
		return true;
	return chown(directory, user->pw_uid, user->pw_gid) == 0 && chmod(directory, 0700) == 0;
}

static bool own_key(int dir, const char *name, const struct passwd *user)
{
	int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	bool ok = fd >= 0 && fchown(fd, user->pw_uid, user->pw_gid) == 0 && fchmod(fd, 0400) == 0;

	if (fd >= 0)
		close(fd);
	return ok;
}

bool sandbox_own_keys(const char *directory)
{
	const struct passwd *user = role_user("work");
	DIR *dir = user ? opendir(directory) : NULL;
	bool ok = true;

	if (!user)
		return true;
	if (!dir || fchmod(dirfd(dir), 0711) != 0)
		ok = false;
	for (struct dirent *entry; ok && (entry = readdir(dir));) {
		const char *dot = strrchr(entry->d_name, '.');
		if (dot && strcmp(dot, ".pem") == 0)
			ok = own_key(dirfd(dir), entry->d_name, user);
	}
	if (dir)
		closedir(dir);
	return ok;
}

static void give_up_rights(const char *role_name)
{
	const struct passwd *user = role_user(role_name);

	if (geteuid() == 0) {
		if (chroot(".") != 0 || chdir("/") != 0)
			fatal("chroot: %s", strerror(errno));
		if (user && (setgroups(0, NULL) != 0 ||
			     setresgid(user->pw_gid, user->pw_gid, user->pw_gid) != 0 ||
			     setresuid(user->pw_uid, user->pw_uid, user->pw_uid) != 0))
			fatal("cannot become %s: %s", user->pw_name, strerror(errno));
	}
	cap_t none = cap_init();
	if (!none || cap_set_proc(none) != 0)
		fatal("cannot give up capabilities: %s", strerror(errno));
	cap_free(none);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		fatal("no_new_privs: %s", strerror(errno));
}

#ifndef __SANITIZE_ADDRESS__

/* Only what is safe in a signal handler: the number, and the name that libseccomp knows. */
static void on_sigsys(int signal_number, siginfo_t *info, void *context)
{
	(void)signal_number;
	(void)context;
	char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, info->si_syscall);
	log_error("system call %s (%d) is not on this role's list", name ? name : "?",
		  info->si_syscall);
	_exit(1);
}

static void add_call(scmp_filter_ctx filter, const char *name)
{
	int number = seccomp_syscall_resolve_name(name);

	/* New memory may never be executable. */
	if (strcmp(name, "mmap") == 0 || strcmp(name, "mprotect") == 0) {
		if (seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 1,
				     SCMP_A2(SCMP_CMP_MASKED_EQ, 4 /* PROT_EXEC */, 0)) != 0)
			fatal("seccomp: cannot add %s", name);
		return;
	}
	if (number == __NR_SCMP_ERROR)
		fatal("seccomp: no system call '%s'", name);
	int status = seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0);
	if (status != 0 && status != -EEXIST)
		fatal("seccomp: cannot add %s: %s", name, strerror(-status));
}

static void filter_calls(enum role_id id)
{
	struct sigaction action = {.sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO};
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_TRAP);

	if (!filter || sigaction(SIGSYS, &action, NULL) != 0)
		fatal("seccomp: cannot begin a filter");
	for (const char *const *name = calls[id]; *name; name++)
		add_call(filter, *name);
	if (seccomp_load(filter) != 0)
		fatal("seccomp: cannot load the filter");
	seccomp_release(filter);
}
#else
static void filter_calls(enum role_id id)
{
	(void)calls[id];
}
#endif

void sandbox_enter(enum role_id id, const char *role_name)
{
	give_up_rights(role_name);
	filter_calls(id);
}
