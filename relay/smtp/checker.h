/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A thread that checks one password at a time against a crypt(5) hash, while the event loop goes on
 * answering what it knows already. One thread only: logins may keep one core busy, never all.
 */
#ifndef GATEPOST_RELAY_SMTP_CHECKER_H
#define GATEPOST_RELAY_SMTP_CHECKER_H

#include <ev.h>
#include <stdbool.h>

enum checker_verdict {
	CHECKER_RIGHT,
	CHECKER_WRONG,
	CHECKER_UNUSABLE, /* the hash is none that crypt(5) knows */
};

/* Called in the loop. */
typedef void checker_done_fn(enum checker_verdict verdict);

/* The thread itself starts with the first check. One checker a process. */
void checker_open(struct ev_loop *loop, checker_done_fn *done);
bool checker_is_busy(void);
/* Only while it is not busy. Both strings are copied. */
void checker_start(const char *password, const char *hash);

#endif
