/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/queue/crew.h"

#include "relay/queue/mails.h"

#include <stdlib.h>
#include <string.h>

static struct crew shared;
static struct crew *own; /* those of accounts */

static struct crew *find(const char *account)
{
	struct crew *crew = own;

	while (crew && strcmp(crew->account, account) != 0)
		crew = crew->next;
	return crew;
}

static struct crew *add(const char *account)
{
	struct crew *crew = calloc(1, sizeof(*crew));

	if (!crew || !(crew->account = strdup(account)))
		abort();
	share_init(&crew->memory, OWN_BODIES_BYTES, false);
	crew->next = own;
	own = crew;
	return crew;
}

void crews_reload(const struct relay_config *c)
{
	if (!shared.memory.total)
		share_init(&shared.memory, BODIES_BYTES, false);
	for (struct crew *crew = own; crew; crew = crew->next)
		crew->wanted = 0;
	for (size_t i = 0; i < c->account_count; i++) {
		const struct config_account *a = &c->accounts[i];
		struct crew *crew = find(a->name);

		if (!crew && a->workers)
			crew = add(a->name);
		if (crew)
			crew->wanted = a->workers;
	}
	for (struct account *a = NULL; (a = account_next(a));)
		a->crew = NULL;
	crews_assign();
}

/* One worker is everybody's in any case. */
void crews_assign(void)
{
	size_t next = scheduler.worker_count;

	for (struct crew *crew = own; crew; crew = crew->next) {
		crew->workers = 0;
		while (crew->workers < crew->wanted && next > 1) {
			scheduler.workers[--next].crew = crew;
			crew->workers++;
		}
	}
	shared.workers = (unsigned)next;
	while (next)
		scheduler.workers[--next].crew = &shared;
}

struct crew *crew_of(struct account *a)
{
	if (!a->crew)
		a->crew = find(a->name);
	if (!a->crew || !a->crew->wanted)
		a->crew = &shared;
	return a->crew;
}

struct body *crew_next(const struct worker *w)
{
	struct share_item *item = share_next(&w->crew->memory);

	if (w->crew == &shared)
		for (struct crew *crew = own; !item && crew; crew = crew->next)
			item = crew->workers ? NULL : share_next(&crew->memory);
	return (struct body *)item; /* its wish is its first member */
}
