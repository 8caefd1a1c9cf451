/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Translations that cannot work, or that two lines would say differently. Which of two kinds wins
 * is fixed (the more specific); two of one kind for one address are a fault.
 */
#include "model/check.h"
#include "model/model.h"
#include "model/schema.h"

#include <stdlib.h>
#include <string.h>

enum { FORWARD_PORTS_MAX = 1024 };

static void tell_own(const struct lyd_node *leaf, const struct addr_list *own, const struct addr *a,
		     const char *advice, struct faults *f)
{
	const struct lyd_node *mine = addr_list_find(own, a);
	struct buf path = BUF_INIT;

	if (!mine)
		return;
	fault_path(mine, &path);
	fault_at(f, leaf, conf_text(leaf), "this box's own address (%s)%s", buf_str(&path), advice);
	buf_free(&path);
}

/* The machine inside: in the family of the address outside, and behind dmz. */
static void check_inside(const struct lyd_node *conf, const struct lyd_node *leaf,
			 const struct addr *inside, const struct addr *outside,
			 const struct addr_list *own, struct faults *f)
{
	if (inside->family != outside->family)
		fault_at(f, leaf, conf_text(leaf), "of another family than the address outside");
	else if (!is_inside(conf, inside))
		fault_at(f, leaf, conf_text(leaf), "in no network of interfaces dmz");
	else
		tell_own(leaf, own, inside, "; name a machine behind it", f);
}

/* ---- forwards ---- */

/* One range of ports of one forward. */
struct taken {
	struct addr address;
	bool udp;
	unsigned first, last;
	const struct lyd_node *forward;
};
struct taken_list {
	struct taken *at;
	size_t n, cap;
};

static void take(struct taken_list *list, const struct taken *t)
{
	if (list->n == list->cap) {
		list->cap = list->cap ? list->cap * 2 : 16;
		list->at = realloc(list->at, list->cap * sizeof(*list->at));
		if (!list->at)
			abort();
	}
	list->at[list->n++] = *t;
}

/* Adds "80,443,5000-5100"; returns the number of ports, *ranges grows by that of its parts. */
static unsigned take_ports(struct taken_list *list, const struct lyd_node *forward,
			   const struct addr *address, const char *proto, unsigned *ranges)
{
	const char *text = conf_value(forward, proto);
	unsigned count = 0;

	while (text && *text) {
		struct taken t = {*address, !strcmp(proto, "udp"), 0, 0, forward};
		char *end;

		t.first = t.last = (unsigned)strtoul(text, &end, 10);
		if (*end == '-')
			t.last = (unsigned)strtoul(end + 1, &end, 10);
		if (t.last < t.first)
			return count; /* a fault of the value's own */
		count += t.last - t.first + 1;
		(*ranges)++;
		take(list, &t);
		text = *end == ',' ? end + 1 : NULL;
	}
	return count;
}

static void check_forward(const struct lyd_node *conf, const struct lyd_node *forward,
			  const struct addr_list *own, struct taken_list *taken, struct faults *f)
{
	const struct lyd_node *address = conf_child(forward, "address");
	const struct lyd_node *to = conf_child(forward, "to");
	struct addr outside, inside;
	unsigned ranges = 0;

	if (!address || !to || !addr_parse(conf_text(address), &outside) ||
	    !addr_parse(conf_text(to), &inside))
		return;
	check_inside(conf, to, &inside, &outside, own, f);
	unsigned ports = take_ports(taken, forward, &outside, "tcp", &ranges);
	unsigned tcp = ranges;
	ports += take_ports(taken, forward, &outside, "udp", &ranges);
	if (!ranges)
		fault_at(f, forward, NULL, "forwards nothing; give it tcp or udp");
	if (ports > FORWARD_PORTS_MAX)
		fault_at(f, forward, NULL, "%u ports; more than %d are a matter for nat one-to-one",
			 ports, FORWARD_PORTS_MAX);
	if (conf_has(forward, "to-port") && (tcp > 1 || ranges - tcp > 1))
		fault_at(f, conf_child(forward, "to-port"), conf_value(forward, "to-port"),
			 "which of several ports is it for? Make a forward for each");
	if (conf_has(forward, "to-port") &&
	    conf_number(forward, "to-port") + ports / (ranges ? ranges : 1) > 65536)
		fault_at(f, conf_child(forward, "to-port"), conf_value(forward, "to-port"),
			 "the last of its ports would be beyond 65535");
}

static int by_place(const void *a, const void *b)
{
	const struct taken *x = a, *y = b;
	int order = addr_cmp(&x->address, &y->address);

	if (!order)
		order = (int)x->udp - (int)y->udp;
	if (!order)
		order = (x->first > y->first) - (x->first < y->first);
	if (order)
		return order;
	return (node_line(x->forward) > node_line(y->forward)) -
	       (node_line(x->forward) < node_line(y->forward));
}

static void check_forwards(const struct lyd_node *conf, const struct addr_list *own,
			   struct faults *f)
{
	struct taken_list taken = {0};

	CONF_FOR_EACH (forward, conf_top(conf, "nat"), "forward")
		check_forward(conf, forward, own, &taken, f);
	if (taken.n)
		qsort(taken.at, taken.n, sizeof(*taken.at), by_place);
	for (size_t i = 1; i < taken.n; i++) {
		const struct taken *a = &taken.at[i - 1], *b = &taken.at[i];
		if (addr_cmp(&a->address, &b->address) || a->udp != b->udp || b->first > a->last)
			continue;
		if (a->forward == b->forward) {
			fault_at(f, b->forward, NULL, "%s port %u is given twice",
				 b->udp ? "udp" : "tcp", b->first);
			continue;
		}
		fault_at(f, b->forward, NULL, "%s port %u of %s is taken already by nat forward %s",
			 b->udp ? "udp" : "tcp", b->first, conf_value(b->forward, "address"),
			 conf_value(a->forward, "name"));
	}
	free(taken.at);
}

/* ---- one to one ---- */

static void check_pairs(const struct lyd_node *conf, const struct addr_list *own, struct faults *f)
{
	struct addr_list outside = {0}, inside = {0};
	struct addr out, in;

	CONF_FOR_EACH (pair, conf_top(conf, "nat"), "one-to-one") {
		const struct lyd_node *o = conf_child(pair, "outside"),
				      *i = conf_child(pair, "inside");
		if (!o || !i || !addr_parse(conf_text(o), &out) || !addr_parse(conf_text(i), &in))
			continue;
		check_inside(conf, i, &in, &out, own, f);
		tell_own(o, own, &out, "; nat forward leads single ports of it elsewhere", f);
		addr_list_add(&outside, &out, o);
		addr_list_add(&inside, &in, i);
	}
	addr_list_check_unique(&outside, f);
	addr_list_check_unique(&inside, f);
	addr_list_free(&outside);
	addr_list_free(&inside);
}

/* ---- prefixes ---- */

static bool overlap(const struct prefix *a, const struct prefix *b)
{
	return prefix_contains(a, &b->addr) || prefix_contains(b, &a->addr);
}

/* The side that two entries may not share. */
static void check_apart(const struct lyd_node *nat, const struct lyd_node *entry, const char *side,
			struct faults *f)
{
	const struct lyd_node *mine = conf_child(entry, side);
	struct prefix p, q;

	if (!mine || !prefix_parse(conf_text(mine), &p))
		return;
	CONF_FOR_EACH (other, nat, "prefix") {
		const struct lyd_node *theirs = conf_child(other, side);
		if (other == entry)
			return; /* those behind it are told when it is their turn */
		if (theirs && prefix_parse(conf_text(theirs), &q) && overlap(&p, &q))
			fault_at(f, mine, conf_text(mine), "overlaps %s of nat prefix %s",
				 conf_text(theirs), conf_value(other, "name"));
	}
}

static void check_prefixes(const struct lyd_node *conf, const struct addr_list *own,
			   struct faults *f)
{
	const struct lyd_node *nat = conf_top(conf, "nat");

	CONF_FOR_EACH (entry, nat, "prefix") {
		const struct lyd_node *o = conf_child(entry, "outside"),
				      *i = conf_child(entry, "inside");
		struct prefix out, in;

		if (!o || !i || !prefix_parse(conf_text(o), &out) ||
		    !prefix_parse(conf_text(i), &in))
			continue;
		if (out.addr.family != in.addr.family || out.len != in.len)
			fault_at(f, i, conf_text(i),
				 "not as long as %s; host for host needs equal networks",
				 conf_text(o));
		for (size_t n = 0; n < own->count; n++)
			if (prefix_contains(&out, &own->list[n].addr))
				fault_at(f, o, conf_text(o), "holds this box's own address %s",
					 conf_text(own->list[n].node));
		check_apart(nat, entry, "outside", f);
		check_apart(nat, entry, "inside", f);
	}
}

void check_nat(const struct lyd_node *conf, const struct addr_list *own, struct faults *f)
{
	check_forwards(conf, own, f);
	check_pairs(conf, own, f);
	check_prefixes(conf, own, f);
}
