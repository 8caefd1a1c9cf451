/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The TLSA records of one mail host (RFC 7672 §2.2).
 *
 * Asked for only where DNSSEC vouches for the host's addresses; where the host is an alias, under
 * the name that it stands for first and then under its own (§2.2.3). Where DNSSEC vouches for the
 * alias but not for what it stands for, only its own name counts.
 *
 * "Nobody knows now" is kept apart from "there is none": only the second lets mail go without.
 */
#ifndef GATEPOST_RELAY_DELIVER_DANE_H
#define GATEPOST_RELAY_DELIVER_DANE_H

#include "lib/tlsa.h"
#include "relay/deliver/dns.h"

enum dane_status {
	DANE_NONE,   /* no records, or none that DNSSEC vouches for */
	DANE_FOUND,  /* records; perhaps none of them usable */
	DANE_FAILED, /* the DNS could not say: this host may not be spoken to now (§2.1.2) */
};

struct dane_answer {
	enum dane_status status;
	struct tlsa_set *records; /* DANE_FOUND; valid during the call */
	const char *base;         /* the name that they are of: what the host calls itself */
	const char *why;          /* DANE_FAILED */
};

typedef void dane_fn(const struct dane_answer *a, void *arg);

struct dane_query;

/*
 * host: as the MX has it; owner: whose addresses they were, another name than host for an alias;
 * secure: DNSSEC vouched for them. fn is called exactly once, never before this returns, unless
 * cancelled.
 */
struct dane_query *dane_ask(struct dns *d, const char *host, const char *owner, bool secure,
			    dane_fn *fn, void *arg);
void dane_cancel(struct dane_query *q);

#endif
