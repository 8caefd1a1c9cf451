/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MTA-STS (RFC 8461): a domain's TXT record and its policy, as text. Pure, for bytes of anybody.
 */
#ifndef GATEPOST_RELAY_DELIVER_STS_H
#define GATEPOST_RELAY_DELIVER_STS_H

#include "relay/deliver/dnsmsg.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sts_limit {
	STS_ID_MAX = 33,          /* with its NUL (§3.1) */
	STS_HOSTS_MAX = 64,       /* mx patterns; a policy with more is refused */
	STS_AGE_MAX = 31557600,   /* seconds (§3.2) */
	STS_BYTES_MAX = 64 * 1024 /* of a policy (§3.3) */
};

enum sts_mode { STS_NONE, STS_TESTING, STS_ENFORCE };

/* Shared: sts_keep() and sts_drop() count its owners. */
struct sts_policy {
	unsigned refs;
	enum sts_mode mode;
	uint32_t max_age_s;
	size_t host_count;
	char hosts[][DNS_NAME_MAX]; /* lower case: "mx.b.example", "*.b.example" */
};

/* "v=STSv1; id=20160831085700Z;": its id. False when the record is none of MTA-STS. */
bool sts_record(const char *text, char id[STS_ID_MAX]);

/* With one reference, the caller's. NULL with the reason in why: what is wrong in it. */
struct sts_policy *sts_parse(const char *text, size_t n, const char **why);
struct sts_policy *sts_keep(struct sts_policy *p);
void sts_drop(struct sts_policy *p); /* NULL is fine */

/* Is host (lower case) among the policy's? "*." stands for exactly one label (§4.1). */
bool sts_names(const struct sts_policy *p, const char *host);

#endif
