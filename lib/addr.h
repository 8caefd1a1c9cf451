/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IPv4 and IPv6 addresses and prefixes.
 *
 * An IPv4-mapped IPv6 address (::ffff:a.b.c.d, as an AF_INET6 socket reports it) is turned into
 * the IPv4 address wherever one is taken from a socket, so that "networks 192.0.2.0/24" holds for
 * both kinds of listener.
 */
#ifndef GATEPOST_LIB_ADDR_H
#define GATEPOST_LIB_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct addr {
	int family;        /* AF_INET, AF_INET6; AF_UNSPEC for none */
	uint8_t bytes[16]; /* network order; an IPv4 address takes the first 4, the rest is 0 */
};

struct prefix {
	struct addr addr; /* as written: host bits are kept (192.0.2.1/24 names an interface) */
	unsigned len;     /* bits */
};

#define ADDR_STR_MAX   46
#define PREFIX_STR_MAX 50

/* 4 or 16; 0 for AF_UNSPEC. */
size_t addr_size(const struct addr *a);

/* False when s is not exactly one address (RFC 4291 §2.2 forms, no zone, dotted quad for IPv4). */
bool addr_parse(const char *s, struct addr *out);

/* Also takes a lone address, which gets the full length. */
bool prefix_parse(const char *s, struct prefix *out);

/* Both write at most ADDR_STR_MAX or PREFIX_STR_MAX bytes and return out (RFC 5952 form). */
const char *addr_format(const struct addr *a, char out[ADDR_STR_MAX]);
const char *prefix_format(const struct prefix *p, char out[PREFIX_STR_MAX]);

/* Orders by family, then bytes, then (prefixes) length, shortest first. */
int addr_cmp(const struct addr *a, const struct addr *b);
int prefix_cmp(const struct prefix *a, const struct prefix *b);

bool prefix_contains(const struct prefix *p, const struct addr *a);

/* The prefix with its host bits cleared, and its first and last address. */
struct prefix prefix_network(const struct prefix *p);
struct addr prefix_last(const struct prefix *p);

/* False (and AF_UNSPEC) when sa is neither AF_INET nor AF_INET6. port is in host order, may be
 * NULL. */
bool addr_from_sockaddr(const struct sockaddr *sa, struct addr *out, uint16_t *port);
socklen_t addr_to_sockaddr(const struct addr *a, uint16_t port, struct sockaddr_storage *out);

#endif
