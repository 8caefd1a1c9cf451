/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/check.h"

#include "model/model.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- who is a sender ---- */

/*
 * True when the networks of one family leave nobody out. Counted in units of a /64 for IPv6,
 * where anything longer adds nothing that matters.
 */
static bool covers_everything(const struct lyd_node *account, int family)
{
	const unsigned unit_len = family == AF_INET ? 32 : 64;
	struct prefix p, q;
	__uint128_t covered = 0;

	CONF_FOR_EACH (n, account, "networks") {
		bool inside_another = false;

		if (!prefix_parse(conf_text(n), &p) || p.addr.family != family || p.len > unit_len)
			continue;
		CONF_FOR_EACH (other, account, "networks") {
			if (other == n || !prefix_parse(conf_text(other), &q) ||
			    q.addr.family != family)
				continue;
			if (q.len < p.len && prefix_contains(&q, &p.addr))
				inside_another = true;
		}
		if (!inside_another)
			covered += (__uint128_t)1 << (unit_len - p.len);
	}
	return covered >= (__uint128_t)1 << unit_len;
}

static void check_sender(const struct lyd_node *account, struct faults *f)
{
	bool auth = conf_has(account, "auth-required");

	for (int i = 0; i < 2 && !auth; i++)
		if (covers_everything(account, i ? AF_INET6 : AF_INET))
			fault_at(f, conf_child(account, "networks"),
				 conf_text(conf_child(account, "networks")),
				 "these networks are every IPv%d address: the relay would be open "
				 "to "
				 "everybody; name fewer, or add auth-required",
				 i ? 6 : 4);
	if (auth && !conf_has(account, "user"))
		fault_below(f, account, "user", "missing: auth-required, but nobody can log in");
	if (!conf_has(account, "networks") && !conf_has(account, "user"))
		fault_below(f, account, "networks",
			    "missing: with neither networks nor a user nobody can send as it");
}

/* ---- pools ---- */

static bool is_member(const struct lyd_node *pool, const char *account)
{
	CONF_FOR_EACH (n, pool, "members")
		if (!strcmp(conf_text(n), account))
			return true;
	return false;
}

static bool may_use(const struct lyd_node *pool, const char *account)
{
	return !conf_has(pool, "members") || is_member(pool, account);
}

static const struct lyd_node *pool_named(const struct lyd_node *relay, const char *name)
{
	CONF_FOR_EACH (pool, relay, "pool")
		if (!strcmp(conf_value(pool, "name"), name))
			return pool;
	return NULL;
}

static void check_account_pool(const struct lyd_node *relay, const struct lyd_node *account,
			       struct faults *f)
{
	const char *name = conf_value(account, "name"), *pool_name = conf_value(account, "pool");

	if (pool_name) {
		const struct lyd_node *pool = pool_named(relay, pool_name);
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

static void check_pool_sources(const struct lyd_node *relay, struct faults *f)
{
	struct addr_list sources = {0};
	struct addr a;

	CONF_FOR_EACH (pool, relay, "pool") {
		if (!conf_has(pool, "source"))
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

static void check_track(const struct lyd_node *relay, const struct lyd_node *account,
			struct faults *f)
{
	const struct lyd_node *track = conf_child(account, "track");
	bool wanted = conf_has(track, "opens") || conf_has(track, "clicks") ||
		      conf_has(track, "clicks-text");

	if (wanted && !conf_has(track, "host") && !conf_has(conf_child(relay, "tracking"), "host"))
		fault_below(f, track, "host",
			    "missing: links need a host name; give it here or in relay tracking");
}

static void check_routes(const struct lyd_node *relay, struct faults *f)
{
	CONF_FOR_EACH (route, relay, "route")
		CONF_FOR_EACH (domain, route, "domain")
			CONF_FOR_EACH (other, relay, "route") {
				if (other == route)
					break; /* each pair once: the later one is at fault */
				CONF_FOR_EACH (same, other, "domain")
					if (!strcasecmp(conf_text(domain), conf_text(same)))
						fault_at(f, domain, conf_text(domain),
							 "relay route %s has this domain already",
							 conf_value(other, "name"));
			}
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
	check_rest(relay, f);
}
