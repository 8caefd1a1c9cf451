/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/queue/ledger.h"

#include "lib/log.h"

#include <stdlib.h>

struct entry {
	struct entry *next;
	struct mail *mail;
	uint64_t id; /* of the message that carried it */
	struct buf payload;
};

struct list {
	struct entry *head, **tail;
	size_t count, bytes;
	uint64_t last_id;
};

static struct list progresses = {.tail = &progresses.head};
static struct list events = {.tail = &events.head};
static size_t events_dropped;

static struct entry *list_add(struct list *l, struct mail *m)
{
	struct entry *e = calloc(1, sizeof(*e));

	if (!e)
		abort();
	e->mail = m;
	e->id = ++l->last_id;
	*l->tail = e;
	l->tail = &e->next;
	l->count++;
	return e;
}

static void list_drop(struct list *l, struct entry **link)
{
	struct entry *e = *link;

	*link = e->next;
	if (!e->next)
		l->tail = link;
	l->count--;
	l->bytes -= e->payload.len;
	buf_free(&e->payload);
	free(e);
}

/* --- progress --- */

void ledger_progress(struct mail *m, const struct progress_item *items, size_t count)
{
	const struct progress p = {
		.message = m->id, .items = (struct progress_item *)items, .count = count};
	struct entry *e = list_add(&progresses, m);

	progress_encode(&p, &e->payload);
	progresses.bytes += e->payload.len;
	m->unconfirmed++;
	if (!scheduler.spool)
		return;
	/* The last ones before the bound have somebody waiting for them. */
	if (progresses.count > UNCONFIRMED_MAX / 2)
		channel_send(scheduler.spool, MSG_PROGRESS, e->id, &e->payload, -1);
	else
		channel_send_later(scheduler.spool, MSG_PROGRESS, e->id, &e->payload);
}

struct mail *ledger_confirmed(uint64_t id)
{
	/* In order, but for what a restart mixed up: the first one as a rule. */
	for (struct entry **link = &progresses.head; *link; link = &(*link)->next) {
		struct mail *m = (*link)->mail;

		if ((*link)->id != id)
			continue;
		list_drop(&progresses, link);
		m->unconfirmed--;
		return m;
	}
	return NULL;
}

size_t ledger_unconfirmed(void)
{
	return progresses.count;
}

void ledger_spool_up(void)
{
	for (const struct entry *e = progresses.head; e; e = e->next)
		channel_send(scheduler.spool, MSG_PROGRESS, e->id, &e->payload, -1);
}

/* --- events --- */

static void make_room(void)
{
	while (events.bytes > LEDGER_EVENT_BYTES) {
		list_drop(&events, &events.head);
		if (events_dropped++ % 1000 == 0)
			log_error("report is away or slow: %zu events were dropped so far",
				  events_dropped);
	}
}

void ledger_event(const struct event *event)
{
	struct entry *e = list_add(&events, NULL);

	event_encode(event, &e->payload);
	events.bytes += e->payload.len;
	if (scheduler.report)
		channel_send_later(scheduler.report, MSG_EVENT, e->id, &e->payload);
	make_room();
}

void ledger_events_kept(uint64_t id)
{
	while (events.head && events.head->id <= id)
		list_drop(&events, &events.head);
}

/* A new channel counts from 1 again. */
void ledger_report_up(void)
{
	events.last_id = 0;
	for (struct entry *e = events.head; e; e = e->next) {
		e->id = ++events.last_id;
		channel_send(scheduler.report, MSG_EVENT, e->id, &e->payload, -1);
	}
}

size_t ledger_events(void)
{
	return events.count;
}
