/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A delivery report as a message to submit: dsn.h's text, and the envelope around it.
 *
 * The original's header is read from its segment, so the segments are kept track of here.
 */
#ifndef GATEPOST_RELAY_QUEUE_NOTICE_H
#define GATEPOST_RELAY_QUEUE_NOTICE_H

#include "relay/deliver/dsn.h"
#include "relay/queue/scheduler.h"

struct notice_about {
	uint32_t recipient; /* its reply is in the mail */
	char *host;         /* who said it, "" for us */
};

/*
 * Appends the report's encoded envelope to payload and gives a descriptor on its text; -1 with
 * errno set when there is no memory for it.
 */
int notice_make(const struct mail *m, enum dsn_action action, const struct notice_about *about,
		size_t count, struct buf *payload);

void notice_segment(const struct message *m);
void notice_segment_gone(const struct message *m);

#endif
