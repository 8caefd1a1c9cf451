/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The queue's verbs of the control socket (control.h): what is there, and an administrator's hand.
 *
 *	{"verb":"queue"}      counts by account and by destination, with the oldest of each
 *	{"verb":"queue", "list": 100}   and so many messages; WHICH narrows them down
 *	{"verb":"show", "message":"ID"} one message and each of its recipients
 *	{"verb":"retry"|"hold"|"release"|"remove", WHICH}   "changed": how many recipients
 *	{"verb":"pause"|"resume", "account":"NAME"|"destination":"DOMAIN", "reason":"why"}
 *	                      orders that outlive a restart (orders.h)
 *	{"verb":"drain"}      no new mail, what is there goes; {"end": true}: new mail again
 *	{"verb":"alarms"}     what is wrong, and what to do
 *
 * WHICH is any of "message":"ID", "account":"NAME", "destination":"DOMAIN"; all that are given must
 * fit. What is just being sent is left alone. "all": true stands for everything.
 */
#ifndef GATEPOST_RELAY_QUEUE_VERBS_H
#define GATEPOST_RELAY_QUEUE_VERBS_H

#include "lib/buf.h"

#include <stddef.h>

/* Appends the answer to one JSON line. */
void verbs_answer(const char *line, size_t n, struct buf *out);

#endif
