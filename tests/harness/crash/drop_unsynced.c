/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A preload layer that sees a directory as a disk does: which writes came, and which flushes
 * covered them. It writes each operation to a log, in order; disk.py rebuilds from any prefix of
 * that log what a power cut at that moment would have left.
 *
 * kill -9 loses no written page, so it cannot show that a sync is missing; this can. A sync is
 * logged once it has come back and before its caller hears of it. The layer can also lie about
 * syncs (they come back, and are not logged), which is how the test is seen to fail, and make the
 * n-th operation fail.
 *
 * It watches the process that is started in the directory DISK_DIR, and in it every file that is
 * opened by a name without a slash. What it cannot follow (shared writable mappings, sendfile into
 * a file, links) it does not let pass: it ends the process.
 *
 * Environment: DISK_DIR; DISK_LOG, the log's path; DISK_LIE, a list of "body", "state", "dir":
 * whose syncs are lies; DISK_FAULT "N:ERRNO:COUNT", the operations N to N + COUNT - 1 fail, counted
 * from 1; DISK_FAULT_FILE, a path: they are counted only while such a file exists.
 *
 * The log: records of {u8 kind, u8 0, u16 name length, u32 data length, u64 file, u64 at}, name,
 * data. Kinds:
 *   C file name      a new file           W file at data   written
 *   T file at        cut or grown to at   w file at data   written and flushed (O_DSYNC)
 *   A file at        space up to at       S file           all before is flushed
 *   R name data      renamed to data      F file           a flush failed
 *   U name           unlinked             D                the directory is flushed
 *   K data           written to stdout    N at             operations so far, at the end
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define FDS_MAX 65536

static struct {
	bool watched, dsync, directory;
	bool lie;
	uint64_t file;
} fds[FDS_MAX];

static int log_fd = -1; /* -1: this process is not watched */
static const char *lies = "";
static const char *fault_file;
static uint64_t operations, fault_first, fault_count;
static int fault_errno;

#define REAL(result, name, ...)                    \
	static result (*real_##name)(__VA_ARGS__); \
	if (!real_##name)                          \
	*(void **)&real_##name = dlsym(RTLD_NEXT, #name)

static void die(const char *what)
{
	dprintf(2, "drop_unsynced: cannot follow %s\n", what);
	abort();
}

/* --- the log --- */

struct record {
	uint8_t kind, zero;
	uint16_t name_len;
	uint32_t data_len;
	uint64_t file, at;
};

static void note(char kind, uint64_t file, uint64_t at, const char *name, const void *data,
		 size_t n)
{
	struct record r = {
		.kind = (uint8_t)kind,
		.name_len = (uint16_t)(name ? strlen(name) : 0),
		.data_len = (uint32_t)n,
		.file = file,
		.at = at,
	};
	struct iovec iov[] = {{&r, sizeof(r)}, {(void *)name, r.name_len}, {(void *)data, n}};
	REAL(ssize_t, writev, int, const struct iovec *, int);

	if (real_writev(log_fd, iov, 3) != (ssize_t)(sizeof(r) + r.name_len + n))
		die("its own log: it cannot be written");
}

/* --- faults --- */

/* True, with errno set, when this operation is to fail. */
static bool fails(void)
{
	struct stat st;

	if (fault_file && stat(fault_file, &st) != 0)
		return false;
	operations++;
	if (!fault_errno || operations < fault_first || operations >= fault_first + fault_count)
		return false;
	errno = fault_errno;
	return true;
}

/* --- which files --- */

__attribute__((constructor)) static void begin(void)
{
	const char *dir = getenv("DISK_DIR"), *log = getenv("DISK_LOG"),
		   *fault = getenv("DISK_FAULT");
	struct stat here, there;

	if (!dir || !log || stat(".", &here) != 0 || stat(dir, &there) != 0 ||
	    here.st_ino != there.st_ino || here.st_dev != there.st_dev)
		return;
	if (getenv("DISK_LIE"))
		lies = getenv("DISK_LIE");
	if (fault && sscanf(fault, "%lu:%d:%lu", &fault_first, &fault_errno, &fault_count) != 3)
		die("DISK_FAULT");
	fault_file = getenv("DISK_FAULT_FILE");
	REAL(int, open, const char *, int, ...);
	int fd = real_open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	log_fd = fd < 0 ? fd : fcntl(fd, F_DUPFD_CLOEXEC, 900);
	if (log_fd < 0)
		die("its log: it cannot be opened");
	close(fd);
}

__attribute__((destructor)) static void finish(void)
{
	if (log_fd >= 0)
		note('N', 0, operations, NULL, NULL, 0);
}

static bool is_watched(int fd)
{
	return log_fd >= 0 && fd >= 0 && fd < FDS_MAX && fds[fd].watched;
}

static bool is_watched_name(const char *name)
{
	return log_fd >= 0 && !strchr(name, '/');
}

static bool is_lie(const char *name)
{
	const char *kind = strncmp(name, "body-", 5) == 0 ? "body" : "state";

	return strstr(lies, strcmp(name, ".") == 0 ? "dir" : kind) != NULL;
}

static int opened(int fd, const char *name, int flags, bool fresh)
{
	struct stat st;

	if (fd < 0)
		return fd;
	if (fd >= FDS_MAX || fstat(fd, &st) != 0)
		die("an open file");
	fds[fd].watched = true;
	fds[fd].dsync = (flags & O_DSYNC) != 0;
	fds[fd].directory = S_ISDIR(st.st_mode);
	fds[fd].lie = is_lie(name);
	fds[fd].file = st.st_ino;
	if (fresh)
		note('C', st.st_ino, 0, name, NULL, 0);
	else if (flags & O_TRUNC)
		note('T', st.st_ino, 0, NULL, NULL, 0);
	return fd;
}

static int watched_open(int (*real)(const char *, int, ...), const char *name, int flags,
			mode_t mode)
{
	struct stat st;
	bool fresh = (flags & O_CREAT) && stat(name, &st) != 0;

	if (fresh && fails())
		return -1;
	return opened(real(name, flags, mode), name, flags, fresh);
}

static mode_t mode_of(int flags, va_list ap)
{
	return flags & (O_CREAT | O_TMPFILE) ? va_arg(ap, mode_t) : 0;
}

#define DEFINE_OPEN(function)                                      \
	int function(const char *name, int flags, ...)             \
	{                                                          \
		REAL(int, open, const char *, int, ...);           \
		va_list ap;                                        \
		va_start(ap, flags);                               \
		mode_t mode = mode_of(flags, ap);                  \
		va_end(ap);                                        \
		if (!is_watched_name(name))                        \
			return real_open(name, flags, mode);       \
		return watched_open(real_open, name, flags, mode); \
	}
DEFINE_OPEN(open)
DEFINE_OPEN(open64)

#define DEFINE_OPENAT(function)                                               \
	int function(int dir, const char *name, int flags, ...)               \
	{                                                                     \
		REAL(int, openat, int, const char *, int, ...);               \
		va_list ap;                                                   \
		va_start(ap, flags);                                          \
		mode_t mode = mode_of(flags, ap);                             \
		va_end(ap);                                                   \
		if (is_watched_name(name) && (flags & O_ACCMODE) != O_RDONLY) \
			die("openat for writing");                            \
		return real_openat(dir, name, flags, mode);                   \
	}
DEFINE_OPENAT(openat)
DEFINE_OPENAT(openat64)

int close(int fd)
{
	REAL(int, close, int);
	if (is_watched(fd))
		fds[fd].watched = false;
	return real_close(fd);
}

/* --- writes --- */

static ssize_t wrote(int fd, const struct iovec *iov, int count, off_t at, ssize_t n, bool dsync)
{
	struct iovec one;
	size_t left = n > 0 ? (size_t)n : 0;
	char kind = (fds[fd].dsync || dsync) && !fds[fd].lie ? 'w' : 'W';

	for (int i = 0; left && i < count; i++) {
		one = iov[i];
		if (one.iov_len > left)
			one.iov_len = left;
		note(kind, fds[fd].file, (uint64_t)at, NULL, one.iov_base, one.iov_len);
		at += (off_t)one.iov_len;
		left -= one.iov_len;
	}
	return n;
}

ssize_t writev(int fd, const struct iovec *iov, int count)
{
	REAL(ssize_t, writev, int, const struct iovec *, int);
	if (!is_watched(fd))
		return real_writev(fd, iov, count);
	off_t at = lseek(fd, 0, SEEK_CUR);
	if (fails())
		return -1;
	return wrote(fd, iov, count, at, real_writev(fd, iov, count), false);
}

ssize_t write(int fd, const void *data, size_t n)
{
	REAL(ssize_t, write, int, const void *, size_t);
	struct iovec iov = {(void *)data, n};
	if (log_fd >= 0 && fd == STDOUT_FILENO)
		note('K', 0, 0, NULL, data, n);
	return is_watched(fd) ? writev(fd, &iov, 1) : real_write(fd, data, n);
}

static ssize_t watched_pwritev(int fd, const struct iovec *iov, int count, off_t at)
{
	REAL(ssize_t, pwritev, int, const struct iovec *, int, off_t);
	if (!is_watched(fd))
		return real_pwritev(fd, iov, count, at);
	if (fails())
		return -1;
	return wrote(fd, iov, count, at, real_pwritev(fd, iov, count, at), false);
}

ssize_t pwritev(int fd, const struct iovec *iov, int count, off_t at)
{
	return watched_pwritev(fd, iov, count, at);
}

ssize_t pwritev64(int fd, const struct iovec *iov, int count, off_t at)
{
	return watched_pwritev(fd, iov, count, at);
}

static ssize_t watched_pwritev2(int fd, const struct iovec *iov, int count, off_t at, int flags)
{
	REAL(ssize_t, pwritev2, int, const struct iovec *, int, off_t, int);
	bool dsync = flags == RWF_DSYNC;

	if (!is_watched(fd))
		return real_pwritev2(fd, iov, count, at, flags);
	if (flags && !dsync)
		die("a flag of pwritev2");
	if (fails())
		return -1;
	ssize_t n = real_pwritev2(fd, iov, count, at, fds[fd].lie ? 0 : flags);
	return wrote(fd, iov, count, at, n, dsync);
}

ssize_t pwritev2(int fd, const struct iovec *iov, int count, off_t at, int flags)
{
	return watched_pwritev2(fd, iov, count, at, flags);
}

ssize_t pwritev64v2(int fd, const struct iovec *iov, int count, off_t at, int flags)
{
	return watched_pwritev2(fd, iov, count, at, flags);
}

ssize_t pwrite(int fd, const void *data, size_t n, off_t at)
{
	struct iovec iov = {(void *)data, n};
	return watched_pwritev(fd, &iov, 1, at);
}

ssize_t pwrite64(int fd, const void *data, size_t n, off_t at)
{
	return pwrite(fd, data, n, at);
}

/* --- sizes --- */

static int watched_ftruncate(int fd, off_t size)
{
	REAL(int, ftruncate, int, off_t);
	if (is_watched(fd) && fails())
		return -1;
	int status = real_ftruncate(fd, size);
	if (is_watched(fd) && status == 0)
		note('T', fds[fd].file, (uint64_t)size, NULL, NULL, 0);
	return status;
}

int ftruncate(int fd, off_t size)
{
	return watched_ftruncate(fd, size);
}

int ftruncate64(int fd, off_t size)
{
	return watched_ftruncate(fd, size);
}

int truncate(const char *name, off_t size)
{
	REAL(int, truncate, const char *, off_t);
	struct stat st;
	bool watched = is_watched_name(name);

	if (watched && fails())
		return -1;
	int status = real_truncate(name, size);
	if (watched && status == 0 && stat(name, &st) == 0)
		note('T', st.st_ino, (uint64_t)size, NULL, NULL, 0);
	return status;
}

static int watched_fallocate(int fd, int mode, off_t at, off_t n)
{
	REAL(int, fallocate, int, int, off_t, off_t);
	if (!is_watched(fd))
		return real_fallocate(fd, mode, at, n);
	if (mode)
		die("a mode of fallocate");
	if (fails())
		return -1;
	int status = real_fallocate(fd, mode, at, n);
	if (status == 0)
		note('A', fds[fd].file, (uint64_t)(at + n), NULL, NULL, 0);
	return status;
}

int fallocate(int fd, int mode, off_t at, off_t n)
{
	return watched_fallocate(fd, mode, at, n);
}

int fallocate64(int fd, int mode, off_t at, off_t n)
{
	return watched_fallocate(fd, mode, at, n);
}

/* --- flushes --- */

static int flushed(int fd, int status)
{
	if (status != 0)
		note('F', fds[fd].file, 0, NULL, NULL, 0);
	else if (!fds[fd].lie)
		note(fds[fd].directory ? 'D' : 'S', fds[fd].file, 0, NULL, NULL, 0);
	return status;
}

int fsync(int fd)
{
	REAL(int, fsync, int);
	if (!is_watched(fd))
		return real_fsync(fd);
	return flushed(fd, fails() ? -1 : fds[fd].lie ? 0 : real_fsync(fd));
}

int fdatasync(int fd)
{
	REAL(int, fdatasync, int);
	if (!is_watched(fd))
		return real_fdatasync(fd);
	return flushed(fd, fails() ? -1 : fds[fd].lie ? 0 : real_fdatasync(fd));
}

/* --- names --- */

int rename(const char *from, const char *to)
{
	REAL(int, rename, const char *, const char *);
	bool watched = is_watched_name(from);

	if (watched && fails())
		return -1;
	int status = real_rename(from, to);
	if (watched && status == 0)
		note('R', 0, 0, from, to, strlen(to));
	return status;
}

int unlink(const char *name)
{
	REAL(int, unlink, const char *);
	bool watched = is_watched_name(name);

	if (watched && fails())
		return -1;
	int status = real_unlink(name);

	if (watched && status == 0)
		note('U', 0, 0, name, NULL, 0);
	return status;
}

/* --- what is not followed --- */

void *mmap(void *address, size_t n, int protection, int flags, int fd, off_t at)
{
	REAL(void *, mmap, void *, size_t, int, int, int, off_t);
	if (is_watched(fd) && (flags & MAP_SHARED) && (protection & PROT_WRITE))
		die("a shared writable mapping");
	return real_mmap(address, n, protection, flags, fd, at);
}

void *mmap64(void *address, size_t n, int protection, int flags, int fd, off_t at)
{
	return mmap(address, n, protection, flags, fd, at);
}

ssize_t sendfile(int to, int from, off_t *at, size_t n)
{
	REAL(ssize_t, sendfile, int, int, off_t *, size_t);
	if (is_watched(to))
		die("sendfile");
	return real_sendfile(to, from, at, n);
}

ssize_t copy_file_range(int from, off64_t *from_at, int to, off64_t *to_at, size_t n,
			unsigned flags)
{
	REAL(ssize_t, copy_file_range, int, off64_t *, int, off64_t *, size_t, unsigned);
	if (is_watched(to))
		die("copy_file_range");
	return real_copy_file_range(from, from_at, to, to_at, n, flags);
}

int link(const char *from, const char *to)
{
	REAL(int, link, const char *, const char *);
	if (is_watched_name(from) || is_watched_name(to))
		die("link");
	return real_link(from, to);
}
