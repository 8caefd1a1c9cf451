/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/spool/reserve.h"

#include "lib/log.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define MIB ((uint64_t)1024 * 1024)

/* What this process may still write, and the whole. */
static bool look(uint64_t *free_bytes, uint64_t *all_bytes)
{
	struct statvfs fs;

	if (statvfs(".", &fs) != 0)
		return false;
	*free_bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	*all_bytes = (uint64_t)fs.f_blocks * fs.f_frsize;
	return true;
}

uint64_t reserve_disk_bytes(void)
{
	uint64_t free_bytes, all_bytes;

	return look(&free_bytes, &all_bytes) ? all_bytes : 0;
}

static bool is_there(const struct reserve *r)
{
	struct stat st;

	return stat(RESERVE_NAME, &st) == 0 && (uint64_t)st.st_size == r->bytes &&
	       (uint64_t)st.st_blocks * 512 >= r->bytes;
}

static void take(struct reserve *r)
{
	unlink(RESERVE_NAME);
	int fd = open(RESERVE_NAME, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	r->held = fd >= 0 && fallocate(fd, 0, 0, (off_t)r->bytes) == 0;
	/* Where space cannot be taken ahead, what is free is all there is to go by. */
	if (fd >= 0 && !r->held && errno == EOPNOTSUPP)
		r->held = true;
	if (fd >= 0)
		close(fd);
	if (!r->held)
		unlink(RESERVE_NAME);
}

void reserve_open(struct reserve *r, uint64_t bytes)
{
	if (!bytes) {
		bytes = reserve_disk_bytes() / 40;
		bytes = bytes < 4 * MIB ? 4 * MIB : bytes > 128 * MIB ? 128 * MIB : bytes;
	}
	*r = (struct reserve){.bytes = bytes};
	r->held = is_there(r);
	reserve_allows(r, 0);
}

bool reserve_allows(struct reserve *r, uint64_t more)
{
	uint64_t free_bytes, all_bytes;

	if (!look(&free_bytes, &all_bytes))
		return false;
	if (!r->held && free_bytes >= 2 * r->bytes) {
		take(r);
		if (!look(&free_bytes, &all_bytes))
			return false;
	}
	return r->held && free_bytes >= r->bytes && free_bytes - r->bytes >= more;
}

bool reserve_is_short(const struct reserve *r)
{
	uint64_t free_bytes, all_bytes;

	return look(&free_bytes, &all_bytes) && free_bytes < r->bytes;
}

bool reserve_release(struct reserve *r)
{
	if (!r->held)
		return false;
	r->held = false;
	if (unlink(RESERVE_NAME) != 0)
		return false;
	log_warn("the spool's disk is full: its reserve of %ju MiB is given up",
		 (uintmax_t)(r->bytes / MIB));
	return true;
}
