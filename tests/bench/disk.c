/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * disk FILE BYTES INTERVAL_US
 *
 * What the disk alone makes a small account's message wait: writes BYTES to the end of FILE and
 * syncs them, each INTERVAL_US, until SIGTERM. Prints p50 and p99 of what a write took, in
 * milliseconds.
 */
#include <err.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { WRITES_MAX = 1000000, FILE_BYTES = 64 * 1024 * 1024 };

static volatile sig_atomic_t stopping;

static void on_term(int signal)
{
	(void)signal;
	stopping = 1;
}

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	if (argc != 4)
		errx(2, "usage: disk FILE BYTES INTERVAL_US");
	size_t bytes = strtoul(argv[2], NULL, 10), count = 0;
	useconds_t interval_us = (useconds_t)strtoul(argv[3], NULL, 10);
	double *took = calloc(WRITES_MAX, sizeof(*took));
	char *data = calloc(1, bytes);
	int fd = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (!took || !data || fd < 0 || fallocate(fd, 0, 0, FILE_BYTES) != 0 || fsync(fd) != 0)
		err(2, "%s", argv[1]);
	signal(SIGTERM, on_term);
	while (!stopping && count < WRITES_MAX) {
		struct iovec part = {data, bytes};
		off_t at = (off_t)(count * bytes % (FILE_BYTES - bytes));
		double begun = now_ms();

		if (pwritev2(fd, &part, 1, at, RWF_DSYNC) != (ssize_t)bytes)
			err(2, "%s", argv[1]);
		took[count++] = now_ms() - begun;
		usleep(interval_us);
	}
	qsort(took, count, sizeof(*took), by_size);
	printf("%.3f %.3f\n", took[count / 2], took[count * 99 / 100]);
	return count ? 0 : 2;
}
