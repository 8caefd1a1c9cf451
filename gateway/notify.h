/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Telling people outside of the box about alarms: a mail through the box's own relay, and a POST of
 * JSON to each webhook of `system alarms`.
 *
 * It happens in a process of its own, which gatepostd does not wait for and which ends within
 * NOTIFY_MAX_S; each receiver is tried NOTIFY_TRIES times. What fails is logged. https demands a
 * certificate that holds.
 *
 *	{"host":"gw1","time":1795480000,"subject":"disk nearly full /config","text":"..."}
 */
#ifndef GATEPOST_GATEWAY_NOTIFY_H
#define GATEPOST_GATEWAY_NOTIFY_H

#include "lib/buf.h"

#include <ev.h>
#include <libyang/libyang.h>
#include <stdbool.h>
#include <stdint.h>

enum { NOTIFY_TRIES = 3, NOTIFY_MAX_S = 180 };

/* conf: who is to be told; nothing happens where it names nobody. */
void notify(struct ev_loop *loop, const struct lyd_node *conf, const char *subject,
	    const char *text);

/* ---- pure parts ---- */

/* RFC 5322, lines ending in CRLF, dots doubled (RFC 5321 §4.5.2). when: since 1970. */
void notify_letter(const char *host, const char *from, const struct lyd_node *alarms,
		   const char *subject, const char *text, int64_t when, struct buf *out);
/* "https://HOST[:PORT]/PATH" taken apart; false when it is none. */
struct notify_url {
	bool tls;
	char host[256], port[8], path[1024];
};
bool notify_url(const char *text, struct notify_url *out);

#endif
