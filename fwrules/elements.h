/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Elements of sets and maps in the kernel's terms.
 *
 * Written and read attribute by attribute, without an object for each: a set of 100,000 is all that
 * a commit's time goes into. An interval of single values is two elements, its start and, marked as
 * an end, the value behind it (none at the top); one of concatenated values is one element with two
 * keys.
 */
#ifndef GATEPOST_FWRULES_ELEMENTS_H
#define GATEPOST_FWRULES_ELEMENTS_H

#include "fwrules/expr.h"
#include "fwrules/ruleset.h"

#include <libmnl/libmnl.h>
#include <stdbool.h>
#include <stddef.h>

/* Attributes of one message reach at most this far. */
enum { ELEMENTS_MESSAGE_BYTES = 64 * 1024 };

/*
 * Puts elements into a NEWSETELEM message that names table and set already, from *next on until
 * none is left or the message is full. Returns true when more are left.
 */
bool elements_put(struct nlmsghdr *nlh, const struct ruleset *rs, const struct names *names,
		  const struct set *set, size_t *next);

/* One element as the kernel has it, to be compared. */
struct kernel_element {
	uint8_t key[KEY_BYTES_MAX], last[KEY_BYTES_MAX];
	bool end; /* the value behind an interval */
	bool has_verdict;
	int32_t verdict;             /* NF_ACCEPT, NFT_JUMP... */
	const char *target;          /* chain or counter; "" for none */
	uint8_t data[KEY_BYTES_MAX]; /* what the key leads to in a map of addresses */
	size_t data_bytes;
};

/* What elements_put() writes for all elements of set. The caller frees the array; targets point
 * into names and rs. */
struct kernel_element *elements_meant(const struct ruleset *rs, const struct names *names,
				      const struct set *set, size_t *n);

/* One element of a dump, an NFTA_LIST_ELEM; target points into the message. */
struct kernel_element element_read(const struct nlattr *attr);

/* Orders by all fields: equal elements give 0. */
int element_cmp(const void *a, const void *b);

#endif
