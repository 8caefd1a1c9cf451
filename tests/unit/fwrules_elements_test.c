/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Elements written into messages and read back from them are the same, however many there are. */
#include "fwrules/build.h"
#include "fwrules/elements.h"
#include "tests/unit/cmocka.h"

#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

enum { BUFFER_BYTES = 2 * ELEMENTS_MESSAGE_BYTES };

/* All elements of the set through messages; *messages counts them. The caller frees the array. */
static struct kernel_element *through_messages(const struct ruleset *rs, const struct names *names,
					       size_t index, size_t *n, size_t *messages)
{
	const struct set *set = &rs->sets[index];
	struct kernel_element *all = calloc(2 * set->n + 1, sizeof(*all));
	char *buffer = malloc(BUFFER_BYTES);
	size_t next = 0;
	bool more = true;

	assert_non_null(all);
	assert_non_null(buffer);
	*n = *messages = 0;
	while (more) {
		struct nlmsghdr *nlh = mnl_nlmsg_put_header(buffer);
		const struct nlattr *list, *attr;
		mnl_nlmsg_put_extra_header(nlh, sizeof(struct nfgenmsg));
		more = elements_put(nlh, rs, names, set, &next);
		assert_true(nlh->nlmsg_len <= ELEMENTS_MESSAGE_BYTES);
		mnl_attr_for_each(list, nlh, sizeof(struct nfgenmsg))
		{
			/* A nest's length has 16 bits. */
			assert_true(mnl_attr_get_payload_len(list) > 0);
			mnl_attr_for_each_nested(attr, list)
			{
				all[*n] = element_read(attr);
				/* The text lives in the buffer: keep that of the ruleset. */
				if (*all[*n].target)
					all[*n].target = set->kind == SET_COUNTERS
								 ? rs->counters[0]
								 : names->chains[0];
				++*n;
			}
		}
		++*messages;
	}
	free(buffer);
	return all;
}

static void assert_comes_back(const struct ruleset *rs, size_t index, size_t messages_at_least)
{
	struct names names = names_of(rs, 7);
	size_t n, meant_n, messages;
	struct kernel_element *got = through_messages(rs, &names, index, &n, &messages);
	struct kernel_element *meant = elements_meant(rs, &names, &rs->sets[index], &meant_n);

	assert_int_equal(n, meant_n);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(element_cmp(&got[i], &meant[i]), 0);
	assert_true(messages >= messages_at_least);
	free(got);
	free(meant);
	names_free(&names);
}

static void a_hundred_thousand_services_come_back(void **state)
{
	struct ruleset *rs = calloc(1, sizeof(*rs));
	struct addr a = {.family = AF_INET6, .bytes = {0x20, 1, 0xd, 0xb8}};

	(void)state;
	assert_non_null(rs);
	build_chain(rs, "a-chain-of-a-long-name-%063d", 1);
	size_t set = build_set(rs, SET_VERDICTS, KEY_IPV6_SERVICE, "services6");
	for (unsigned i = 0; i < 100000; i++) {
		struct element *e = build_element(rs, set);
		a.bytes[14] = (uint8_t)(i >> 8);
		a.bytes[15] = (uint8_t)i;
		key_put_port(e->key,
			     key_put_proto(e->key, key_put_addr(e->key, 0, &a), IPPROTO_TCP),
			     (uint16_t)(i >> 16));
		e->verdict = i % 3 ? (struct verdict){VERDICT_JUMP, 0}
				   : (struct verdict){VERDICT_ACCEPT, 0};
	}
	assert_comes_back(rs, set, 100);
	ruleset_free(rs);
}

static void counters_and_port_ranges_come_back(void **state)
{
	struct ruleset *rs = calloc(1, sizeof(*rs));
	struct addr a = {.family = AF_INET, .bytes = {203, 0, 113, 10}};

	(void)state;
	assert_non_null(rs);
	build_chain(rs, "allow");
	build_counter(rs, "server-web1");
	size_t counters = build_set(rs, SET_COUNTERS, KEY_IPV4, "count4");
	key_put_addr(build_element(rs, counters)->key, 0, &a);
	size_t ranges = build_set(rs, SET_VERDICTS, KEY_IPV4_SERVICE, "ranges4");
	rs->sets[ranges].interval = true;
	struct element *e = build_element(rs, ranges);
	key_put_port(e->key, key_put_proto(e->key, key_put_addr(e->key, 0, &a), IPPROTO_UDP), 1000);
	key_put_port(e->last, key_put_proto(e->last, key_put_addr(e->last, 0, &a), IPPROTO_UDP),
		     65535);
	e->verdict = (struct verdict){VERDICT_GOTO, 0};
	assert_comes_back(rs, counters, 1);
	assert_comes_back(rs, ranges, 1);
	ruleset_free(rs);
}

/* An interval is its start and the value behind it; at the top of the range there is none. */
static void an_interval_that_ends_at_the_top_has_no_end(void **state)
{
	static const struct {
		const char *prefix;
		size_t elements;
	} cases[] = {{"192.0.2.0/24", 2},  {"0.0.0.0/0", 1}, {"224.0.0.0/3", 1},
		     {"2001:db8::/32", 2}, {"ff00::/8", 1},  {"::/0", 1}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct ruleset *rs = calloc(1, sizeof(*rs));
		struct ranges r = {0};
		struct prefix p;
		size_t n;
		assert_non_null(rs);
		assert_true(prefix_parse(cases[i].prefix, &p));
		ranges_add_prefix(&r, &p);
		size_t set = build_address_set(rs, &r, p.addr.family, "s");
		struct names names = names_of(rs, 1);
		free(elements_meant(rs, &names, &rs->sets[set], &n));
		assert_int_equal(n, cases[i].elements);
		assert_comes_back(rs, set, 1);
		names_free(&names);
		ranges_free(&r);
		ruleset_free(rs);
	}
}

static void what_differs_in_anything_is_not_equal(void **state)
{
	struct kernel_element a = {.key = {1}, .target = "x", .has_verdict = true, .verdict = 1};
	struct kernel_element b[] = {a, a, a, a, a, a};

	(void)state;
	b[0].key[23] = 1;
	b[1].last[0] = 1;
	b[2].end = true;
	b[3].verdict = -3;
	b[4].has_verdict = false;
	b[5].target = "y";
	assert_int_equal(element_cmp(&a, &a), 0);
	for (size_t i = 0; i < sizeof(b) / sizeof(*b); i++) {
		assert_int_not_equal(element_cmp(&a, &b[i]), 0);
		assert_int_equal(element_cmp(&a, &b[i]) < 0, element_cmp(&b[i], &a) > 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hundred_thousand_services_come_back),
		cmocka_unit_test(counters_and_port_ranges_come_back),
		cmocka_unit_test(an_interval_that_ends_at_the_top_has_no_end),
		cmocka_unit_test(what_differs_in_anything_is_not_equal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
