/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fwrules/services.h"

#include "fwrules/array.h"
#include "fwrules/build.h"
#include "fwrules/keymap.h"
#include "lib/buf.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

enum { ICMP_ECHO_REQUEST = 8, ICMPV6_ECHO_REQUEST = 128 };
enum { LIMIT_SET_MEMBERS = 65535, LIMIT_TIMEOUT_MIN_S = 60 };

/* Services of servers or those of the box: they differ in how an allowed packet ends. */
struct side {
	const struct service *all;
	struct verdict allowed;
	struct keymap chains;  /* the allows of a key, as text -> chain */
	struct keymap metered; /* index of a service -> chain that limits and logs it */
	size_t mixed;          /* chains without a better name */
};

/* One set or map for each family, made when first needed. */
struct pair {
	size_t set[2];
	bool interval;
};
#define NO_PAIR       ((struct pair){{NO_SET, NO_SET}, false})
#define NO_RANGE_PAIR ((struct pair){{NO_SET, NO_SET}, true})

struct services {
	const struct policy *p;
	struct ruleset *rs;
	struct side servers, box;
	struct pair *sources; /* the sets of policy.sources */
	bool *sources_made;
	struct keymap limits; /* "4-20-second" -> set */
	size_t over_limit;    /* counter; NO_SET until needed */
	struct pair hash, interval, ping;
};

/* Indices of services that name one key. */
struct allows {
	size_t *at;
	size_t n, cap;
};

/* ---- who: the chain of one key ---- */

static const struct pair *source_sets(struct services *v, size_t source)
{
	const struct source *s = &v->p->sources[source];
	struct pair *pair = &v->sources[source];

	for (size_t i = 0; i < 2 && !v->sources_made[source]; i++)
		pair->set[i] = build_address_set(v->rs, &s->ranges, build_family(i), "from%d-%s",
						 family_digit(build_family(i)), s->label);
	v->sources_made[source] = true;
	return pair;
}

/* "If the source is one of these, end": in both families, or without a look when that is any. */
static void rule_from(struct services *v, size_t chain, size_t source, struct verdict end)
{
	if (ranges_are_any(&v->p->sources[source].ranges)) {
		BUILD_RULE(v->rs, chain, step_verdict(end));
		return;
	}
	const struct pair *sets = source_sets(v, source);
	for (size_t i = 0; i < 2; i++)
		if (sets->set[i] != NO_SET)
			BUILD_RULE(v->rs, chain,
				   step_in(STEP_SADDR_IN, build_family(i), sets->set[i]),
				   step_verdict(end));
}

static bool has_family(const struct service *s, int family)
{
	for (size_t i = 0; i < s->to_n; i++)
		if (s->to[i].family == family)
			return true;
	return false;
}

static bool is_plain(const struct service *s)
{
	return !s->limit.count && !s->log;
}

/* The dynamic set in which sources are counted against this rate. */
static size_t limit_set(struct services *v, int family, struct rate rate)
{
	const char *unit = rate.unit_s == 1 ? "second" : rate.unit_s == 60 ? "minute" : "hour";
	struct buf name = BUF_INIT;

	buf_printf(&name, "limit%d-%u-%s", family_digit(family), rate.count, unit);
	size_t set = keymap_put(&v->limits, buf_str(&name), v->rs->sets_n);
	if (set == v->rs->sets_n) {
		build_set(v->rs, SET_PLAIN, family == AF_INET ? KEY_IPV4_MARK : KEY_IPV6_MARK, "%s",
			  buf_str(&name));
		struct set *made = &v->rs->sets[set];
		made->dynamic = true;
		made->size = LIMIT_SET_MEMBERS;
		/* A bucket is full again after one unit of time. */
		made->timeout_s = rate.unit_s * 2;
		if (made->timeout_s < LIMIT_TIMEOUT_MIN_S)
			made->timeout_s = LIMIT_TIMEOUT_MIN_S;
	}
	buf_free(&name);
	return set;
}

/*
 * The chain that lets a connection to a service with a limit or a log in: it returns when the
 * source is over the limit. The packet mark tells services apart within a limit's set; it is the
 * same after each commit, so the set's members go on counting.
 */
static size_t metered_chain(struct services *v, struct side *side, size_t index)
{
	const struct service *s = &side->all[index];
	struct buf name = BUF_INIT;

	buf_printf(&name, "%s/%s", s->owner, s->name);
	size_t chain = keymap_put(&side->metered, buf_str(&name), v->rs->chains_n);
	if (chain == v->rs->chains_n) {
		build_chain(v->rs, "service-%s", buf_str(&name));
		if (s->limit.count) {
			if (v->over_limit == NO_SET)
				v->over_limit = build_counter(v->rs, "over-limit");
			BUILD_RULE(v->rs, chain,
				   step_number(STEP_SET_MARK, text_hash(buf_str(&name))));
		}
		for (size_t i = 0; i < 2 && s->limit.count; i++)
			if (has_family(s, build_family(i)))
				BUILD_RULE(v->rs, chain,
					   step_over(STEP_OVER_RATE_MARK, build_family(i),
						     limit_set(v, build_family(i), s->limit),
						     s->limit, s->limit.count),
					   step_count(v->over_limit), step_return());
		if (s->log)
			BUILD_RULE(v->rs, chain,
				   step_log(build_text(v->rs, "gatepost allow %.50s %.50s: ",
						       s->owner, s->name)));
		BUILD_RULE(v->rs, chain, step_verdict(side->allowed));
	}
	buf_free(&name);
	return chain;
}

/* 0: logs, 1: neither limited nor logged, 2: limited. */
static int turn_of(const struct service *s)
{
	return s->log ? 0 : is_plain(s) ? 1 : 2;
}

/* Drops what adds nothing: a source said twice, and, behind an unlimited any, what comes later. */
static void reduce(const struct services *v, const struct side *side, struct allows *allows)
{
	bool open = false;
	size_t n = 0;

	for (size_t i = 0; i < allows->n; i++) {
		const struct service *s = &side->all[allows->at[i]];
		if (is_plain(s) && ranges_are_any(&v->p->sources[s->source].ranges))
			open = true;
	}
	for (size_t i = 0; i < allows->n; i++) {
		const struct service *s = &side->all[allows->at[i]];
		bool repeated = false;

		for (size_t j = 0; j < n && is_plain(s); j++) {
			const struct service *other = &side->all[allows->at[j]];
			repeated |= is_plain(other) && other->source == s->source;
		}
		if (open && is_plain(s) && !ranges_are_any(&v->p->sources[s->source].ranges))
			repeated = true;
		if (open && turn_of(s) == 2)
			repeated = true;
		if (!repeated)
			allows->at[n++] = allows->at[i];
	}
	allows->n = n;
}

/* The allows as text: plain ones by source alone, so that servers share them. */
static void allows_key(const struct side *side, const struct allows *allows, struct buf *key)
{
	for (int turn = 0; turn < 3; turn++) {
		for (size_t i = 0; i < allows->n; i++) {
			const struct service *s = &side->all[allows->at[i]];
			if (turn_of(s) == turn)
				buf_printf(key, turn == 1 ? "%zu " : "s%zu ",
					   turn == 1 ? s->source : allows->at[i]);
		}
	}
}

static size_t allows_chain(struct services *v, struct side *side, const struct allows *allows)
{
	const struct service *first = &side->all[allows->at[0]];
	size_t chain;

	if (allows->n > 1)
		chain = build_chain(v->rs, "any-of-%zu%s", ++side->mixed,
				    side == &v->box ? "-box" : "");
	else if (is_plain(first))
		chain = build_chain(v->rs, "from-%s%s", v->p->sources[first->source].label,
				    side == &v->box ? "/box" : "");
	else
		chain = build_chain(v->rs, "to-%s/%s", first->owner, first->name);
	for (int turn = 0; turn < 3; turn++) {
		for (size_t i = 0; i < allows->n; i++) {
			const struct service *s = &side->all[allows->at[i]];
			struct verdict end = side->allowed;

			if (turn_of(s) != turn)
				continue;
			if (!is_plain(s))
				end = (struct verdict){VERDICT_JUMP,
						       metered_chain(v, side, allows->at[i])};
			rule_from(v, chain, s->source, end);
		}
	}
	return chain;
}

/* The verdict of a key that these services name. */
static struct verdict verdict_of(struct services *v, struct side *side, struct allows *allows)
{
	struct buf key = BUF_INIT;

	reduce(v, side, allows);
	const struct service *first = &side->all[allows->at[0]];
	bool any = ranges_are_any(&v->p->sources[first->source].ranges);
	if (allows->n == 1 && any && is_plain(first))
		return side->allowed;
	if (allows->n == 1 && any)
		return (struct verdict){VERDICT_JUMP, metered_chain(v, side, allows->at[0])};
	allows_key(side, allows, &key);
	const size_t *known = keymap_get(&side->chains, buf_str(&key));
	size_t chain = known ? *known : allows_chain(v, side, allows);
	if (!known)
		keymap_put(&side->chains, buf_str(&key), chain);
	buf_free(&key);
	return (struct verdict){VERDICT_JUMP, chain};
}

/* ---- keys ---- */

static size_t map_of(struct services *v, struct pair *pair, const struct addr *a, const char *name,
		     bool service_key)
{
	bool six = a->family == AF_INET6;

	if (pair->set[six] == NO_SET) {
		enum key_kind key = service_key ? (six ? KEY_IPV6_SERVICE : KEY_IPV4_SERVICE)
						: (six ? KEY_IPV6 : KEY_IPV4);
		pair->set[six] =
			build_set(v->rs, SET_VERDICTS, key, "%s%d", name, family_digit(a->family));
		v->rs->sets[pair->set[six]].interval = pair->interval;
	}
	return pair->set[six];
}

static void put_service(uint8_t *key, const struct addr *a, uint8_t proto, uint16_t port)
{
	key_put_port(key, key_put_proto(key, key_put_addr(key, 0, a), proto), port);
}

/* Ports first..last of each address lead to end. */
static void add_segment(struct services *v, const struct service *s, uint8_t proto, unsigned first,
			unsigned last, struct verdict end)
{
	bool wide = last - first >= SERVICES_EXPANDED_MAX;

	for (size_t i = 0; i < s->to_n; i++) {
		const struct addr *a = &s->to[i];
		size_t map = wide ? map_of(v, &v->interval, a, "ranges", true)
				  : map_of(v, &v->hash, a, "services", true);

		for (unsigned port = first; port <= (wide ? first : last); port++) {
			struct element *e = build_element(v->rs, map);
			put_service(e->key, a, proto, (uint16_t)port);
			put_service(e->last, a, proto, (uint16_t)(wide ? last : port));
			e->verdict = end;
		}
	}
}

static int by_number(const void *a, const void *b)
{
	unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;

	return (x > y) - (x < y);
}

/* Cuts the ports of one protocol where the services that name them change. */
static void add_ports(struct services *v, struct side *side, const struct server *server,
		      uint8_t proto)
{
	const struct service *first = &side->all[server->services];
	unsigned *cuts = NULL;
	size_t n = 0, cap = 0;
	struct allows allows = {0};

	for (size_t i = 0; i < server->services_n; i++) {
		for (size_t j = 0; j < first[i].ports_n; j++) {
			if (first[i].ports[j].proto != proto)
				continue;
			*ARRAY_NEXT(cuts, n, cap) = first[i].ports[j].first;
			*ARRAY_NEXT(cuts, n, cap) = first[i].ports[j].last + 1u;
		}
	}
	if (n)
		qsort(cuts, n, sizeof(*cuts), by_number);
	for (size_t c = 0; c + 1 < n; c++) {
		if (cuts[c] == cuts[c + 1])
			continue;
		allows.n = 0;
		for (size_t i = 0; i < server->services_n; i++) {
			bool named = false;
			for (size_t j = 0; j < first[i].ports_n && !named; j++)
				named = first[i].ports[j].proto == proto &&
					first[i].ports[j].first <= cuts[c] &&
					first[i].ports[j].last >= cuts[c];
			if (named)
				*ARRAY_NEXT(allows.at, allows.n, allows.cap) = server->services + i;
		}
		if (allows.n)
			add_segment(v, first, proto, cuts[c], cuts[c + 1] - 1,
				    verdict_of(v, side, &allows));
	}
	free(allows.at);
	free(cuts);
}

static void add_ping(struct services *v, struct side *side, const struct server *server)
{
	struct allows allows = {0};

	for (size_t i = 0; i < server->services_n; i++)
		if (side->all[server->services + i].icmp)
			*ARRAY_NEXT(allows.at, allows.n, allows.cap) = server->services + i;
	if (allows.n) {
		struct verdict end = verdict_of(v, side, &allows);
		for (size_t i = 0; i < server->n; i++) {
			const struct addr *a = &server->addresses[i];
			struct element *e =
				build_element(v->rs, map_of(v, &v->ping, a, "ping", false));
			key_put_addr(e->key, 0, a);
			e->verdict = end;
		}
	}
	free(allows.at);
}

static struct step echo_request(int family)
{
	return step_icmp(family, family == AF_INET ? ICMP_ECHO_REQUEST : ICMPV6_ECHO_REQUEST);
}

static void compile_servers(struct services *v, size_t chain)
{
	for (size_t i = 0; i < v->p->servers_n; i++) {
		const struct server *server = &v->p->servers[i];
		add_ports(v, &v->servers, server, IPPROTO_TCP);
		add_ports(v, &v->servers, server, IPPROTO_UDP);
		add_ping(v, &v->servers, server);
	}
	for (size_t i = 0; i < 2; i++)
		if (v->hash.set[i] != NO_SET)
			BUILD_RULE(v->rs, chain,
				   step_in(STEP_LOOKUP_SERVICE, build_family(i), v->hash.set[i]));
	for (size_t i = 0; i < 2; i++)
		if (v->interval.set[i] != NO_SET)
			BUILD_RULE(
				v->rs, chain,
				step_in(STEP_LOOKUP_SERVICE, build_family(i), v->interval.set[i]));
	for (size_t i = 0; i < 2; i++)
		if (v->ping.set[i] != NO_SET)
			BUILD_RULE(v->rs, chain, echo_request(build_family(i)),
				   step_in(STEP_LOOKUP_DADDR, build_family(i), v->ping.set[i]));
}

/* ---- the box ---- */

/* All services of the box that name the same address (NULL: every one) and port as service i. */
static void same_key(const struct side *side, size_t n, size_t i, struct allows *out)
{
	const struct service *s = &side->all[i];

	out->n = 0;
	for (size_t j = 0; j < n; j++) {
		const struct service *other = &side->all[j];
		if (other->ports_n == s->ports_n && other->to_n == s->to_n &&
		    (!s->to_n || !addr_cmp(&s->to[0], &other->to[0])) &&
		    (!s->ports_n || (s->ports[0].proto == other->ports[0].proto &&
				     s->ports[0].first == other->ports[0].first)))
			*ARRAY_NEXT(out->at, out->n, out->cap) = j;
	}
}

/* Each has one port or is ping, and one address or every one: policy.c makes no others. */
static void compile_box(struct services *v, size_t chain)
{
	const struct policy *p = v->p;
	size_t ports = NO_SET;
	struct pair at_address = NO_PAIR;
	struct allows allows = {0};

	for (size_t i = 0; i < p->box_n; i++) {
		const struct service *s = &p->box[i];

		same_key(&v->box, p->box_n, i, &allows);
		if (allows.at[0] != i)
			continue; /* done with the first of them */
		struct verdict end = verdict_of(v, &v->box, &allows);
		if (!s->ports_n) {
			for (size_t j = 0; j < 2; j++)
				BUILD_RULE(v->rs, chain, echo_request(build_family(j)),
					   step_verdict(end));
			continue;
		}
		if (!s->to_n && ports == NO_SET)
			ports = build_set(v->rs, SET_VERDICTS, KEY_PROTO_PORT, "box-ports");
		size_t map =
			s->to_n ? map_of(v, &at_address, &s->to[0], "box-services", true) : ports;
		struct element *e = build_element(v->rs, map);
		if (s->to_n)
			put_service(e->key, &s->to[0], s->ports[0].proto, s->ports[0].first);
		else
			key_put_port(e->key, key_put_proto(e->key, 0, s->ports[0].proto),
				     s->ports[0].first);
		e->verdict = end;
	}
	if (ports != NO_SET)
		BUILD_RULE(v->rs, chain, step_in(STEP_LOOKUP_PORT, AF_UNSPEC, ports));
	for (size_t i = 0; i < 2; i++)
		if (at_address.set[i] != NO_SET)
			BUILD_RULE(
				v->rs, chain,
				step_in(STEP_LOOKUP_SERVICE, build_family(i), at_address.set[i]));
	free(allows.at);
}

void services_compile(const struct policy *p, struct ruleset *rs, size_t services, size_t allow,
		      size_t box)
{
	struct services v = {
		.p = p,
		.rs = rs,
		.servers = {.all = p->services, .allowed = {VERDICT_GOTO, allow}},
		.box = {.all = p->box, .allowed = {VERDICT_ACCEPT}},
		.sources = calloc(p->sources_n + 1, sizeof(*v.sources)),
		.sources_made = calloc(p->sources_n + 1, sizeof(*v.sources_made)),
		.over_limit = NO_SET,
		.hash = NO_PAIR,
		.interval = NO_RANGE_PAIR,
		.ping = NO_PAIR,
	};

	if (!v.sources || !v.sources_made)
		abort();
	if (services != NO_CHAIN)
		compile_servers(&v, services);
	if (box != NO_CHAIN)
		compile_box(&v, box);
	keymap_free(&v.servers.chains);
	keymap_free(&v.servers.metered);
	keymap_free(&v.box.chains);
	keymap_free(&v.box.metered);
	keymap_free(&v.limits);
	free(v.sources);
	free(v.sources_made);
}
