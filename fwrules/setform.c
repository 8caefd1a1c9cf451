/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fwrules/setform.h"

#include <linux/netfilter/nf_tables.h>

/* Key types as nft(8) numbers them: the kernel only carries them along for listings. One of several
 * fields has 6 bits for each, the first field highest. */
enum { TYPE_IPV4 = 7, TYPE_IPV6 = 8, TYPE_PROTO = 12, TYPE_PORT = 13, TYPE_MARK = 19 };
#define TYPES_2(a, b)     ((a) << 6 | (b))
#define TYPES_3(a, b, c)  ((a) << 12 | (b) << 6 | (c))
#define DATA_TYPE_VERDICT 0xffffff00u

static const struct {
	uint32_t type;
	uint8_t fields[3], fields_n;
} keys[] = {
	[KEY_IPV4] = {TYPE_IPV4, {4}, 1},
	[KEY_IPV6] = {TYPE_IPV6, {16}, 1},
	[KEY_PORT] = {TYPE_PORT, {2}, 1},
	[KEY_PROTO_PORT] = {TYPES_2(TYPE_PROTO, TYPE_PORT), {1, 2}, 2},
	[KEY_IPV4_SERVICE] = {TYPES_3(TYPE_IPV4, TYPE_PROTO, TYPE_PORT), {4, 1, 2}, 3},
	[KEY_IPV6_SERVICE] = {TYPES_3(TYPE_IPV6, TYPE_PROTO, TYPE_PORT), {16, 1, 2}, 3},
	[KEY_IPV4_MARK] = {TYPES_2(TYPE_IPV4, TYPE_MARK), {4, 4}, 2},
	[KEY_IPV6_MARK] = {TYPES_2(TYPE_IPV6, TYPE_MARK), {16, 4}, 2},
};

const uint8_t *setform_fields(enum key_kind key, uint32_t *n)
{
	*n = keys[key].fields_n;
	return keys[key].fields;
}

/* What a map of addresses leads to. */
static uint32_t data_type(const struct set *set)
{
	uint32_t address = data_bytes(set) >= 16 ? TYPE_IPV6 : TYPE_IPV4;

	return set->kind == SET_ADDRESSES ? address : TYPES_2(address, TYPE_PORT);
}

struct present_set setform_of(const struct set *set)
{
	struct present_set s = {
		.key_type = keys[set->key].type,
		.key_len = (uint32_t)key_bytes(set->key),
		.size = set->size,
		.timeout_ms = (uint64_t)set->timeout_s * 1000,
	};

	if (set->interval)
		s.flags |= NFT_SET_INTERVAL | (keys[set->key].fields_n > 1 ? NFT_SET_CONCAT : 0);
	if (set->dynamic)
		s.flags |= NFT_SET_EVAL | NFT_SET_TIMEOUT;
	if (set->kind == SET_VERDICTS) {
		s.flags |= NFT_SET_MAP;
		s.data_type = DATA_TYPE_VERDICT;
	}
	if (set->kind == SET_COUNTERS) {
		s.flags |= NFT_SET_OBJECT;
		s.obj_type = NFT_OBJECT_COUNTER;
	}
	if (data_bytes(set)) {
		s.flags |= NFT_SET_MAP;
		s.data_type = data_type(set);
		s.data_len = (uint32_t)data_bytes(set);
	}
	return s;
}

bool setform_same(const struct present_set *a, const struct present_set *b)
{
	return a->flags == b->flags && a->key_type == b->key_type && a->key_len == b->key_len &&
	       a->data_type == b->data_type && a->data_len == b->data_len &&
	       a->obj_type == b->obj_type && a->size == b->size && a->timeout_ms == b->timeout_ms;
}
