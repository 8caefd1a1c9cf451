/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An entry is a domain's: its policy and the record's id that it came with, and the fetch under way
 * with those who wait for it. Time is the clock that never jumps.
 */
#include "relay/deliver/stscache.h"

#include "lib/log.h"
#include "relay/http/client.h"
#include "relay/process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	ENTRIES_MAX = 4096,
	BUCKETS = 1024,
	FETCH_S = 20,
	AGAIN_S = 300, /* after a fetch that failed */
	HTTPS_PORT = 443,
};

struct entry {
	struct entry *next; /* of the same bucket */
	char domain[DNS_NAME_MAX];
	char id[STS_ID_MAX]; /* of the policy that is kept */
	struct sts_policy *policy;
	uint64_t until_ms, used_ms; /* policy's end; last asked for */
	uint64_t again_ms;          /* no fetch before */
	/* the fetch under way */
	char new_id[STS_ID_MAX];
	bool fetching;
	struct dns_query *a, *aaaa;
	struct addr addrs[HTTP_ADDRS_MAX];
	size_t addr_count;
	struct http_client *client;
	struct sts_cache *cache;
	struct sts_query *waiting;
};

struct sts_query {
	struct sts_query *next, **link; /* in its entry's list */
	struct sts_cache *cache;
	struct dns_query *txt;
	char domain[DNS_NAME_MAX];
	sts_fn *fn;
	void *arg;
};

struct sts_cache {
	struct ev_loop *loop;
	struct sts_sources from;
	struct entry *buckets[BUCKETS];
	size_t count;
};

/* ---- entries ---- */

static struct entry **bucket_of(struct sts_cache *c, const char *domain)
{
	uint32_t h = UINT32_C(2166136261); /* FNV-1a */

	for (; *domain; domain++)
		h = (h ^ (unsigned char)*domain) * UINT32_C(16777619);
	return &c->buckets[h % BUCKETS];
}

static struct entry *find(struct sts_cache *c, const char *domain)
{
	struct entry *e = *bucket_of(c, domain);

	while (e && strcmp(e->domain, domain) != 0)
		e = e->next;
	return e;
}

static void stop_fetch(struct entry *e)
{
	if (e->a)
		dns_cancel(e->a);
	if (e->aaaa)
		dns_cancel(e->aaaa);
	if (e->client)
		http_client_cancel(e->client);
	e->a = e->aaaa = NULL;
	e->client = NULL;
	e->fetching = false;
}

static void entry_free(struct entry *e)
{
	struct entry **link = bucket_of(e->cache, e->domain);

	while (*link != e)
		link = &(*link)->next;
	*link = e->next;
	e->cache->count--;
	stop_fetch(e);
	sts_drop(e->policy);
	free(e);
}

/* Room for one more: the one that was asked for longest ago goes. Once in thousands of domains. */
static void make_room(struct sts_cache *c)
{
	struct entry *oldest = NULL;

	if (c->count < ENTRIES_MAX)
		return;
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct entry *e = c->buckets[i]; e; e = e->next)
			if (!e->fetching && (!oldest || e->used_ms < oldest->used_ms))
				oldest = e;
	if (oldest)
		entry_free(oldest);
}

static struct entry *get(struct sts_cache *c, const char *domain)
{
	struct entry *e = find(c, domain);

	if (e)
		return e;
	make_room(c);
	e = calloc(1, sizeof(*e));
	if (!e)
		abort();
	snprintf(e->domain, sizeof(e->domain), "%s", domain);
	e->cache = c;
	struct entry **bucket = bucket_of(c, domain);
	e->next = *bucket;
	*bucket = e;
	c->count++;
	return e;
}

static struct sts_policy *in_force(const struct entry *e)
{
	return e && e->policy && clock_steady_ms() < e->until_ms ? e->policy : NULL;
}

/* ---- answers ---- */

static void answer(struct sts_query *q, struct sts_policy *p)
{
	sts_fn *fn = q->fn;
	void *arg = q->arg;

	sts_cancel(q);
	fn(p, arg);
}

static void answer_all(struct entry *e)
{
	struct sts_policy *p = sts_keep(in_force(e));

	while (e->waiting)
		answer(e->waiting, p);
	sts_drop(p);
}

/* ---- the fetch ---- */

static void fetch_failed(struct entry *e, const char *why)
{
	log_warn("the MTA-STS policy of %s cannot be fetched: %s%s", e->domain, why,
		 in_force(e) ? "; the one before stays" : "");
	stop_fetch(e);
	e->again_ms = clock_steady_ms() + AGAIN_S * 1000;
	answer_all(e);
}

static void on_reply(const struct http_reply *r, void *arg)
{
	struct entry *e = arg;
	const char *why = r->error;
	char text[100];
	struct sts_policy *p = NULL;

	e->client = NULL; /* it goes by itself */
	if (!why && r->status != 200) {
		snprintf(text, sizeof(text), "the answer is HTTP status %d", r->status);
		why = text;
	} else if (!why && strcmp(r->type, "text/plain") != 0) {
		why = "the answer is not text/plain";
	} else if (!why) {
		p = sts_parse(r->body, r->len, &why);
	}
	if (!p) {
		fetch_failed(e, why);
		return;
	}
	e->fetching = false;
	sts_drop(e->policy);
	e->policy = p;
	memcpy(e->id, e->new_id, sizeof(e->id));
	e->until_ms = clock_steady_ms() + (uint64_t)p->max_age_s * 1000;
	answer_all(e);
}

static void on_address(struct entry *e, const struct dns_answer *a)
{
	for (size_t i = 0; a->status == DNS_FOUND && i < a->count; i++)
		if (e->addr_count < HTTP_ADDRS_MAX)
			e->addrs[e->addr_count++] = a->records[i].addr;
	if (e->a || e->aaaa)
		return;
	char host[DNS_NAME_MAX + 8];
	snprintf(host, sizeof(host), "mta-sts.%s", e->domain);
	uint16_t port = e->cache->from.port;
	e->client = http_client_open(e->cache->loop,
				     &(struct http_request){
					     .method = "GET",
					     .host = host,
					     .port = port ? port : HTTPS_PORT,
					     .path = "/.well-known/mta-sts.txt",
					     .addrs = e->addrs,
					     .addr_count = e->addr_count,
					     .tls = e->cache->from.tls,
					     .reply_max = STS_BYTES_MAX,
					     .timeout_s = FETCH_S,
				     },
				     on_reply, e);
}

static void on_a(const struct dns_answer *a, void *arg)
{
	struct entry *e = arg;

	e->a = NULL;
	on_address(e, a);
}

static void on_aaaa(const struct dns_answer *a, void *arg)
{
	struct entry *e = arg;

	e->aaaa = NULL;
	on_address(e, a);
}

static void fetch(struct entry *e, const char *id)
{
	char host[DNS_NAME_MAX + 8];

	snprintf(host, sizeof(host), "mta-sts.%s", e->domain);
	snprintf(e->new_id, sizeof(e->new_id), "%s", id);
	e->fetching = true;
	e->addr_count = 0;
	e->a = dns_ask(e->cache->from.dns, host, DNS_A, on_a, e);
	e->aaaa = dns_ask(e->cache->from.dns, host, DNS_AAAA, on_aaaa, e);
}

/* ---- questions ---- */

static void wait_for(struct sts_query *q, struct entry *e)
{
	q->next = e->waiting;
	q->link = &e->waiting;
	if (q->next)
		q->next->link = &q->next;
	e->waiting = q;
}

/* The id of the one record that counts: with two, the domain has none (§3.1). */
static bool record_of(const struct dns_answer *a, char id[STS_ID_MAX])
{
	char text[1024];
	unsigned records = 0;
	bool good = false;

	for (size_t i = 0; a->status == DNS_FOUND && i < a->count; i++) {
		if (!dnsmsg_text(&a->records[i], text, sizeof(text)) ||
		    strncmp(text, "v=STSv1;", 8) != 0)
			continue;
		records++;
		good = sts_record(text, id);
	}
	return good && records == 1;
}

static void on_txt(const struct dns_answer *a, void *arg)
{
	struct sts_query *q = arg;
	struct sts_cache *c = q->cache;
	struct entry *e = find(c, q->domain);
	char id[STS_ID_MAX];

	q->txt = NULL;
	if (!record_of(a, id)) {
		/* Gone, or withheld: what was promised until then holds (§5.1). */
		answer(q, in_force(e));
		return;
	}
	e = get(c, q->domain);
	e->used_ms = clock_steady_ms();
	if (e->fetching) {
		wait_for(q, e);
	} else if (in_force(e) && strcmp(e->id, id) == 0) {
		answer(q, e->policy);
	} else if (!c->from.tls || e->used_ms < e->again_ms) {
		answer(q, in_force(e));
	} else {
		wait_for(q, e);
		fetch(e, id);
	}
}

struct sts_query *sts_ask(struct sts_cache *c, const char *domain, sts_fn *fn, void *arg)
{
	struct sts_query *q = calloc(1, sizeof(*q));
	char name[DNS_NAME_MAX + 16];

	if (!q)
		abort();
	q->cache = c;
	q->fn = fn;
	q->arg = arg;
	snprintf(q->domain, sizeof(q->domain), "%s", domain);
	snprintf(name, sizeof(name), "_mta-sts.%s", domain);
	q->txt = dns_ask(c->from.dns, name, DNS_TXT, on_txt, q);
	return q;
}

void sts_cancel(struct sts_query *q)
{
	if (q->txt)
		dns_cancel(q->txt);
	if (q->link) {
		*q->link = q->next;
		if (q->next)
			q->next->link = q->link;
	}
	free(q);
}

/* ---- the cache ---- */

struct sts_cache *sts_cache_new(struct ev_loop *loop, const struct sts_sources *s)
{
	struct sts_cache *c = calloc(1, sizeof(*c));

	if (!c)
		abort();
	c->loop = loop;
	c->from = *s;
	return c;
}

void sts_cache_use(struct sts_cache *c, const struct sts_sources *s)
{
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct entry *e = c->buckets[i]; e; e = e->next)
			stop_fetch(e);
	c->from = *s;
}
