/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/deliver/route.h"

#include <string.h>

static bool holds(const struct config_strings *list, const char *s)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i], s) == 0)
			return true;
	return false;
}

bool route_may_use(const struct config_pool *pool, const char *account)
{
	return !pool->members.count || holds(&pool->members, account);
}

static const struct config_pool *usable(const struct relay_config *c, const char *name,
					const char *account)
{
	const struct config_pool *pool = *name ? config_pool(c, name) : NULL;

	return pool && route_may_use(pool, account) ? pool : NULL;
}

static const struct config_pool *by_domain(const struct relay_config *c, const char *account,
					   const char *domain)
{
	for (size_t i = 0; i < c->route_count; i++) {
		if (!holds(&c->routes[i].domains, domain))
			continue;
		const struct config_pool *pool = usable(c, c->routes[i].pool, account);
		if (pool)
			return pool;
	}
	return NULL;
}

static bool is_routed_to(const struct relay_config *c, const struct config_pool *pool)
{
	for (size_t i = 0; i < c->route_count; i++)
		if (strcmp(c->routes[i].pool, pool->name) == 0)
			return true;
	return false;
}

static const struct config_pool *open_to_all(const struct relay_config *c)
{
	for (size_t i = 0; i < c->pool_count; i++)
		if (!c->pools[i].members.count && !is_routed_to(c, &c->pools[i]))
			return &c->pools[i];
	return NULL;
}

const struct config_pool *route_pool(const struct relay_config *c, const char *account,
				     const char *account_pool, const char *domain)
{
	const struct config_pool *pool = usable(c, account_pool, account);

	if (!pool)
		pool = by_domain(c, account, domain);
	if (!pool)
		pool = usable(c, "default", account);
	if (!pool)
		pool = open_to_all(c);
	return pool;
}

const char *route_host_name(const struct relay_config *c, const struct config_pool *pool)
{
	return pool && *pool->host_name ? pool->host_name : c->host_name;
}

const char *route_helo(const struct relay_config *c, const struct config_pool *pool,
		       const struct addr *source)
{
	for (size_t i = 0; pool && i < pool->helo_count; i++)
		if (addr_cmp(&pool->helos[i].source, source) == 0)
			return pool->helos[i].host_name;
	return route_host_name(c, pool);
}

bool route_source(const struct config_pool *pool, int family, uint32_t turn, struct addr *out)
{
	size_t count = 0;

	memset(out, 0, sizeof(*out));
	if (!pool || !pool->source_count)
		return true;
	for (size_t i = 0; i < pool->source_count; i++)
		count += pool->sources[i].family == family;
	if (!count)
		return false;
	size_t pick = turn % count;
	for (size_t i = 0; i < pool->source_count; i++)
		if (pool->sources[i].family == family && pick-- == 0) {
			*out = pool->sources[i];
			break;
		}
	return true;
}

uint32_t route_hash(const char *text)
{
	uint32_t h = UINT32_C(2166136261); /* FNV-1a */

	for (; *text; text++)
		h = (h ^ (unsigned char)*text) * UINT32_C(16777619);
	return h;
}
