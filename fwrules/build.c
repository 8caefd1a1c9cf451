/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fwrules/build.h"

#include "fwrules/array.h"
#include "lib/buf.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* A range of up to this many addresses is put into a hash one by one. */
enum { HASHED_RANGE_MAX = 4 };

#define FORMAT(out, fmt)                          \
	do {                                      \
		struct buf formatted = BUF_INIT;  \
		va_list ap;                       \
		va_start(ap, fmt);                \
		buf_vprintf(&formatted, fmt, ap); \
		va_end(ap);                       \
		(out) = buf_steal(&formatted);    \
	} while (0)

size_t build_chain(struct ruleset *rs, const char *fmt, ...)
{
	struct chain *chain = ARRAY_NEXT(rs->chains, rs->chains_n, rs->chains_cap);

	FORMAT(chain->name, fmt);
	return rs->chains_n - 1;
}

size_t build_counter(struct ruleset *rs, const char *fmt, ...)
{
	char **counter = ARRAY_NEXT(rs->counters, rs->counters_n, rs->counters_cap);

	FORMAT(*counter, fmt);
	return rs->counters_n - 1;
}

static size_t new_set(struct ruleset *rs, enum set_kind kind, enum key_kind key, char *name)
{
	struct set *set = ARRAY_NEXT(rs->sets, rs->sets_n, rs->sets_cap);

	set->name = name;
	set->kind = kind;
	set->key = key;
	return rs->sets_n - 1;
}

size_t build_set(struct ruleset *rs, enum set_kind kind, enum key_kind key, const char *fmt, ...)
{
	char *name;

	FORMAT(name, fmt);
	return new_set(rs, kind, key, name);
}

const char *build_text(struct ruleset *rs, const char *fmt, ...)
{
	char **text = ARRAY_NEXT(rs->texts, rs->texts_n, rs->texts_cap);

	FORMAT(*text, fmt);
	return *text;
}

void build_rule(struct ruleset *rs, size_t chain, const struct step *steps, size_t n)
{
	struct chain *c = &rs->chains[chain];
	struct rule *rule = ARRAY_NEXT(c->rules, c->n, c->cap);

	if (n > RULE_STEPS_MAX)
		abort();
	memcpy(rule->steps, steps, n * sizeof(*steps));
	rule->n = n;
}

struct element *build_element(struct ruleset *rs, size_t set)
{
	struct set *s = &rs->sets[set];

	return ARRAY_NEXT(s->elements, s->n, s->cap);
}

/* ---- keys ---- */

size_t key_bytes(enum key_kind kind)
{
	static const size_t bytes[] = {
		[KEY_IPV4] = 4,       [KEY_IPV6] = 16,         [KEY_PORT] = 2,
		[KEY_PROTO_PORT] = 8, [KEY_IPV4_SERVICE] = 12, [KEY_IPV6_SERVICE] = 24,
		[KEY_IPV4_MARK] = 8,  [KEY_IPV6_MARK] = 20,
	};

	return bytes[kind];
}

size_t data_bytes(const struct set *set)
{
	bool six = set->key == KEY_IPV6 || set->key == KEY_IPV6_SERVICE;

	if (set->kind == SET_ADDRESSES)
		return six ? 16 : 4;
	return set->kind == SET_SERVICES ? (six ? 20 : 8) : 0;
}

size_t key_put_addr(uint8_t *key, size_t at, const struct addr *a)
{
	memcpy(key + at, a->bytes, addr_size(a));
	return at + addr_size(a);
}

size_t key_put_proto(uint8_t *key, size_t at, uint8_t proto)
{
	memset(key + at, 0, 4);
	key[at] = proto;
	return at + 4;
}

size_t key_put_port(uint8_t *key, size_t at, uint16_t port)
{
	key[at] = (uint8_t)(port >> 8);
	key[at + 1] = (uint8_t)port;
	return at + 4;
}

int build_family(size_t i)
{
	return i ? AF_INET6 : AF_INET;
}

int family_digit(int family)
{
	return family == AF_INET6 ? 6 : 4;
}

/* ---- address sets ---- */

/* True when the range holds at most HASHED_RANGE_MAX addresses. */
static bool is_short(const struct range *r)
{
	struct addr a = r->first;

	for (int i = 1; i < HASHED_RANGE_MAX; i++) {
		if (!addr_cmp(&a, &r->last))
			return true;
		if (!addr_next(&a, &a))
			return true;
	}
	return !addr_cmp(&a, &r->last);
}

static void add_range(struct ruleset *rs, size_t set, const struct range *r)
{
	struct addr a = r->first;

	if (rs->sets[set].interval) {
		struct element *e = build_element(rs, set);
		key_put_addr(e->key, 0, &r->first);
		key_put_addr(e->last, 0, &r->last);
		return;
	}
	do
		key_put_addr(build_element(rs, set)->key, 0, &a);
	while (addr_cmp(&a, &r->last) && addr_next(&a, &a));
}

size_t build_address_set(struct ruleset *rs, const struct ranges *r, int family, const char *fmt,
			 ...)
{
	size_t n;
	const struct range *at = ranges_family(r, family, &n);
	char *name;

	if (!n)
		return NO_SET;
	FORMAT(name, fmt);
	size_t set = new_set(rs, SET_PLAIN, family == AF_INET ? KEY_IPV4 : KEY_IPV6, name);
	for (size_t i = 0; i < n; i++)
		if (!is_short(&at[i]))
			rs->sets[set].interval = true;
	for (size_t i = 0; i < n; i++)
		add_range(rs, set, &at[i]);
	return set;
}

/* ---- the end ---- */

static int by_key(const void *a, const void *b)
{
	return memcmp(((const struct element *)a)->key, ((const struct element *)b)->key,
		      KEY_BYTES_MAX);
}

void build_finish(struct ruleset *rs)
{
	for (size_t i = 0; i < rs->sets_n; i++) {
		struct set *set = &rs->sets[i];

		if (set->n)
			qsort(set->elements, set->n, sizeof(*set->elements), by_key);
		/* A hash that knows its size loads twice as fast. Nothing is added later. */
		if (!set->interval && !set->dynamic)
			set->size = (uint32_t)set->n;
	}
}

void ruleset_free(struct ruleset *rs)
{
	if (!rs)
		return;
	for (size_t i = 0; i < rs->chains_n; i++) {
		free(rs->chains[i].name);
		free(rs->chains[i].rules);
	}
	for (size_t i = 0; i < rs->sets_n; i++) {
		free(rs->sets[i].name);
		free(rs->sets[i].elements);
	}
	for (size_t i = 0; i < rs->counters_n; i++)
		free(rs->counters[i]);
	for (size_t i = 0; i < rs->texts_n; i++)
		free(rs->texts[i]);
	ruleset_free(rs->bridge);
	free(rs->chains);
	free(rs->sets);
	free(rs->counters);
	free(rs->texts);
	free(rs);
}
