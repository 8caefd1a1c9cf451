/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Events on their way to the journal (MSG_EVENT): kept until report says that they are in it, sent
 * again when report was restarted meanwhile. Bounded: what a dead report makes pile up is dropped,
 * oldest first, and the log says how much; to a slow one no more is sent than it takes.
 */
#ifndef GATEPOST_RELAY_SMTP_OUTBOX_H
#define GATEPOST_RELAY_SMTP_OUTBOX_H

#include "relay/channel.h"
#include "relay/report/event.h"

#include <stddef.h>
#include <stdint.h>

enum {
	OUTBOX_BYTES_MAX = 8 * 1024 * 1024,
	OUTBOX_BACKLOG_MAX = 256 * 1024, /* on the channel */
};

struct outbox {
	struct outbox_event *first, *last;
	struct outbox_event *unsent; /* the first one that report was not given; NULL for none */
	size_t bytes;
	uint64_t sent_id; /* the last one given */
	uint64_t lost;    /* since the log last said so */
	struct channel *report;
};

void outbox_put(struct outbox *o, const struct event *e);
/* MSG_EVENT_KEPT */
void outbox_kept(struct outbox *o, uint64_t id);
/* A new report, which gets all that the old one did not say it kept; NULL: it is gone. */
void outbox_connect(struct outbox *o, struct channel *report);
void outbox_free(struct outbox *o);

#endif
