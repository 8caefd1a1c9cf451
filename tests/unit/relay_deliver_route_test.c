/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who leaves by which pool, and from which address. */
#include "relay/deliver/route.h"
#include "tests/unit/cmocka.h"

#include <string.h>

/* The two look-ups of config.c are all that route.c needs of it. */
static char *acme_only[] = {"acme"}, *yahoo[] = {"yahoo.example", "ymail.example"};
static char *picky[] = {"picky.example"};
static struct addr certified_sources[1], shared_sources[3], many_sources[2];
static struct config_pool pools[] = {
	{.name = "certified",
	 .members = {acme_only, 1},
	 .sources = certified_sources,
	 .source_count = 1,
	 .host_name = "c.example"},
	{.name = "many", .sources = many_sources, .source_count = 2, .host_name = ""},
	{.name = "shared", .sources = shared_sources, .source_count = 3, .host_name = ""},
};
static struct config_route routes[] = {
	{.name = "a", .domains = {yahoo, 2}, .pool = "certified"},
	{.name = "b", .domains = {picky, 1}, .pool = "many"},
};
static struct relay_config config = {.host_name = "relay.example",
				     .pools = pools,
				     .pool_count = 3,
				     .routes = routes,
				     .route_count = 2};

static const char *chosen(const char *account, const char *own, const char *domain)
{
	const struct config_pool *p = route_pool(&config, account, own, domain);

	return p ? p->name : "";
}

static void an_account_leaves_by_its_own_pool(void **state)
{
	(void)state;
	assert_string_equal(chosen("acme", "certified", "anything.example"), "certified");
	assert_string_equal(chosen("beta", "many", "yahoo.example"), "many");
}

static void a_route_leads_members_into_their_club_and_nobody_else(void **state)
{
	(void)state;
	assert_string_equal(chosen("acme", "", "yahoo.example"), "certified");
	assert_string_equal(chosen("acme", "", "ymail.example"), "certified");
	assert_string_equal(chosen("beta", "", "yahoo.example"), "shared");
	/* Not even one whose envelope says so. */
	assert_string_equal(chosen("beta", "certified", "yahoo.example"), "shared");
	assert_string_equal(chosen("beta", "", "picky.example"), "many");
}

static void what_no_route_names_leaves_by_the_open_pool(void **state)
{
	(void)state;
	assert_string_equal(chosen("acme", "", "else.example"), "shared");
	assert_string_equal(chosen("beta", "gone", "else.example"), "shared");
	pools[1].name = "default";
	assert_string_equal(chosen("beta", "", "else.example"), "default");
	pools[1].name = "many";
	config.pool_count = 1;
	assert_string_equal(chosen("beta", "", "else.example"), "");
	config.pool_count = 3;
}

static void the_helo_name_is_the_pools_or_the_relays(void **state)
{
	(void)state;
	assert_string_equal(route_host_name(&config, &pools[0]), "c.example");
	assert_string_equal(route_host_name(&config, &pools[2]), "relay.example");
	assert_string_equal(route_host_name(&config, NULL), "relay.example");
}

static void a_source_may_have_a_helo_name_of_its_own(void **state)
{
	struct config_helo helo = {.host_name = "out5.example"};
	struct config_pool pool = {
		.name = "p", .host_name = "out.example", .helos = &helo, .helo_count = 1};
	struct addr other, none = {0};

	(void)state;
	assert_true(addr_parse("203.0.113.5", &helo.source));
	assert_true(addr_parse("203.0.113.6", &other));
	assert_string_equal(route_helo(&config, &pool, &helo.source), "out5.example");
	assert_string_equal(route_helo(&config, &pool, &other), "out.example");
	assert_string_equal(route_helo(&config, &pool, &none), "out.example");
	assert_string_equal(route_helo(&config, NULL, &other), "relay.example");
}

static void addresses_are_chosen_within_the_family(void **state)
{
	struct addr a;
	char text[ADDR_STR_MAX];

	(void)state;
	addr_parse("192.0.2.1", &shared_sources[0]);
	addr_parse("2001:db8::1", &shared_sources[1]);
	addr_parse("192.0.2.2", &shared_sources[2]);
	addr_parse("192.0.2.9", &certified_sources[0]);
	assert_true(route_source(&pools[2], AF_INET, 0, &a));
	assert_string_equal(addr_format(&a, text), "192.0.2.1");
	assert_true(route_source(&pools[2], AF_INET, 3, &a));
	assert_string_equal(addr_format(&a, text), "192.0.2.2");
	assert_true(route_source(&pools[2], AF_INET6, 3, &a));
	assert_string_equal(addr_format(&a, text), "2001:db8::1");
	assert_false(route_source(&pools[0], AF_INET6, 0, &a));
	assert_true(route_source(NULL, AF_INET6, 0, &a));
	assert_int_equal(a.family, AF_UNSPEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_account_leaves_by_its_own_pool),
		cmocka_unit_test(a_route_leads_members_into_their_club_and_nobody_else),
		cmocka_unit_test(what_no_route_names_leaves_by_the_open_pool),
		cmocka_unit_test(the_helo_name_is_the_pools_or_the_relays),
		cmocka_unit_test(a_source_may_have_a_helo_name_of_its_own),
		cmocka_unit_test(addresses_are_chosen_within_the_family),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
