/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Questions to the DNS: libunbound's resolver (caching, asynchronous), run by our event loop.
 *
 * libunbound is given libev as its event base, so it needs neither a thread nor a process of its
 * own; and it opens no file once dns_open() is done, so it works behind a chroot and a filter of
 * system calls: it asks for sockets, time and random numbers only.
 */
#ifndef GATEPOST_RELAY_DELIVER_DNS_H
#define GATEPOST_RELAY_DELIVER_DNS_H

#include "lib/addr.h"
#include "lib/buf.h"
#include "relay/deliver/dnsmsg.h"

#include <ev.h>
#include <stdbool.h>

struct dns;

/*
 * servers[count] are asked, at that port (0: 53). Without any, those of /etc/resolv.conf, and
 * without that the root servers. Answers are validated from anchor on (DS or DNSKEY records of the
 * root, one a line), or not at all when it is "". NULL with the reason in error.
 */
struct dns *dns_open(struct ev_loop *loop, const struct addr *servers, size_t count, uint16_t port,
		     const char *anchor, struct buf *error);

/* No answer comes after this. */
void dns_close(struct dns *d);

struct ev_loop *dns_loop(const struct dns *d);

enum dns_status {
	DNS_FOUND,   /* count records */
	DNS_NOTHING, /* the name exists and has none of that type */
	DNS_NO_NAME, /* there is no such name (NXDOMAIN) */
	DNS_FAILED,  /* nobody knows now: time-out, SERVFAIL, REFUSED, damaged or bogus answer */
};

struct dns_answer {
	enum dns_status status;
	const struct dns_record *records; /* valid during the call */
	size_t count;
	bool secure;     /* validated by DNSSEC */
	const char *why; /* for DNS_FAILED */
};

typedef void dns_answer_fn(const struct dns_answer *a, void *arg);

struct dns_query;

/*
 * fn is called exactly once, never before this returns, unless cancelled; the query is gone when
 * it is called.
 */
struct dns_query *dns_ask(struct dns *d, const char *name, enum dns_type type, dns_answer_fn *fn,
			  void *arg);
void dns_cancel(struct dns_query *q);

#endif
