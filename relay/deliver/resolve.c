/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/deliver/resolve.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

struct host {
	char name[DNS_NAME_MAX];
	uint16_t preference;
	struct addr v4[RESOLVE_TARGETS_MAX], v6[RESOLVE_TARGETS_MAX];
	size_t v4_count, v6_count;
	char owner[DNS_NAME_MAX]; /* whose addresses they are: another name for an alias */
	bool secure;              /* DNSSEC vouches for all of them */
	struct resolve_query *query;
	struct dane_query *dane_query;
	enum dane_status dane;
	struct tlsa_set *tlsa;
	char base[DNS_NAME_MAX];
	char dane_why[256];
};

/* A question for one host's addresses of one family. */
struct lookup {
	struct resolve_query *query;
	struct host *host;
	struct dns_query *dns;
};

struct resolve_query {
	const struct resolver *resolver;
	resolve_fn *fn;
	void *arg;
	char domain[DNS_NAME_MAX];
	struct dns_query *mx;
	ev_timer later; /* for an answer that needs no question */
	struct resolve_answer answer;
	struct host hosts[RESOLVE_HOSTS_MAX];
	size_t host_count;
	struct lookup lookups[2 * RESOLVE_HOSTS_MAX];
	size_t lookup_count;
	size_t waiting; /* look-ups without an answer */
	bool failed;    /* one of them failed for now */
	bool secure;    /* DNSSEC vouches for the list of hosts */
	bool ours;      /* we are among them */
	bool any_rule;  /* nobody's TLS is of interest: a host was asked for */
	bool complete;  /* all is known but perhaps the policy */
	struct sts_query *sts_query;
	struct sts_policy *sts;
	char skipped[400]; /* why a host was left out */
	struct resolve_target targets[RESOLVE_TARGETS_MAX];
};

/* --- the pure steps --- */

void resolve_order(struct dns_record *mx, size_t count, uint32_t (*random)(void))
{
	struct dns_record swap;

	for (size_t i = count; i > 1; i--) {
		size_t k = random() % i;

		swap = mx[i - 1];
		mx[i - 1] = mx[k];
		mx[k] = swap;
	}
	/* Stable, so what is equal stays shuffled; there are few. */
	for (size_t i = 1; i < count; i++)
		for (size_t k = i; k > 0 && mx[k].preference < mx[k - 1].preference; k--) {
			swap = mx[k];
			mx[k] = mx[k - 1];
			mx[k - 1] = swap;
		}
}

size_t resolve_before_us(const struct dns_record *mx, size_t count, resolve_ours_fn *ours,
			 void *arg)
{
	size_t end = count;

	for (size_t i = 0; ours && i < count && end == count; i++)
		if (ours(mx[i].name, NULL, arg))
			end = i;
	while (end < count && end > 0 && mx[end - 1].preference == mx[end].preference)
		end--;
	return end;
}

bool resolve_literal(const char *domain, struct addr *out)
{
	char text[ADDR_STR_MAX];
	size_t n = strlen(domain);

	if (n < 3 || domain[0] != '[' || domain[n - 1] != ']')
		return false;
	bool v6 = strncasecmp(domain, "[IPv6:", 6) == 0;
	size_t skip = v6 ? 6 : 1;
	if (n < skip + 2 || n - skip - 1 >= sizeof(text))
		return false;
	memcpy(text, domain + skip, n - skip - 1);
	text[n - skip - 1] = '\0';
	return addr_parse(text, out) && (out->family == AF_INET6) == v6;
}

bool resolve_domain_valid(const char *domain)
{
	size_t n = strlen(domain), label = 0;

	if (n == 0 || n > 253)
		return false;
	for (size_t i = 0; i <= n; i++) {
		char c = domain[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			      (c >= '0' && c <= '9') || c == '-' || c == '_';

		if (letter)
			label++;
		else if ((c != '.' && c != '\0') || label < 1 || label > 63)
			return false;
		else
			label = 0;
	}
	return true;
}

/* --- the answer --- */

static const struct {
	const char *enhanced, *text;
} refusals[] = {
	[RESOLVE_LATER] = {"4.4.3", "the DNS could not say where mail for %s goes"},
	[RESOLVE_UNSAFE] = {"4.7.5", "no mail host of %s may get mail now"},
	[RESOLVE_NO_DOMAIN] = {"5.1.2", "there is no domain %s"},
	[RESOLVE_NO_MAIL] = {"5.1.10", "%s takes no mail (null MX)"},
	[RESOLVE_NO_HOST] = {"5.4.4", "the mail hosts of %s have no address"},
	[RESOLVE_OURSELVES] = {"5.4.6", "mail for %s would come back to this relay"},
};

static void give(struct resolve_query *q)
{
	struct resolve_answer *a = &q->answer;
	resolve_fn *fn = q->fn;
	void *arg = q->arg;

	a->targets = q->targets;
	if (a->status != RESOLVE_FOUND) {
		char text[200];

		/* The formats are the table's above. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(text, sizeof(text), refusals[a->status].text, q->domain);
#pragma GCC diagnostic pop
		bool why = a->status == RESOLVE_UNSAFE || a->status == RESOLVE_LATER;
		snprintf(a->why, sizeof(a->why), "%s %s%s%s", refusals[a->status].enhanced, text,
			 why && *q->skipped ? ": " : "", why ? q->skipped : "");
		a->count = 0;
	}
	q->fn = NULL;
	fn(a, arg);
	resolve_cancel(q);
}

static void add_target(struct resolve_query *q, const struct host *h, const struct addr *addr,
		       const struct tls_rule *rule)
{
	if (q->answer.count == RESOLVE_TARGETS_MAX)
		return;
	struct resolve_target *t = &q->targets[q->answer.count++];
	memcpy(t->host, h->name, sizeof(t->host));
	t->addr = *addr;
	t->preference = h->preference;
	t->tls = *rule;
	t->tlsa = h->tlsa;
	memcpy(t->base, *h->base ? h->base : h->name, sizeof(t->base));
}

static bool host_is_ours(const struct resolve_query *q, const struct host *h)
{
	resolve_ours_fn *ours = q->resolver->ours;
	void *arg = q->resolver->ours_arg;

	for (size_t i = 0; ours && i < h->v4_count; i++)
		if (ours(NULL, &h->v4[i], arg))
			return true;
	for (size_t i = 0; ours && i < h->v6_count; i++)
		if (ours(NULL, &h->v6[i], arg))
			return true;
	return false;
}

/* A host may be passed over: another one of the domain's may get the mail. */
static void add_host_targets(struct resolve_query *q, const struct host *h)
{
	struct tls_rule rule = {TLS_MAY, "opportunistic", NULL};

	if (!q->any_rule)
		rule = tls_decide(h->dane, h->tlsa, q->sts, h->name);
	if (rule.skip) {
		snprintf(q->skipped, sizeof(q->skipped), "%s: %s", h->name,
			 *h->dane_why ? h->dane_why : rule.skip);
		return;
	}
	for (size_t k = 0; k < h->v4_count; k++)
		add_target(q, h, &h->v4[k], &rule);
	for (size_t k = 0; k < h->v6_count; k++)
		add_target(q, h, &h->v6[k], &rule);
}

/* All is known that will be. */
static void conclude(struct resolve_query *q)
{
	q->complete = true;
	if (q->sts_query)
		return;
	for (size_t i = 0; i < q->host_count; i++)
		add_host_targets(q, &q->hosts[i]);
	if (q->answer.count)
		q->answer.status = RESOLVE_FOUND;
	else if (*q->skipped && !q->failed)
		q->answer.status = RESOLVE_UNSAFE;
	else if (q->failed)
		q->answer.status = RESOLVE_LATER;
	else
		q->answer.status = q->ours ? RESOLVE_OURSELVES : RESOLVE_NO_HOST;
	give(q);
}

static void on_dane(const struct dane_answer *a, void *arg)
{
	struct host *h = arg;
	struct resolve_query *q = h->query;

	h->dane_query = NULL;
	h->dane = a->status;
	if (a->status == DANE_FOUND) {
		h->tlsa = tlsa_set_keep(a->records);
		snprintf(h->base, sizeof(h->base), "%s", a->base);
	}
	if (a->status == DANE_FAILED)
		snprintf(h->dane_why, sizeof(h->dane_why), "%s", a->why);
	if (--q->waiting == 0)
		conclude(q);
}

/* RFC 7672 §2.2.1: only where DNSSEC vouches for the way to the host is a question worth it. */
static bool wants_dane(const struct resolve_query *q, const struct host *h)
{
	return q->secure && h->v4_count + h->v6_count > 0 &&
	       (h->secure || strcmp(h->owner, h->name) != 0);
}

static void ask_dane(struct resolve_query *q)
{
	size_t asked = 0;

	/* Counted before the first answer can come. */
	for (size_t i = 0; i < q->host_count; i++)
		q->waiting += wants_dane(q, &q->hosts[i]);
	for (size_t i = 0; i < q->host_count; i++) {
		struct host *h = &q->hosts[i];
		if (!wants_dane(q, h))
			continue;
		h->query = q;
		h->dane_query =
			dane_ask(q->resolver->dns, h->name, h->owner, h->secure, on_dane, h);
		asked++;
	}
	if (!asked)
		conclude(q);
}

/* All addresses are known that will be. Where we are among the hosts, the worse ones go too. */
static void finish(struct resolve_query *q)
{
	size_t end = q->host_count;

	for (size_t i = 0; i < q->host_count && !q->ours; i++)
		if (host_is_ours(q, &q->hosts[i])) {
			q->ours = true;
			end = i;
		}
	while (q->ours && end > 0 && q->hosts[end - 1].preference == q->hosts[end].preference)
		end--;
	q->host_count = end;
	ask_dane(q);
}

static void take_addresses(struct host *h, const struct dns_answer *a)
{
	h->secure = a->secure && (h->secure || h->v4_count + h->v6_count == 0);
	memcpy(h->owner, a->records[0].name, sizeof(h->owner));
	for (size_t i = 0; i < a->count; i++) {
		const struct addr *addr = &a->records[i].addr;

		if (addr->family == AF_INET && h->v4_count < RESOLVE_TARGETS_MAX)
			h->v4[h->v4_count++] = *addr;
		else if (addr->family == AF_INET6 && h->v6_count < RESOLVE_TARGETS_MAX)
			h->v6[h->v6_count++] = *addr;
	}
}

static void on_address(const struct dns_answer *a, void *arg)
{
	struct lookup *l = arg;
	struct resolve_query *q = l->query;

	l->dns = NULL;
	if (a->status == DNS_FAILED) {
		q->failed = true;
		snprintf(q->skipped, sizeof(q->skipped), "%s: %s", l->host->name, a->why);
	} else if (a->status == DNS_FOUND) {
		take_addresses(l->host, a);
	}
	if (--q->waiting == 0)
		finish(q);
}

static void ask_addresses(struct resolve_query *q)
{
	q->lookup_count = q->waiting = 2 * q->host_count;
	for (size_t i = 0; i < q->lookup_count; i++) {
		struct lookup *l = &q->lookups[i];

		l->query = q;
		l->host = &q->hosts[i / 2];
		l->dns = dns_ask(q->resolver->dns, l->host->name, i % 2 ? DNS_AAAA : DNS_A,
				 on_address, l);
	}
}

static void add_host(struct resolve_query *q, const char *name, uint16_t preference)
{
	if (q->host_count == RESOLVE_HOSTS_MAX || !resolve_domain_valid(name))
		return;
	struct host *h = &q->hosts[q->host_count++];
	snprintf(h->name, sizeof(h->name), "%s", name);
	h->preference = preference;
}

static void refuse(struct resolve_query *q, enum resolve_status status)
{
	q->answer.status = status;
	give(q);
}

static uint32_t any_number(void)
{
	uint32_t n = 0;

	if (getrandom(&n, sizeof(n), 0) != sizeof(n))
		n = (uint32_t)rand();
	return n;
}

static void take_mx(struct resolve_query *q, const struct dns_answer *a)
{
	struct dns_record mx[DNS_RECORDS_MAX];
	size_t count = 0;

	/* RFC 7505 §3: a lone "." takes no mail; beside others it means nothing. */
	for (size_t i = 0; i < a->count && count < DNS_RECORDS_MAX; i++)
		if (*a->records[i].name)
			mx[count++] = a->records[i];
	if (!count) {
		refuse(q, RESOLVE_NO_MAIL);
		return;
	}
	resolve_order(mx, count, any_number);
	size_t end = resolve_before_us(mx, count, q->resolver->ours, q->resolver->ours_arg);
	for (size_t i = 0; i < end; i++)
		add_host(q, mx[i].name, mx[i].preference);
	if (!q->host_count)
		refuse(q, end < count ? RESOLVE_OURSELVES : RESOLVE_NO_HOST);
	else
		ask_addresses(q);
}

static void on_mx(const struct dns_answer *a, void *arg)
{
	struct resolve_query *q = arg;

	q->mx = NULL;
	q->secure = a->secure;
	switch (a->status) {
	case DNS_FOUND:
		take_mx(q, a);
		break;
	case DNS_NOTHING:
		add_host(q, q->domain, 0);
		ask_addresses(q);
		break;
	case DNS_NO_NAME:
		refuse(q, RESOLVE_NO_DOMAIN);
		break;
	case DNS_FAILED:
		snprintf(q->skipped, sizeof(q->skipped), "%s", a->why);
		refuse(q, RESOLVE_LATER);
		break;
	}
}

static void on_later(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)revents;
	give(w->data);
}

/* What can be told without asking anybody. */
static bool known_at_once(struct resolve_query *q)
{
	const struct tls_rule rule = {TLS_MAY, "opportunistic", NULL};
	struct host *h = &q->hosts[0];
	struct addr addr;

	if (resolve_literal(q->domain, &addr)) {
		resolve_ours_fn *ours = q->resolver->ours;

		snprintf(h->name, sizeof(h->name), "%s", q->domain);
		if (ours && ours(NULL, &addr, q->resolver->ours_arg))
			q->answer.status = RESOLVE_OURSELVES;
		else
			add_target(q, h, &addr, &rule);
		return true;
	}
	q->answer.status = RESOLVE_NO_DOMAIN;
	return !resolve_domain_valid(q->domain);
}

static void on_sts(struct sts_policy *p, void *arg)
{
	struct resolve_query *q = arg;

	q->sts_query = NULL;
	q->sts = sts_keep(p);
	if (q->complete)
		conclude(q);
}

static struct resolve_query *query_new(const struct resolver *r, const char *name, resolve_fn *fn,
				       void *arg)
{
	struct resolve_query *q = calloc(1, sizeof(*q));

	if (!q)
		abort();
	q->resolver = r;
	q->fn = fn;
	q->arg = arg;
	snprintf(q->domain, sizeof(q->domain), "%s", name);
	ev_timer_init(&q->later, on_later, 0., 0.);
	q->later.data = q;
	return q;
}

struct resolve_query *resolve_mail(const struct resolver *r, const char *domain, resolve_fn *fn,
				   void *arg)
{
	struct resolve_query *q = query_new(r, domain, fn, arg);

	if (known_at_once(q)) {
		ev_timer_start(dns_loop(r->dns), &q->later);
		return q;
	}
	q->mx = dns_ask(r->dns, q->domain, DNS_MX, on_mx, q);
	if (r->sts)
		q->sts_query = sts_ask(r->sts, q->domain, on_sts, q);
	return q;
}

struct resolve_query *resolve_host(const struct resolver *r, const char *host, resolve_fn *fn,
				   void *arg)
{
	struct resolve_query *q = query_new(r, host, fn, arg);

	q->any_rule = true;
	if (known_at_once(q)) {
		ev_timer_start(dns_loop(r->dns), &q->later);
		return q;
	}
	add_host(q, q->domain, 0);
	ask_addresses(q);
	return q;
}

void resolve_cancel(struct resolve_query *q)
{
	ev_timer_stop(dns_loop(q->resolver->dns), &q->later);
	if (q->mx)
		dns_cancel(q->mx);
	if (q->sts_query)
		sts_cancel(q->sts_query);
	for (size_t i = 0; i < q->lookup_count; i++)
		if (q->lookups[i].dns)
			dns_cancel(q->lookups[i].dns);
	for (size_t i = 0; i < RESOLVE_HOSTS_MAX; i++) {
		if (q->hosts[i].dane_query)
			dane_cancel(q->hosts[i].dane_query);
		tlsa_set_drop(q->hosts[i].tlsa);
	}
	sts_drop(q->sts);
	free(q);
}
