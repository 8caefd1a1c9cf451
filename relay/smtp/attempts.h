/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Logins that wait to be checked, and what is known of the sources they come from. Pure: times are
 * given, items are the caller's.
 *
 * A check costs tens of milliseconds, so who may have one next is a matter of fairness: sources
 * take turns, one check each, however many logins one of them sends. Those whose user has logged in
 * from there before (trusted) have every other turn to themselves, so that a flood of strangers
 * from many addresses cannot crowd them out.
 *
 * A source whose logins fail is slowed, later refused. What strangers get wrong there is no matter
 * of the trusted, who wait apart, are slowed by failures of their own alone, and are never refused:
 * one badly set up device must not lock out an office behind the same address, nor a thousand of
 * them anybody. A source is an IPv4 address or an IPv6 /64.
 */
#ifndef GATEPOST_RELAY_SMTP_ATTEMPTS_H
#define GATEPOST_RELAY_SMTP_ATTEMPTS_H

#include "lib/addr.h"

#include <stdbool.h>
#include <stdint.h>

enum attempts_limit {
	ATTEMPTS_SOURCES_MAX = 4096,
	ATTEMPTS_WAITING_MAX = 512,   /* strangers in all, and as many trusted */
	ATTEMPTS_PER_SOURCE_MAX = 32, /* of each kind */
	ATTEMPTS_SLOWED_AFTER = 3,    /* failures: 1 s to wait, and twice as long after each more */
	ATTEMPTS_SLOWEST_MS = 16000,
	ATTEMPTS_REFUSED_AFTER = 10,            /* failures */
	ATTEMPTS_FORGOTTEN_MS = 15 * 60 * 1000, /* after the last failure */
};

struct attempts;

struct attempts *attempts_new(void);
/* drop is called for each item that still waits. */
void attempts_clear(struct attempts *a, void (*drop)(void *item));
void attempts_free(struct attempts *a);

/* False when it may not even wait: too many failures, or too many that wait. */
bool attempts_add(struct attempts *a, const struct addr *source, bool trusted, void *item,
		  uint64_t now_ms);

/* The item to check now; NULL when none is due, with *wait_ms until one is (UINT64_MAX: none). */
void *attempts_next(struct attempts *a, uint64_t now_ms, uint64_t *wait_ms);

/* Notes a failure; returns how many of that kind the source has now. */
unsigned attempts_failed(struct attempts *a, const struct addr *source, bool trusted,
			 uint64_t now_ms);

/* The network that a source stands for: itself, or its /64. */
struct addr attempts_source(const struct addr *a);

#endif
