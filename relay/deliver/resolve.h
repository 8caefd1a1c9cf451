/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where mail for a domain goes: RFC 5321 §5, RFC 7505 (null MX).
 *
 * MX records in the order of their preference, those of one preference shuffled; the domain itself
 * where it has none; an address literal as it stands. Of each host the IPv4 addresses come before
 * the IPv6 ones: the large receivers refuse mail over IPv6 for good where one thing is amiss that
 * they forgive over IPv4. Where we are among the hosts ourselves, only those of a better
 * preference are left.
 *
 * With each host goes what TLS it has to offer (tlspolicy.h), by DANE and by the domain's MTA-STS
 * policy; one that may get no mail now is left out.
 *
 * "Nobody knows now" is kept apart from "there is none": only the second returns mail.
 */
#ifndef GATEPOST_RELAY_DELIVER_RESOLVE_H
#define GATEPOST_RELAY_DELIVER_RESOLVE_H

#include "lib/addr.h"
#include "relay/deliver/dns.h"
#include "relay/deliver/stscache.h"
#include "relay/deliver/tlspolicy.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum resolve_limit {
	RESOLVE_HOSTS_MAX = 8,    /* whose addresses are asked for */
	RESOLVE_TARGETS_MAX = 16, /* host and address */
};

enum resolve_status {
	RESOLVE_FOUND,
	RESOLVE_LATER,     /* 4.4.3: the DNS failed */
	RESOLVE_UNSAFE,    /* 4.7.5: for now, none of its hosts may get mail by its TLS policy */
	RESOLVE_NO_DOMAIN, /* 5.1.2 */
	RESOLVE_NO_MAIL,   /* 5.1.10: null MX */
	RESOLVE_NO_HOST,   /* 5.4.4: its hosts have no address */
	RESOLVE_OURSELVES, /* 5.4.6: it comes back to us */
};

struct resolve_target {
	char host[DNS_NAME_MAX];
	struct addr addr;
	uint16_t preference;
	struct tls_rule tls;
	/* TLS_DANE: the records, which whoever copies a target keeps, and the host's name in them.
	 */
	struct tlsa_set *tlsa;
	char base[DNS_NAME_MAX];
};

struct resolve_answer {
	enum resolve_status status;
	const struct resolve_target *targets; /* valid during the call */
	size_t count;
	char why[640]; /* as a reply: "5.1.2 there is no domain b.example" */
};

/* Who we are. host or addr is NULL when the other one is asked about. */
typedef bool resolve_ours_fn(const char *host, const struct addr *addr, void *arg);

struct resolver {
	struct dns *dns;
	resolve_ours_fn *ours; /* NULL: we are nobody */
	void *ours_arg;
	struct sts_cache *sts; /* NULL: MTA-STS is not asked for */
};

typedef void resolve_fn(const struct resolve_answer *a, void *arg);

struct resolve_query;

/* fn is called exactly once, never before this returns, unless cancelled. domain: lower case. */
struct resolve_query *resolve_mail(const struct resolver *r, const char *domain, resolve_fn *fn,
				   void *arg);
/* The addresses of one host, whatever its MX records say; its targets have no tls rule. */
struct resolve_query *resolve_host(const struct resolver *r, const char *host, resolve_fn *fn,
				   void *arg);
void resolve_cancel(struct resolve_query *q);

/* --- the pure steps --- */

/* Sorts by preference; within one, by `random`, which gives any 32 bits. */
void resolve_order(struct dns_record *mx, size_t count, uint32_t (*random)(void));

/* How many of the sorted records come before the first that is us (by name). */
size_t resolve_before_us(const struct dns_record *mx, size_t count, resolve_ours_fn *ours,
			 void *arg);

/* "[192.0.2.1]", "[IPv6:2001:db8::1]" (RFC 5321 §4.1.3). */
bool resolve_literal(const char *domain, struct addr *out);

/* Labels of 1 to 63 bytes, 253 together; the bytes a host name may have, and '_'. */
bool resolve_domain_valid(const char *domain);

#endif
