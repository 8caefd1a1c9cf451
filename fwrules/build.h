/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Putting a ruleset together: new chains, sets and counters, rules written as one line of steps.
 *
 *	BUILD_RULE(rs, forward, step_iif(rs, "eth0"), step_goto(services));
 */
#ifndef GATEPOST_FWRULES_BUILD_H
#define GATEPOST_FWRULES_BUILD_H

#include "fwrules/ruleset.h"

/* All return the index; names are copied. */
size_t build_chain(struct ruleset *rs, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
size_t build_counter(struct ruleset *rs, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
size_t build_set(struct ruleset *rs, enum set_kind kind, enum key_kind key, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* A text that lives as long as the ruleset. */
const char *build_text(struct ruleset *rs, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

void build_rule(struct ruleset *rs, size_t chain, const struct step *steps, size_t n);
#define BUILD_RULE(rs, chain, ...)                              \
	build_rule((rs), (chain), (struct step[]){__VA_ARGS__}, \
		   sizeof((struct step[]){__VA_ARGS__}) / sizeof(struct step))

struct element *build_element(struct ruleset *rs, size_t set);

/* Key fields, each at its place: at is the offset in bytes. Returns the offset behind it. */
size_t key_put_addr(uint8_t *key, size_t at, const struct addr *a);
size_t key_put_proto(uint8_t *key, size_t at, uint8_t proto);
size_t key_put_port(uint8_t *key, size_t at, uint16_t port);

/* AF_INET for 0, AF_INET6 for 1: what comes in pairs is built in a loop. */
int build_family(size_t i);
/* 4 or 6. */
int family_digit(int family);

/*
 * A set of the addresses of one family in r, or NO_SET when there are none. Single addresses make
 * a hash, anything wider an interval set.
 */
#define NO_SET ((size_t)-1)
size_t build_address_set(struct ruleset *rs, const struct ranges *r, int family, const char *fmt,
			 ...) __attribute__((format(printf, 4, 5)));

/* Sorts the elements of every set, and sizes the hashes. */
void build_finish(struct ruleset *rs);

static inline struct step step_iif(const char *name)
{
	return (struct step){.kind = STEP_IIF, .name = name};
}

static inline struct step step_oif(const char *name)
{
	return (struct step){.kind = STEP_OIF, .name = name};
}

/* For the kinds that take one number. */
static inline struct step step_number(enum step_kind kind, uint32_t number)
{
	return (struct step){.kind = kind, .number = number};
}

static inline struct step step_icmp(int family, uint32_t type)
{
	return (struct step){.kind = STEP_ICMP_TYPE, .family = family, .number = type};
}

/* For the kinds that look an address of family up in a set. */
static inline struct step step_in(enum step_kind kind, int family, size_t set)
{
	return (struct step){.kind = kind, .family = family, .index = set};
}

static inline struct step step_port_in(uint8_t proto, size_t set)
{
	return (struct step){.kind = STEP_PORT_IN, .number = proto, .index = set};
}

static inline struct step step_over(enum step_kind kind, int family, size_t set, struct rate rate,
				    uint32_t burst)
{
	return (struct step){
		.kind = kind, .family = family, .index = set, .rate = rate, .burst = burst};
}

/* STEP_NAT_MAP, STEP_NAT_SERVICE. */
static inline struct step step_nat_map(enum step_kind kind, bool of_source, int family, size_t map)
{
	return (struct step){.kind = kind, .of_source = of_source, .family = family, .index = map};
}

static inline struct step step_nat_prefix(bool of_source, const struct prefix *to)
{
	return (struct step){.kind = STEP_NAT_PREFIX,
			     .of_source = of_source,
			     .family = to->addr.family,
			     .to = *to};
}

static inline struct step step_nat_address(bool of_source, const struct addr *to, uint16_t port)
{
	return (struct step){.kind = STEP_NAT_ADDRESS,
			     .of_source = of_source,
			     .family = to->family,
			     .to.addr = *to,
			     .number = port};
}

static inline struct step step_log(const char *prefix)
{
	return (struct step){.kind = STEP_LOG, .name = prefix};
}

static inline struct step step_count(size_t counter)
{
	return (struct step){.kind = STEP_COUNT, .index = counter};
}

static inline struct step step_verdict(struct verdict v)
{
	return (struct step){.kind = STEP_VERDICT, .verdict = v};
}

static inline struct step step_accept(void)
{
	return step_verdict((struct verdict){.kind = VERDICT_ACCEPT});
}

static inline struct step step_drop(void)
{
	return step_verdict((struct verdict){.kind = VERDICT_DROP});
}

static inline struct step step_return(void)
{
	return step_verdict((struct verdict){.kind = VERDICT_RETURN});
}

static inline struct step step_goto(size_t chain)
{
	return step_verdict((struct verdict){.kind = VERDICT_GOTO, .chain = chain});
}

static inline struct step step_jump(size_t chain)
{
	return step_verdict((struct verdict){.kind = VERDICT_JUMP, .chain = chain});
}

#endif
