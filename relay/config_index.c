/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Networks are sorted by family and length, then by address: for each length that occurs, the
 * client's address is cut to it and looked up. There are seldom more than five.
 */
#include "relay/config_index.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct network {
	struct prefix prefix; /* host bits cleared */
	const struct config_account *account;
	size_t number; /* among its account's */
};

/* Networks of one family and length: items first to end. */
struct length {
	int family;
	unsigned len;
	size_t first, end;
};

struct sender {
	const char *domain;
	const struct config_account *account;
};

struct config_index {
	const struct config_account **names;
	size_t name_count;
	struct network *networks;
	size_t network_count;
	struct length *lengths;
	size_t length_count;
	struct sender *senders;
	size_t sender_count;
};

static int by_name(const void *a, const void *b)
{
	const struct config_account *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

static int by_length_then_address(const void *a, const void *b)
{
	const struct prefix *x = &((const struct network *)a)->prefix;
	const struct prefix *y = &((const struct network *)b)->prefix;

	if (x->addr.family != y->addr.family)
		return x->addr.family < y->addr.family ? -1 : 1;
	if (x->len != y->len)
		return x->len < y->len ? -1 : 1;
	return addr_cmp(&x->addr, &y->addr);
}

static int by_domain(const void *a, const void *b)
{
	return strcasecmp(((const struct sender *)a)->domain, ((const struct sender *)b)->domain);
}

/* ---- making it ---- */

static void *room(size_t count, size_t size)
{
	void *p = calloc(count + 1, size);

	if (!p)
		abort();
	return p;
}

static void add_account(struct config_index *i, const struct config_account *a)
{
	i->names[i->name_count++] = a;
	for (size_t k = 0; k < a->network_count; k++)
		i->networks[i->network_count++] = (struct network){
			.prefix = prefix_network(&a->networks[k]), .account = a, .number = k};
	for (size_t k = 0; k < a->from.count; k++) {
		const char *at = strrchr(a->from.items[k], '@');

		if (at)
			i->senders[i->sender_count++] =
				(struct sender){.domain = at + 1, .account = a};
	}
}

static void find_lengths(struct config_index *i)
{
	struct length *last = NULL;

	for (size_t k = 0; k < i->network_count; k++) {
		const struct prefix *p = &i->networks[k].prefix;

		if (!last || last->family != p->addr.family || last->len != p->len) {
			last = &i->lengths[i->length_count++];
			*last = (struct length){
				.family = p->addr.family, .len = p->len, .first = k};
		}
		last->end = k + 1;
	}
}

struct config_index *config_index_new(const struct relay_config *c)
{
	struct config_index *i = room(1, sizeof(*i));
	size_t networks = 0, senders = 0;

	for (size_t k = 0; k < c->account_count; k++) {
		networks += c->accounts[k].network_count;
		senders += c->accounts[k].from.count;
	}
	i->names = room(c->account_count, sizeof(const struct config_account *));
	i->networks = room(networks, sizeof(*i->networks));
	i->lengths = room(networks, sizeof(*i->lengths));
	i->senders = room(senders, sizeof(*i->senders));
	for (size_t k = 0; k < c->account_count; k++)
		add_account(i, &c->accounts[k]);
	qsort(i->names, i->name_count, sizeof(*i->names), by_name);
	qsort(i->networks, i->network_count, sizeof(*i->networks), by_length_then_address);
	qsort(i->senders, i->sender_count, sizeof(*i->senders), by_domain);
	find_lengths(i);
	return i;
}

void config_index_free(struct config_index *i)
{
	if (!i)
		return;
	free(i->names);
	free(i->networks);
	free(i->lengths);
	free(i->senders);
	free(i);
}

/* ---- asking ---- */

const struct config_account *config_index_name(const struct config_index *i, const char *name)
{
	const struct config_account wanted = {.name = (char *)name}, *key = &wanted;
	const struct config_account *const *found =
		bsearch(&key, i->names, i->name_count, sizeof(*i->names), by_name);

	return found ? *found : NULL;
}

/* The first of the sorted items first to end that is not before the wanted one. */
static size_t lower_bound(const void *items, size_t size, size_t first, size_t end,
			  const void *wanted, int (*order)(const void *, const void *))
{
	while (first < end) {
		size_t middle = first + (end - first) / 2;

		if (order((const char *)items + middle * size, wanted) < 0)
			first = middle + 1;
		else
			end = middle;
	}
	return first;
}

/* Is it the first of its account's networks that hold the address? */
static bool is_first(const struct network *n, const struct addr *client)
{
	for (size_t k = 0; k < n->number; k++)
		if (prefix_contains(&n->account->networks[k], client))
			return false;
	return true;
}

void config_index_at(const struct config_index *i, const struct addr *client, config_index_fn *fn,
		     void *arg)
{
	for (size_t k = 0; k < i->length_count; k++) {
		const struct length *l = &i->lengths[k];
		struct network wanted = {.prefix = {.addr = *client, .len = l->len}};

		if (l->family != client->family)
			continue;
		wanted.prefix = prefix_network(&wanted.prefix);
		size_t at = lower_bound(i->networks, sizeof(wanted), l->first, l->end, &wanted,
					by_length_then_address);
		for (; at < l->end && by_length_then_address(&i->networks[at], &wanted) == 0; at++)
			if (is_first(&i->networks[at], client))
				fn(i->networks[at].account, arg);
	}
}

void config_index_senders(const struct config_index *i, const char *domain, config_index_fn *fn,
			  void *arg)
{
	struct sender wanted = {.domain = domain};
	size_t at = lower_bound(i->senders, sizeof(wanted), 0, i->sender_count, &wanted, by_domain);

	for (; at < i->sender_count && by_domain(&i->senders[at], &wanted) == 0; at++)
		fn(i->senders[at].account, arg);
}
