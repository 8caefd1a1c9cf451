/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A DNS answer (RFC 1035 §4) as records. Pure, for bytes that nobody vouches for.
 *
 * Only the answer section is read, and in it only the records of one type: a resolver has already
 * followed CNAMEs and thrown away what does not belong there.
 */
#ifndef GATEPOST_RELAY_DELIVER_DNSMSG_H
#define GATEPOST_RELAY_DELIVER_DNSMSG_H

#include "lib/addr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum dns_type {
	DNS_A = 1,
	DNS_CNAME = 5,
	DNS_MX = 15,
	DNS_TXT = 16,
	DNS_AAAA = 28,
	DNS_TLSA = 52,
};

enum dns_limit {
	DNS_NAME_MAX = 256,   /* as text, with its NUL */
	DNS_RECORDS_MAX = 64, /* what is behind them is left out */
};

struct dns_record {
	uint32_t ttl_s;
	uint16_t preference; /* DNS_MX */
	/* Lower case, without the last dot; "" is the root. DNS_MX: the host; DNS_A, DNS_AAAA:
	 * whose address it is, which is another name than the one asked for where that is an alias.
	 */
	char name[DNS_NAME_MAX];
	struct addr addr;    /* DNS_A, DNS_AAAA */
	const uint8_t *data; /* DNS_TXT, DNS_TLSA: as it came, inside the message */
	size_t data_len;
};

/*
 * Reads at most cap records of that type. False when the message is damaged; the response code
 * (RFC 1035 §4.1.1) is given in *rcode.
 */
bool dnsmsg_read(const void *bytes, size_t n, uint16_t type, struct dns_record *out, size_t cap,
		 size_t *count, unsigned *rcode);

/* The strings of a DNS_TXT, joined (RFC 1035 §3.3.14). False when they are damaged, or hold a NUL
 * or do not fit. */
bool dnsmsg_text(const struct dns_record *r, char *out, size_t cap);

#endif
