/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the index finds is what looking at every account would find. */
#include "relay/config_index.h"

#include "relay/smtp/identify.h"
#include "tests/unit/cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { ACCOUNTS = 300, ROUNDS = 2000 };

static struct relay_config *config;
static unsigned seen[ACCOUNTS];

static unsigned dice(unsigned sides)
{
	static uint32_t state = 12345;

	state = state * 1103515245 + 12345;
	return state >> 16 & 0x7fff ? (state >> 16 & 0x7fff) % sides : 0;
}

static void random_address(char out[64])
{
	if (dice(3))
		sprintf(out, "10.%u.%u.%u", dice(3), dice(4), dice(8));
	else
		sprintf(out, "2001:db8:%x::%x", dice(3), dice(6));
}

static void random_network(struct buf *json)
{
	char address[64];
	unsigned cut = dice(5);

	random_address(address);
	if (strchr(address, ':'))
		buf_printf(json, "\"%s/%u\"", address, cut ? 128 - 4 * cut : 32);
	else
		buf_printf(json, "\"%s/%u\"", address, cut ? 32 - 2 * cut : 8);
}

static int load(void **state)
{
	struct buf json = BUF_INIT, error = BUF_INIT;

	(void)state;
	buf_appends(&json, "{\"gatepost:relay\":{\"host-name\":\"r\",\"account\":[");
	for (unsigned i = 0; i < ACCOUNTS; i++) {
		buf_printf(&json, "%s{\"name\":\"n%u\",\"networks\":[", i ? "," : "",
			   i * 7919 % 1000);
		for (unsigned k = dice(4); k; k--) {
			random_network(&json);
			buf_appends(&json, k > 1 ? "," : "");
		}
		buf_printf(&json, "],\"from\":[\"*@D%u.example\",\"u%u@d%u.Example\"]}", dice(80),
			   dice(3), dice(80));
	}
	buf_appends(&json, "]}}");
	config = config_parse(buf_str(&json), json.len, &error);
	if (!config)
		fail_msg("%s", buf_str(&error));
	buf_free(&json);
	return 0;
}

static int unload(void **state)
{
	(void)state;
	config_free(config);
	return 0;
}

static void note(const struct config_account *a, void *arg)
{
	(void)arg;
	seen[a - config->accounts]++;
}

static void every_name_is_found(void **state)
{
	(void)state;
	for (size_t i = 0; i < ACCOUNTS; i++)
		assert_ptr_equal(config_account(config, config->accounts[i].name),
				 &config->accounts[i]);
	assert_null(config_account(config, "n"));
	assert_null(config_account(config, ""));
	assert_null(config_account(config, "zz"));
}

static void an_address_finds_each_account_of_its_networks_once(void **state)
{
	unsigned hits = 0;

	(void)state;
	for (unsigned round = 0; round < ROUNDS; round++) {
		char text[64];
		struct addr client;

		random_address(text);
		assert_true(addr_parse(text, &client));
		memset(seen, 0, sizeof(seen));
		config_index_at(config->index, &client, note, NULL);
		for (size_t i = 0; i < ACCOUNTS; i++) {
			const struct config_account *a = &config->accounts[i];
			unsigned inside = 0;

			for (size_t k = 0; k < a->network_count; k++)
				inside |= prefix_contains(&a->networks[k], &client);
			assert_int_equal(seen[i], inside);
			hits += inside;
		}
	}
	assert_true(hits > ROUNDS);
}

static void a_domain_finds_its_senders_accounts(void **state)
{
	(void)state;
	for (unsigned d = 0; d < 90; d++) {
		char domain[32];

		sprintf(domain, "%c%u.eXample", d % 2 ? 'd' : 'D', d);
		memset(seen, 0, sizeof(seen));
		config_index_senders(config->index, domain, note, NULL);
		for (size_t i = 0; i < ACCOUNTS; i++) {
			const struct config_strings *from = &config->accounts[i].from;
			unsigned patterns = 0;

			for (size_t k = 0; k < from->count; k++)
				patterns +=
					strcasecmp(strchr(from->items[k], '@') + 1, domain) == 0;
			assert_int_equal(seen[i], patterns);
		}
	}
}

static bool sends_as(const struct config_account *a, const struct mailbox *m)
{
	for (size_t i = 0; i < a->from.count; i++)
		if (mailbox_matches(m, a->from.items[i]))
			return true;
	return false;
}

static bool is_inside(const struct config_account *a, const struct addr *client)
{
	for (size_t i = 0; i < a->network_count; i++)
		if (prefix_contains(&a->networks[i], client))
			return true;
	return false;
}

/* The first account, in the config's order, whose networks and senders both fit. */
static const struct config_account *first_of_all(const struct addr *client, const struct mailbox *m)
{
	for (size_t i = 0; i < ACCOUNTS; i++)
		if (is_inside(&config->accounts[i], client) && sends_as(&config->accounts[i], m))
			return &config->accounts[i];
	return NULL;
}

static void the_account_found_is_the_configs_first(void **state)
{
	unsigned found = 0;

	(void)state;
	for (unsigned round = 0; round < 20 * ROUNDS; round++) {
		char text[64], sender[64];
		struct client client = {.account = ""};
		struct identified who;
		struct mailbox m;
		const char *reason;

		random_address(text);
		assert_true(addr_parse(text, &client.address));
		sprintf(sender, "u%u@d%u.example", dice(3), dice(80));
		assert_true(mailbox_parse(sender, strlen(sender), &m, &reason));
		identify(config, &client, &m, NULL, &who);
		assert_ptr_equal(who.account, first_of_all(&client.address, &m));
		found += who.account != NULL;
	}
	assert_true(found > ROUNDS / 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_name_is_found),
		cmocka_unit_test(an_address_finds_each_account_of_its_networks_once),
		cmocka_unit_test(a_domain_finds_its_senders_accounts),
		cmocka_unit_test(the_account_found_is_the_configs_first),
	};

	return cmocka_run_group_tests(tests, load, unload);
}
