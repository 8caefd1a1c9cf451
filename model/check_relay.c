/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/check.h"

#include "model/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

/* ---- who is a sender ---- */

static int by_prefix(const void *a, const void *b)
{
	return prefix_cmp(a, b);
}

/* The account's networks, sorted: one that holds others stands before them. */
static struct prefix *sorted_networks(const struct lyd_node *account, size_t *count)
{
	struct prefix *list = NULL;
	size_t n = 0;

	CONF_FOR_EACH (network, account, "networks")
		n++;
	list = calloc(n + 1, sizeof(*list));
	if (!list)
		abort();
	*count = 0;
	CONF_FOR_EACH (network, account, "networks")
		if (prefix_parse(conf_text(network), &list[*count]))
			++*count;
	qsort(list, *count, sizeof(*list), by_prefix);
	return list;
}

/*
 * True when the networks of one family leave nobody out. Counted in units of a /64 for IPv6,
 * where anything longer adds nothing that matters.
 */
static bool covers_everything(const struct prefix *networks, size_t count, int family)
{
	const unsigned unit_len = family == AF_INET ? 32 : 64;
	const struct prefix *widest = NULL; /* the last that no other one holds */
	__uint128_t covered = 0;

	for (size_t i = 0; i < count; i++) {
		const struct prefix *p = &networks[i];

		if (p->addr.family != family || p->len > unit_len ||
		    (widest && prefix_contains(widest, &p->addr)))
			continue;
		widest = p;
		covered += (__uint128_t)1 << (unit_len - p->len);
	}
	return covered >= (__uint128_t)1 << unit_len;
}

static void check_sender(const struct lyd_node *account, struct faults *f)
{
	bool auth = conf_has(account, "auth-required");
	size_t count;
	struct prefix *networks = sorted_networks(account, &count);

	for (int i = 0; i < 2 && !auth; i++)
		if (covers_everything(networks, count, i ? AF_INET6 : AF_INET))
			fault_at(f, conf_child(account, "networks"),
				 conf_text(conf_child(account, "networks")),
				 "these networks are every IPv%d address: the relay would be open "
				 "to "
				 "everybody; name fewer, or add auth-required",
				 i ? 6 : 4);
	free(networks);
	if (auth && !conf_has(account, "user"))
		fault_below(f, account, "user", "missing: auth-required, but nobody can log in");
	if (!conf_has(account, "networks") && !conf_has(account, "user"))
		fault_below(f, account, "networks",
			    "missing: with neither networks nor a user nobody can send as it");
}

/* ---- pools ---- */

static bool may_use(const struct lyd_node *pool, const char *account)
{
	return !conf_has(pool, "members") || conf_find(pool, "members", account);
}

static void check_account_pool(const struct lyd_node *relay, const struct lyd_node *account,
			       struct faults *f)
{
	const char *name = conf_value(account, "name"), *pool_name = conf_value(account, "pool");

	if (pool_name) {
		const struct lyd_node *pool = conf_find(relay, "pool", pool_name);
		if (pool && !may_use(pool, name))
			fault_at(f, conf_child(account, "pool"), pool_name,
				 "this pool is its members' alone; add %s to relay pool %s members",
				 name, pool_name);
		return;
	}
	if (!conf_has(relay, "pool"))
		return;
	CONF_FOR_EACH (pool, relay, "pool")
		if (may_use(pool, name))
			return;
	fault_below(
		f, account, "pool",
		"missing: every pool has members, and %s is a member of none, so its mail could "
		"not leave",
		name);
}

static void check_helos(const struct lyd_node *pool, struct faults *f)
{
	CONF_FOR_EACH (helo, pool, "helo")
		if (!conf_find(pool, "source", conf_value(helo, "source")))
			fault_at(f, helo, conf_value(helo, "source"),
				 "not one of this pool's source addresses; add source %s",
				 conf_value(helo, "source"));
}

static void check_smart_host(const struct lyd_node *relay, const struct lyd_node *pool,
			     struct faults *f)
{
	const struct lyd_node *smart = conf_child(pool, "smart-host");
	const char *host = smart ? conf_value(smart, "host") : NULL;
	const char *tls = smart ? conf_value(smart, "tls") : NULL;
	bool user = smart && conf_has(smart, "user");

	if (!host)
		return;
	if (!strcasecmp(host, conf_value(relay, "host-name")))
		fault_at(f, conf_child(smart, "host"), host,
			 "that is this relay itself: its mail would come back for ever");
	if (user != conf_has(smart, "password"))
		fault_below(f, smart, user ? "password" : "user",
			    "missing: user and password go together");
	if (user && tls && !strcmp(tls, "none"))
		fault_at(f, conf_child(smart, "tls"), tls,
			 "the password would be sent in the clear; use starttls-required or "
			 "implicit, or take user and password out");
}

static void check_pool_sources(const struct lyd_node *relay, struct faults *f)
{
	struct addr_list sources = {0};
	struct addr a;

	CONF_FOR_EACH (pool, relay, "pool") {
		check_helos(pool, f);
		check_smart_host(relay, pool, f);
		if (!conf_has(pool, "source") && !conf_has(pool, "smart-host"))
			fault_below(f, pool, "source",
				    "missing: the pool has no address to send from");
		CONF_FOR_EACH (n, pool, "source")
			if (addr_parse(conf_text(n), &a))
				addr_list_add(&sources, &a, n);
	}
	addr_list_check_unique(&sources, f);
	addr_list_free(&sources);
}

static void check_server_takes_no_source(const struct lyd_node *conf, const struct lyd_node *relay,
					 struct faults *f)
{
	struct addr_list servers = {0};
	struct addr a;

	CONF_FOR_EACH (server, conf_top(conf, "servers"), "server")
		CONF_FOR_EACH (n, server, "address")
			if (addr_parse(conf_text(n), &a))
				addr_list_add(&servers, &a, n);
	/* Duplicates among servers are told by check_net(); here the list only needs its order. */
	struct buf unused = BUF_INIT;
	struct faults silent = {.out = &unused};
	addr_list_check_unique(&servers, &silent);
	buf_free(&unused);

	CONF_FOR_EACH (pool, relay, "pool")
		CONF_FOR_EACH (n, pool, "source") {
			const struct lyd_node *taken =
				addr_parse(conf_text(n), &a) ? addr_list_find(&servers, &a) : NULL;
			if (taken)
				fault_at(f, n, conf_text(n), "taken already by servers %s address",
					 conf_value(lyd_parent(taken), "name"));
		}
	addr_list_free(&servers);
}

/* ---- signing, tracking, the rest ---- */

static void check_sign(const struct lyd_node *account, struct faults *f)
{
	const struct lyd_node *sign = conf_child(account, "sign");

	if (!conf_has(sign, "dkim") && !conf_has(sign, "domainkeys"))
		return;
	if (!conf_has(sign, "domain"))
		fault_below(f, sign, "domain", "missing: whose signature is it to be?");
	if (!conf_has(sign, "selector"))
		fault_below(f, sign, "selector", "missing: the key is DOMAIN.SELECTOR.pem");
}

static int by_domain_then_line(const void *a, const void *b)
{
	const struct lyd_node *x = *(const struct lyd_node *const *)a;
	const struct lyd_node *y = *(const struct lyd_node *const *)b;
	int order = strcasecmp(conf_text(x), conf_text(y));

	return order ? order : (node_line(x) > node_line(y)) - (node_line(x) < node_line(y));
}

/* A recipient's domain leads one way. */
static void check_routes(const struct lyd_node *relay, struct faults *f)
{
	const struct lyd_node **all = NULL;
	size_t count = 0;

	CONF_FOR_EACH (route, relay, "route")
		CONF_FOR_EACH (domain, route, "domain") {
			all = realloc(all, (count + 1) * sizeof(*all));
			if (!all)
				abort();
			all[count++] = domain;
		}
	if (count)
		qsort(all, count, sizeof(*all), by_domain_then_line);
	for (size_t i = 1; i < count; i++)
		if (lyd_parent(all[i - 1]) != lyd_parent(all[i]) &&
		    !strcasecmp(conf_text(all[i - 1]), conf_text(all[i])))
			fault_at(f, all[i], conf_text(all[i]),
				 "relay route %s has this domain already",
				 conf_value(lyd_parent(all[i - 1]), "name"));
	free(all);
}

static void check_listeners(const struct lyd_node *relay, struct faults *f)
{
	static const char *const lists[] = {"listen", "http"};

	for (size_t i = 0; i < 2; i++)
		CONF_FOR_EACH (n, relay, lists[i])
			for (size_t j = 0; j <= i; j++)
				CONF_FOR_EACH (other, relay, lists[j]) {
					if (other == n)
						break;
					unsigned long port = conf_number(n, "port");
					if (port && port == conf_number(other, "port") &&
					    !strcmp(conf_value(n, "address"),
						    conf_value(other, "address")))
						fault_at(f, conf_child(n, "port"),
							 conf_value(n, "port"),
							 "relay %s %s listens there already",
							 lists[j], conf_value(other, "name"));
				}
}

/* ---- limits of what leaves ---- */

static bool known_provider(const char *name)
{
	static const char *const known[] = {"google",  "microsoft", "yahoo",    "apple",
					    "comcast", "gmx",       "mimecast", "proofpoint",
					    "zoho",    "ovh",       "orange",   "telekom"};

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (!strcmp(known[i], name))
			return true;
	return false;
}

/* known_provider() repeats the names of relay/deliver/provider.c, which may not be included here.
 */
static void check_providers(const struct lyd_node *relay, struct faults *f)
{
	const struct lyd_node **all = NULL;
	size_t count = 0;

	CONF_FOR_EACH (provider, relay, "provider") {
		const char *name = conf_value(provider, "name");

		if (!strcmp(name, "default") && conf_has(provider, "mx"))
			fault_at(f, conf_child(provider, "mx"),
				 conf_text(conf_child(provider, "mx")),
				 "provider default is everybody else; give this host a provider of "
				 "another name");
		if (strcmp(name, "default") && !conf_has(provider, "mx") && !known_provider(name))
			fault_below(
				f, provider, "mx",
				"missing: %s is not among the providers that are known (google, "
				"microsoft, yahoo, apple, ...); name its mail hosts",
				name);
		CONF_FOR_EACH (mx, provider, "mx") {
			all = realloc(all, (count + 1) * sizeof(*all));
			if (!all)
				abort();
			all[count++] = mx;
		}
	}
	if (count)
		qsort(all, count, sizeof(*all), by_domain_then_line);
	for (size_t i = 1; i < count; i++)
		if (!strcasecmp(conf_text(all[i - 1]), conf_text(all[i])))
			fault_at(f, all[i], conf_text(all[i]),
				 "relay provider %s has this host already",
				 conf_value(lyd_parent(all[i - 1]), "name"));
	free(all);
}

/* The pattern lets 2026-02-30 pass. */
static void check_ramps(const struct lyd_node *relay, struct faults *f)
{
	CONF_FOR_EACH (pool, relay, "pool") {
		const char *begin = conf_value(conf_child(pool, "ramp-up"), "begin");
		struct tm t = {0}, same;

		if (!begin)
			continue;
		sscanf(begin, "%4d-%2d-%2d", &t.tm_year, &t.tm_mon, &t.tm_mday);
		t.tm_year -= 1900;
		t.tm_mon--;
		same = t;
		if (timegm(&same) == -1 || same.tm_mday != t.tm_mday)
			fault_at(f, conf_child(conf_child(pool, "ramp-up"), "begin"), begin,
				 "there is no such day");
	}
}

/* As many processes as the relay can watch (relay/config.h). */
static void check_workers(const struct lyd_node *relay, struct faults *f)
{
	enum { OWN_WORKERS_MAX = 32 };
	unsigned long sum = 0;

	CONF_FOR_EACH (account, relay, "account") {
		if (!conf_has(account, "workers"))
			continue;
		sum += conf_number(account, "workers");
		if (sum > OWN_WORKERS_MAX) {
			fault_at(f, conf_child(account, "workers"), conf_value(account, "workers"),
				 "with those of the accounts before it %lu workers; "
				 "accounts may have %d of their own together",
				 sum, OWN_WORKERS_MAX);
			return;
		}
	}
}

static void check_rest(const struct lyd_node *relay, struct faults *f)
{
	const struct lyd_node *tls = conf_child(relay, "tls"), *retry = conf_child(relay, "retry");

	if (conf_has(tls, "chain-file") != conf_has(tls, "key-file"))
		fault_at(f, tls, NULL, "chain-file and key-file go together; only one is given");
	if (retry && conf_number(retry, "first") > conf_number(retry, "longest"))
		fault_at(f, retry, NULL, "first (%lu) is longer than longest (%lu)",
			 conf_number(retry, "first"), conf_number(retry, "longest"));
	if (retry && conf_number(retry, "longest") > conf_number(retry, "expire"))
		fault_at(f, retry, NULL, "longest (%lu) is longer than expire (%lu)",
			 conf_number(retry, "longest"), conf_number(retry, "expire"));
}

void check_relay(const struct lyd_node *conf, struct faults *f)
{
	const struct lyd_node *relay = conf_top(conf, "relay");

	if (!relay)
		return;
	CONF_FOR_EACH (account, relay, "account") {
		check_sender(account, f);
		check_account_pool(relay, account, f);
		check_sign(account, f);
		check_track(relay, account, f);
	}
	check_pool_sources(relay, f);
	check_server_takes_no_source(conf, relay, f);
	check_routes(relay, f);
	check_listeners(relay, f);
	check_tracking(relay, f);
	check_providers(relay, f);
	check_ramps(relay, f);
	check_workers(relay, f);
	check_rest(relay, f);
}
