/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What one of our tables holds in the kernel at this moment, rules and elements aside. */
#ifndef GATEPOST_FWRULES_PRESENT_H
#define GATEPOST_FWRULES_PRESENT_H

#include "lib/netlink.h"

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct present_chain {
	char *name;
	bool base; /* the next four are a base chain's */
	bool nat;  /* of type nat; else filter */
	uint32_t hook;
	int32_t priority;
	uint32_t policy; /* NF_ACCEPT, NF_DROP */
};

struct present_set {
	char *name;
	uint32_t flags, key_type, key_len, data_type, obj_type, size;
	uint32_t data_len; /* of a map of addresses; 0 for others */
	uint64_t timeout_ms;
};

struct present_object {
	char *name;
	uint32_t type; /* NFT_OBJECT_COUNTER; whatever else is not ours */
};

struct present {
	uint8_t family; /* NFPROTO_INET or NFPROTO_BRIDGE */
	bool table;
	uint32_t table_flags;
	struct present_chain *chains;
	size_t chains_n, chains_cap;
	struct present_set *sets;
	size_t sets_n, sets_cap;
	struct present_object *objects;
	size_t objects_n, objects_cap;
	bool flowtable; /* RULESET_FLOWTABLE */
	uint32_t flowtable_flags;
	char (*devices)[IFNAMSIZ];
	size_t devices_n, devices_cap;
	uint32_t generation; /* the highest that a name ends in; 0: none */
};

/* 0, or an errno with the reason in netlink_reason(). present_free() in either case. */
int present_read(struct netlink *nl, uint8_t family, struct present *out);
void present_free(struct present *p);

/* A request about our table of that family, to be filled further: type is NFT_MSG_*. */
struct nlmsghdr *present_request(char *buffer, uint16_t type, uint8_t family);

/* The kernel's ruleset generation of this network namespace. */
int present_genid(struct netlink *nl, uint32_t *genid);

#endif
