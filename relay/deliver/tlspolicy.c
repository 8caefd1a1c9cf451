/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/deliver/tlspolicy.h"

struct tls_rule tls_decide(enum dane_status dane, const struct tlsa_set *records,
			   const struct sts_policy *sts, const char *host)
{
	const struct tls_rule opportunistic = {TLS_MAY, "opportunistic", NULL};

	switch (dane) {
	case DANE_FAILED:
		return (struct tls_rule){TLS_DANE, "dane",
					 "4.7.5 its TLSA records cannot be had (DANE)"};
	case DANE_FOUND:
		return (struct tls_rule){records->count ? TLS_DANE : TLS_MUST, "dane", NULL};
	case DANE_NONE:
		break;
	}
	if (!sts || sts->mode != STS_ENFORCE)
		return opportunistic;
	if (!sts_names(sts, host))
		return (struct tls_rule){TLS_TRUSTED, "mta-sts",
					 "4.7.5 the domain's MTA-STS policy does not name it"};
	return (struct tls_rule){TLS_TRUSTED, "mta-sts", NULL};
}
