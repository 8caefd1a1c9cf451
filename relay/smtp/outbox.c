/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/smtp/outbox.h"

#include "lib/log.h"
#include "relay/messages.h"

#include <inttypes.h>
#include <stdlib.h>

struct outbox_event {
	struct outbox_event *next;
	uint64_t id;
	struct buf bytes;
};

static void drop_first(struct outbox *o)
{
	struct outbox_event *e = o->first;

	o->first = e->next;
	if (!o->first)
		o->last = NULL;
	if (o->unsent == e)
		o->unsent = e->next;
	o->bytes -= e->bytes.len;
	buf_free(&e->bytes);
	free(e);
}

static void send_events(struct outbox *o)
{
	while (o->report && o->unsent && channel_backlog(o->report) < OUTBOX_BACKLOG_MAX) {
		channel_send_later(o->report, MSG_EVENT, o->unsent->id, &o->unsent->bytes);
		o->unsent = o->unsent->next;
	}
}

void outbox_put(struct outbox *o, const struct event *event)
{
	struct outbox_event *e = calloc(1, sizeof(*e));

	if (!e)
		abort();
	event_encode(event, &e->bytes);
	e->id = ++o->sent_id;
	if (o->last)
		o->last->next = e;
	else
		o->first = e;
	o->last = e;
	if (!o->unsent)
		o->unsent = e;
	o->bytes += e->bytes.len;
	while (o->bytes > OUTBOX_BYTES_MAX && o->first != e) {
		if (o->lost++ == 0)
			log_warn("events are lost: report does not take them");
		drop_first(o);
	}
	send_events(o);
}

void outbox_kept(struct outbox *o, uint64_t id)
{
	while (o->first && o->first->id <= id)
		drop_first(o);
	if (o->lost && !o->first) {
		log_warn("%" PRIu64 " events were lost", o->lost);
		o->lost = 0;
	}
	send_events(o);
}

void outbox_connect(struct outbox *o, struct channel *report)
{
	o->report = report;
	o->unsent = o->first;
	send_events(o);
}

void outbox_free(struct outbox *o)
{
	while (o->first)
		drop_first(o);
}
