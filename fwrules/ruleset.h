/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A policy as chains, maps and sets of one nftables table, "inet gatepost"; in the flat topology of
 * two: what passes between wan and dmz passes through the bridge, and "bridge gatepost" decides.
 *
 * Three consumers read this structure and nothing else: nfttext.c prints it, batch.c sends it,
 * readback.c compares the kernel's dump with it. It therefore says everything: hooks, rules step by
 * step, elements.
 *
 * What is generational is built anew for each commit, its name followed by "-N", N the generation
 * that is chosen when it is applied. The base chains, counters and dynamic sets stand for good.
 *
 *   prerouting   whose source cannot be (spoofed, bogon, SYN flood): before conntrack
 *   input        to the box                     } established first, then what may begin, by one
 *   forward      between wan and dmz            } map lookup: address . protocol . port
 *   output       from the box: only what belongs to a connection that was cut is stopped
 *   to-inside    the destination changes (natrules.h), as packets come in and as the box sends them
 *   to-outside   the source changes, as packets leave
 *   allow        the end of every allowed way to a server: counts the connection
 *   drop-REASON  the end of every other way: a log line at a bounded rate, a counter
 *
 * In the flat topology, forward and all that it needs are the bridge table's. There is no route by
 * which to tell where a source belongs: the servers that are listed are the DMZ's, and nobody else.
 *
 * References are indices, so nothing is looked up by name. Pure.
 */
#ifndef GATEPOST_FWRULES_RULESET_H
#define GATEPOST_FWRULES_RULESET_H

#include "fwrules/policy.h"
#include "lib/addr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RULESET_TABLE "gatepost"

/* What the kernel can do that not every kernel can. */
struct ruleset_caps {
	bool flowtable;
};

/* ---- rules ---- */

enum verdict_kind { VERDICT_ACCEPT, VERDICT_DROP, VERDICT_RETURN, VERDICT_JUMP, VERDICT_GOTO };
struct verdict {
	enum verdict_kind kind;
	size_t chain; /* VERDICT_JUMP, VERDICT_GOTO */
};

enum ct_state { CT_INVALID = 1, CT_ESTABLISHED = 2, CT_RELATED = 4, CT_NEW = 8 };

/* A rule is steps taken in order until one does not match. Those that read an address imply its
 * family, those that read a port or an ICMP type the protocol. */
enum step_kind {
	STEP_IIF,         /* the packet came in by device name */
	STEP_OIF,         /* the packet leaves by device name */
	STEP_ETHER,       /* bridge: Ethernet protocol number */
	STEP_PROTO,       /* protocol number */
	STEP_CT_STATE,    /* any of the enum ct_state bits in number */
	STEP_SYN,         /* TCP: of fin, syn, rst and ack only syn is set */
	STEP_NOT_SYN,     /* TCP: anything else */
	STEP_SADDR_IN,    /* source of family in set index */
	STEP_DADDR_IN,    /* destination of family in set index */
	STEP_ICMP_TYPE,   /* ICMP (IPv4) or ICMPv6 of type number */
	STEP_HOP_LIMIT,   /* IPv6 hop limit number */
	STEP_PORT,        /* TCP destination port number */
	STEP_PORT_IN,     /* destination port of protocol number in set index */
	STEP_NO_WAY_BACK, /* fib: the source is not routed to where the packet came from */
	STEP_RATE,        /* while rate, burst is not passed */
	STEP_OVER_RATE, /* source of family (IPv6: its /64) passed rate, burst; kept in set index */
	STEP_OVER_RATE_MARK, /* the same for source and packet mark together */
	STEP_SET_MARK,       /* packet mark number */
	STEP_COUNT,          /* counter index */
	STEP_COUNT_DADDR,    /* the counter that map index has for the destination of family */
	STEP_LOG,            /* a log line that begins with name */
	STEP_OFFLOAD,        /* into the flowtable */
	STEP_LOOKUP_SERVICE, /* verdict in map index for destination of family . protocol . port */
	STEP_LOOKUP_PORT,    /* verdict in map index for protocol . port */
	STEP_LOOKUP_DADDR,   /* verdict in map index for destination of family */
	STEP_CT_DNAT,        /* the connection's destination has changed */
	STEP_NAT_SERVICE,    /* destination, by map index of destination . protocol . port */
	STEP_NAT_MAP,        /* by map index: the destination, or of_source the source */
	STEP_NAT_PREFIX,     /* the network's part of either becomes that of to */
	STEP_NAT_ADDRESS, /* either becomes the address of to; number: the port, 0 for the same */
	STEP_VERDICT,
};

struct step {
	enum step_kind kind;
	int family; /* AF_INET, AF_INET6 */
	uint32_t number;
	size_t index;
	struct rate rate;
	uint32_t burst;   /* packets */
	const char *name; /* owned by the ruleset */
	struct verdict verdict;
	bool of_source; /* STEP_NAT_* */
	struct prefix to;
};

enum { RULE_STEPS_MAX = 6 };
struct rule {
	struct step steps[RULE_STEPS_MAX];
	size_t n;
};

struct chain {
	char *name;
	bool base;     /* stands for good and holds one jump; the next four are a base chain's */
	bool nat;      /* of type nat, else filter */
	unsigned hook; /* NF_INET_*; the bridge's have the same numbers */
	int priority;
	bool drop; /* what its end says */
	struct rule *rules;
	size_t n, cap;
};

/* ---- sets ---- */

enum key_kind {
	KEY_IPV4,
	KEY_IPV6,
	KEY_PORT,         /* big-endian */
	KEY_PROTO_PORT,   /* protocol . port */
	KEY_IPV4_SERVICE, /* address . protocol . port */
	KEY_IPV6_SERVICE,
	KEY_IPV4_MARK, /* address . packet mark */
	KEY_IPV6_MARK,
};
enum { KEY_BYTES_MAX = 24 };

enum set_kind {
	SET_PLAIN,
	SET_VERDICTS,
	SET_COUNTERS,
	SET_ADDRESSES, /* an address of the key's family */
	SET_SERVICES,  /* an address of the key's family . port */
};

struct element {
	uint8_t key[KEY_BYTES_MAX]; /* fields in network order, each padded to 4 bytes */
	/* Interval sets: the upper bound of each field, inclusive. SET_ADDRESSES and SET_SERVICES,
	 * which are no intervals: what the key leads to. */
	uint8_t last[KEY_BYTES_MAX];
	struct verdict verdict; /* SET_VERDICTS */
	size_t counter;         /* SET_COUNTERS */
};

struct set {
	char *name;
	enum key_kind key;
	enum set_kind kind;
	bool interval;
	bool dynamic;             /* filled by packets, stands for good */
	uint32_t timeout_s;       /* dynamic */
	uint32_t size;            /* at most; 0: no bound */
	struct element *elements; /* sorted by key; intervals disjoint */
	size_t n, cap;
};

size_t key_bytes(enum key_kind kind);
/* Of what the keys lead to; 0 for verdicts, counters and plain sets. */
size_t data_bytes(const struct set *set);

/* ---- the whole ---- */

struct ruleset {
	uint8_t family;         /* NFPROTO_INET or NFPROTO_BRIDGE */
	struct ruleset *bridge; /* of the inet table: the other one, or NULL when there is none */
	struct chain *chains;
	size_t chains_n, chains_cap;
	struct set *sets;
	size_t sets_n, sets_cap;
	char **counters;
	size_t counters_n, counters_cap;
	char devices[ZONES_WITH_PORT][IFNAMSIZ]; /* of the flowtable */
	size_t devices_n;                        /* 0: no flowtable */
	char **texts;                            /* what steps point to */
	size_t texts_n, texts_cap;
};

#define RULESET_FLOWTABLE "fast"
/* The device that wan and dmz are ports of in the flat topology. */
#define RULESET_BRIDGE "site"

struct ruleset *ruleset_compile(const struct policy *p, const struct ruleset_caps *caps);
void ruleset_free(struct ruleset *rs);

#endif
