/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What TLS a mail host has to offer before it gets mail. Pure.
 *
 *	DANE            MTA-STS              the host    what is demanded
 *	failed          any                  any         it is passed over now (RFC 7672 §2.1.2)
 *	usable records  any                  any         a certificate that fits one of them
 *	others only     any                  any         TLS, with whatever certificate (§2.2)
 *	none            none, testing        any         nothing: TLS where it is offered
 *	none            enforce              named       a certificate that holds for the host's
 *name none            enforce              not named   it is passed over (RFC 8461 §5)
 *
 * DANE goes before MTA-STS (RFC 8461 §2).
 */
#ifndef GATEPOST_RELAY_DELIVER_TLSPOLICY_H
#define GATEPOST_RELAY_DELIVER_TLSPOLICY_H

#include "lib/tlsa.h"
#include "relay/deliver/dane.h"
#include "relay/deliver/sts.h"

enum tls_need {
	TLS_MAY,     /* opportunistic (RFC 7435): else in the clear */
	TLS_NEVER,   /* not even tried */
	TLS_MUST,    /* TLS, nobody verified */
	TLS_DANE,    /* verified by TLSA records */
	TLS_TRUSTED, /* verified by authorities and name */
};

struct tls_rule {
	enum tls_need need;
	const char *policy; /* "opportunistic", "dane", "mta-sts": for people */
	const char *skip;   /* why it gets no mail now; NULL when it may */
};

/* sts: NULL for none. */
struct tls_rule tls_decide(enum dane_status dane, const struct tlsa_set *records,
			   const struct sts_policy *sts, const char *host);

#endif
