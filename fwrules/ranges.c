/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fwrules/ranges.h"

#include <stdlib.h>
#include <string.h>

void ranges_add(struct ranges *r, const struct addr *first, const struct addr *last)
{
	if (r->n == r->cap) {
		r->cap = r->cap ? r->cap * 2 : 8;
		r->at = realloc(r->at, r->cap * sizeof(*r->at));
		if (!r->at)
			abort();
	}
	r->at[r->n++] = (struct range){.first = *first, .last = *last};
}

void ranges_add_prefix(struct ranges *r, const struct prefix *p)
{
	struct prefix network = prefix_network(p);
	struct addr last = prefix_last(p);

	ranges_add(r, &network.addr, &last);
}

void ranges_add_any(struct ranges *r)
{
	ranges_add_prefix(r, &(struct prefix){.addr.family = AF_INET});
	ranges_add_prefix(r, &(struct prefix){.addr.family = AF_INET6});
}

void ranges_add_all(struct ranges *r, const struct ranges *more)
{
	for (size_t i = 0; i < more->n; i++)
		ranges_add(r, &more->at[i].first, &more->at[i].last);
}

bool addr_next(const struct addr *a, struct addr *out)
{
	*out = *a;
	for (size_t i = addr_size(a); i-- > 0;)
		if (++out->bytes[i])
			return true;
	return false;
}

static struct addr addr_before(const struct addr *a)
{
	struct addr out = *a;

	for (size_t i = addr_size(a); i-- > 0;)
		if (out.bytes[i]--)
			break;
	return out;
}

static int by_first(const void *a, const void *b)
{
	const struct range *x = a, *y = b;
	int order = addr_cmp(&x->first, &y->first);

	return order ? order : addr_cmp(&x->last, &y->last);
}

/* True when next begins inside r or right behind it. */
static bool joins(const struct range *r, const struct range *next)
{
	struct addr behind;

	if (r->first.family != next->first.family)
		return false;
	return addr_cmp(&next->first, &r->last) <= 0 ||
	       (addr_next(&r->last, &behind) && !addr_cmp(&behind, &next->first));
}

void ranges_normalise(struct ranges *r)
{
	size_t n = 0;

	if (r->n == 0)
		return;
	qsort(r->at, r->n, sizeof(*r->at), by_first);
	for (size_t i = 1; i < r->n; i++) {
		if (!joins(&r->at[n], &r->at[i]))
			r->at[++n] = r->at[i];
		else if (addr_cmp(&r->at[i].last, &r->at[n].last) > 0)
			r->at[n].last = r->at[i].last;
	}
	r->n = n + 1;
}

void ranges_subtract(struct ranges *r, const struct ranges *less)
{
	struct ranges out = {0};

	for (size_t i = 0; i < r->n; i++) {
		struct range rest = r->at[i];
		bool left = true;

		for (size_t j = 0; j < less->n && left; j++) {
			const struct range *cut = &less->at[j];
			if (cut->first.family != rest.first.family ||
			    addr_cmp(&cut->last, &rest.first) < 0 ||
			    addr_cmp(&cut->first, &rest.last) > 0)
				continue;
			if (addr_cmp(&cut->first, &rest.first) > 0) {
				struct addr before = addr_before(&cut->first);
				ranges_add(&out, &rest.first, &before);
			}
			left = addr_cmp(&cut->last, &rest.last) < 0 &&
			       addr_next(&cut->last, &rest.first);
		}
		if (left)
			ranges_add(&out, &rest.first, &rest.last);
	}
	ranges_free(r);
	*r = out;
}

static int place(const void *key, const void *member)
{
	const struct addr *a = key;
	const struct range *r = member;

	if (addr_cmp(a, &r->first) < 0)
		return -1;
	return addr_cmp(a, &r->last) > 0;
}

bool ranges_contain(const struct ranges *r, const struct addr *a)
{
	return r->n && bsearch(a, r->at, r->n, sizeof(*r->at), place);
}

bool ranges_equal(const struct ranges *a, const struct ranges *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (by_first(&a->at[i], &b->at[i]))
			return false;
	return true;
}

bool ranges_are_any(const struct ranges *r)
{
	struct ranges any = {0};

	if (r->n != 2)
		return false;
	ranges_add_any(&any);
	bool same = ranges_equal(r, &any);
	ranges_free(&any);
	return same;
}

const struct range *ranges_family(const struct ranges *r, int family, size_t *n)
{
	size_t first = 0, end;

	while (first < r->n && r->at[first].first.family != family)
		first++;
	for (end = first; end < r->n && r->at[end].first.family == family;)
		end++;
	*n = end - first;
	return *n ? &r->at[first] : NULL;
}

void ranges_free(struct ranges *r)
{
	free(r->at);
	*r = (struct ranges){0};
}
