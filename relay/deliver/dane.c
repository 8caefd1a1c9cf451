/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/deliver/dane.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of port 25, wherever a test bench has its peers listen. */
#define TLSA_PREFIX "_25._tcp."

struct dane_query {
	struct dns *dns;
	dane_fn *fn;
	void *arg;
	struct dns_query *question;
	char host[DNS_NAME_MAX], owner[DNS_NAME_MAX];
	const char *base; /* one of the two */
};

static void give(struct dane_query *q, const struct dane_answer *a)
{
	dane_fn *fn = q->fn;
	void *arg = q->arg;

	fn(a, arg);
	free(q);
}

static void give_none(struct dane_query *q)
{
	give(q, &(struct dane_answer){.status = DANE_NONE});
}

static void give_records(struct dane_query *q, const struct dns_answer *a)
{
	struct tlsa_set *set = tlsa_set_new();

	for (size_t i = 0; i < a->count; i++)
		tlsa_set_add(set, a->records[i].data, a->records[i].data_len);
	tlsa_set_prefer_strong(set);
	give(q, &(struct dane_answer){DANE_FOUND, set, q->base, NULL});
	tlsa_set_drop(set);
}

static void ask_tlsa(struct dane_query *q, const char *base);

static void on_tlsa(const struct dns_answer *a, void *arg)
{
	struct dane_query *q = arg;
	char why[400];

	q->question = NULL;
	if (a->status == DNS_FAILED) {
		snprintf(why, sizeof(why), "the TLSA records of %s cannot be had: %s", q->base,
			 a->why);
		give(q, &(struct dane_answer){.status = DANE_FAILED, .why = why});
	} else if (a->status == DNS_FOUND && a->secure) {
		give_records(q, a);
	} else if (q->base == q->owner && strcmp(q->owner, q->host) != 0) {
		ask_tlsa(q, q->host);
	} else {
		give_none(q);
	}
}

static void ask_tlsa(struct dane_query *q, const char *base)
{
	char name[DNS_NAME_MAX + sizeof(TLSA_PREFIX)];

	q->base = base;
	snprintf(name, sizeof(name), TLSA_PREFIX "%s", base);
	q->question = dns_ask(q->dns, name, DNS_TLSA, on_tlsa, q);
}

static void on_alias(const struct dns_answer *a, void *arg)
{
	struct dane_query *q = arg;

	q->question = NULL;
	/* Its addresses were had, so a failure here is odd enough not to go on. */
	if (a->status == DNS_FAILED)
		give(q, &(struct dane_answer){.status = DANE_FAILED, .why = a->why});
	else if (a->secure)
		ask_tlsa(q, q->host);
	else
		give_none(q);
}

struct dane_query *dane_ask(struct dns *d, const char *host, const char *owner, bool secure,
			    dane_fn *fn, void *arg)
{
	struct dane_query *q = calloc(1, sizeof(*q));

	if (!q)
		abort();
	q->dns = d;
	q->fn = fn;
	q->arg = arg;
	snprintf(q->host, sizeof(q->host), "%s", host);
	snprintf(q->owner, sizeof(q->owner), "%s", owner);
	if (secure)
		ask_tlsa(q, q->owner);
	else
		q->question = dns_ask(d, q->host, DNS_CNAME, on_alias, q);
	return q;
}

void dane_cancel(struct dane_query *q)
{
	if (q->question)
		dns_cancel(q->question);
	free(q);
}
