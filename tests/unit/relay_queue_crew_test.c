/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whose mail a worker makes: an account's own workers serve it alone, and nobody is left out. */
#include "relay/queue/crew.h"
#include "relay/queue/mails.h"
#include "tests/unit/cmocka.h"

#include <stdlib.h>
#include <string.h>

static struct config_account accounts[] = {
	{.name = "big", .weight = 10},
	{.name = "small", .weight = 10},
	{.name = "vast", .weight = 10},
};
static struct relay_config config = {.accounts = accounts, .account_count = 3};
static struct process process = {.config = &config};

static void reload(unsigned big, unsigned vast)
{
	scheduler.process = &process;
	accounts[0].workers = big;
	accounts[2].workers = vast;
	crews_reload(&config);
}

static void workers_up(size_t count)
{
	scheduler.worker_count = count;
	crews_assign();
}

static unsigned serving(const char *account)
{
	const struct crew *crew = crew_of(account_named(account));
	unsigned n = 0;

	for (size_t i = 0; i < scheduler.worker_count; i++)
		n += scheduler.workers[i].crew == crew;
	return n;
}

static struct body *want(const char *account)
{
	struct body *b = calloc(1, sizeof(*b));
	struct account *a = account_named(account);

	assert_non_null(b);
	b->crew = crew_of(a);
	share_want(&b->crew->memory, &b->want, a->number, a->weight, 5000);
	return b;
}

static void give_back(struct body *b)
{
	share_return(&b->crew->memory, b->want.account, b->want.units);
	free(b);
}

/* What the workers find, one after the other. */
static struct body *found_by(size_t worker)
{
	return crew_next(&scheduler.workers[worker]);
}

static void own_workers_serve_their_account_alone(void **state)
{
	(void)state;
	reload(2, 0);
	workers_up(4);
	assert_int_equal(serving("big"), 2);
	assert_int_equal(serving("small"), 2);
	assert_ptr_equal(crew_of(account_named("vast")), crew_of(account_named("small")));

	struct body *b = want("big"), *s = want("small");
	size_t own = scheduler.workers[3].crew == b->crew ? 3 : 0, shared = 3 - own;
	assert_ptr_equal(found_by(shared), s);
	assert_null(found_by(shared));
	assert_ptr_equal(found_by(own), b);
	assert_null(found_by(own));
	give_back(b);
	give_back(s);
}

static void one_worker_is_everybodys_whoever_wants_it(void **state)
{
	(void)state;
	reload(2, 16);
	workers_up(3);
	assert_int_equal(serving("small"), 1);
	assert_int_equal(serving("big") + serving("vast"), 2);
	workers_up(1);
	assert_int_equal(serving("small"), 1);
	assert_int_equal(serving("big") + serving("vast"), 0);
}

static void who_has_no_worker_is_served_by_everybodys(void **state)
{
	(void)state;
	reload(2, 0);
	workers_up(1);
	struct body *b = want("big");
	assert_ptr_equal(found_by(0), b);
	give_back(b);
}

static void what_waits_is_served_when_its_workers_are_taken_away(void **state)
{
	(void)state;
	reload(1, 0);
	workers_up(2);
	struct body *b = want("big");
	reload(0, 0);
	assert_int_equal(serving("big"), 2);
	assert_ptr_equal(found_by(0), b);
	give_back(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(own_workers_serve_their_account_alone),
		cmocka_unit_test(one_worker_is_everybodys_whoever_wants_it),
		cmocka_unit_test(who_has_no_worker_is_served_by_everybodys),
		cmocka_unit_test(what_waits_is_served_when_its_workers_are_taken_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
