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
	size_t waiting; /* look-ups without an answer */
	bool failed;    /* one of them failed for now */
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
		snprintf(a->why, sizeof(a->why), "%s %s", refusals[a->status].enhanced, text);
		a->count = 0;
	}
	q->fn = NULL;
	fn(a, arg);
	resolve_cancel(q);
}

static void add_target(struct resolve_query *q, const struct host *h, const struct addr *addr)
{
	if (q->answer.count == RESOLVE_TARGETS_MAX)
		return;
	struct resolve_target *t = &q->targets[q->answer.count++];
	memcpy(t->host, h->name, sizeof(t->host));
	t->addr = *addr;
	t->preference = h->preference;
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

/* All addresses are known that will be. */
static void finish(struct resolve_query *q)
{
	size_t end = q->host_count;
	bool ours = false;

	for (size_t i = 0; i < q->host_count && !ours; i++)
		if (host_is_ours(q, &q->hosts[i])) {
			ours = true;
			end = i;
		}
	while (ours && end > 0 && q->hosts[end - 1].preference == q->hosts[end].preference)
		end--;
	for (size_t i = 0; i < end; i++) {
		const struct host *h = &q->hosts[i];

		for (size_t k = 0; k < h->v4_count; k++)
			add_target(q, h, &h->v4[k]);
		for (size_t k = 0; k < h->v6_count; k++)
			add_target(q, h, &h->v6[k]);
	}
	if (q->answer.count)
		q->answer.status = RESOLVE_FOUND;
	else if (q->failed)
		q->answer.status = RESOLVE_LATER;
	else
		q->answer.status = ours ? RESOLVE_OURSELVES : RESOLVE_NO_HOST;
	give(q);
}

static void on_address(const struct dns_answer *a, void *arg)
{
	struct lookup *l = arg;
	struct resolve_query *q = l->query;
	struct host *h = l->host;

	l->dns = NULL;
	q->failed |= a->status == DNS_FAILED;
	for (size_t i = 0; a->status == DNS_FOUND && i < a->count; i++) {
		const struct addr *addr = &a->records[i].addr;

		if (addr->family == AF_INET && h->v4_count < RESOLVE_TARGETS_MAX)
			h->v4[h->v4_count++] = *addr;
		else if (addr->family == AF_INET6 && h->v6_count < RESOLVE_TARGETS_MAX)
			h->v6[h->v6_count++] = *addr;
	}
	if (--q->waiting == 0)
		finish(q);
}

static void ask_addresses(struct resolve_query *q)
{
	q->waiting = 2 * q->host_count;
	for (size_t i = 0; i < 2 * q->host_count; i++) {
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
	struct host *h = &q->hosts[0];
	struct addr addr;

	if (resolve_literal(q->domain, &addr)) {
		resolve_ours_fn *ours = q->resolver->ours;

		snprintf(h->name, sizeof(h->name), "%s", q->domain);
		if (ours && ours(NULL, &addr, q->resolver->ours_arg))
			q->answer.status = RESOLVE_OURSELVES;
		else
			add_target(q, h, &addr);
		return true;
	}
	q->answer.status = RESOLVE_NO_DOMAIN;
	return !resolve_domain_valid(q->domain);
}

struct resolve_query *resolve_mail(const struct resolver *r, const char *domain, resolve_fn *fn,
				   void *arg)
{
	struct resolve_query *q = calloc(1, sizeof(*q));

	if (!q)
		abort();
	q->resolver = r;
	q->fn = fn;
	q->arg = arg;
	snprintf(q->domain, sizeof(q->domain), "%s", domain);
	ev_timer_init(&q->later, on_later, 0., 0.);
	q->later.data = q;
	if (known_at_once(q))
		ev_timer_start(dns_loop(r->dns), &q->later);
	else
		q->mx = dns_ask(r->dns, q->domain, DNS_MX, on_mx, q);
	return q;
}

void resolve_cancel(struct resolve_query *q)
{
	ev_timer_stop(dns_loop(q->resolver->dns), &q->later);
	if (q->mx)
		dns_cancel(q->mx);
	for (size_t i = 0; i < 2 * q->host_count; i++)
		if (q->lookups[i].dns)
			dns_cancel(q->lookups[i].dns);
	free(q);
}
