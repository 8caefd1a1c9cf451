/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bench's gauge: one page of a file that source, sink and the bench itself map.
 *
 * The sink counts what arrived, by the tag that the source put into the message; a source that
 * keeps a backlog compares that with what was accepted. The bench closes the gate to fill a queue:
 * behind it, the sink neither accepts nor reads nor answers. All times are of CLOCK_MONOTONIC, one
 * clock for all processes of the machine.
 *
 * tests/bench/load.py knows this layout.
 */
#ifndef GATEPOST_TESTS_BENCH_GAUGE_H
#define GATEPOST_TESTS_BENCH_GAUGE_H

#include <err.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { GAUGE_TAGS = 26, GAUGE_BYTES = 4096 };

struct gauge {
	_Atomic uint64_t gate; /* 1: closed */
	_Atomic uint64_t arrived;
	_Atomic uint64_t last_ns; /* of the latest arrival */
	_Atomic uint64_t connections, connections_max;
	_Atomic uint64_t arrived_of[GAUGE_TAGS]; /* 'A' first */
};

/* A message's name: its tag and eleven digits, in the header field X-Bench-Id. */
enum { ID_CHARS = 12 };
#define ID_FIELD "\r\nX-Bench-Id: "
#define ID_MARK  "@BENCH-ID--@"

/* What sink and source write down, one a message. */
struct arrival {
	uint64_t tag, number, arrived_ns;
};

struct submission {
	uint64_t tag, number;
	uint64_t due_ns;      /* when its turn came, by the interval asked for */
	uint64_t sent_ns;     /* just before its last bytes were written */
	uint64_t accepted_ns; /* just after the 250 was read */
};

static inline uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline struct gauge *gauge_map(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		err(2, "cannot open the gauge '%s'", path);
	struct gauge *g = mmap(NULL, GAUGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (g == MAP_FAILED)
		err(2, "cannot map the gauge '%s'", path);
	close(fd);
	return g;
}

#endif
