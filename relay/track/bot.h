/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who fetched a pixel or followed a link: a person, or a machine on the way to one?
 *
 * Nobody can know. A table of what is known of mail clients, image proxies and link scanners is
 * gone through from the top, the first row that fits decides, and its reason is kept beside the
 * class, so that who reads the log can judge for himself. Nothing is refused for its class.
 */
#ifndef GATEPOST_RELAY_TRACK_BOT_H
#define GATEPOST_RELAY_TRACK_BOT_H

#include "lib/addr.h"
#include "relay/http/request.h"

#include <stdbool.h>
#include <stdint.h>

/* The numbers lie in the journal (event.hit_class). */
enum hit_class {
	HIT_UNKNOWN,
	HIT_PERSON,
	HIT_PROXY,    /* fetched by the mailbox provider when a person opened it */
	HIT_PREFETCH, /* fetched ahead of a person who may never open it */
	HIT_SCANNER,
};

struct hit {
	bool head; /* the request was a HEAD */
	struct http_slice user_agent;
	struct http_slice purpose; /* Sec-Purpose, Purpose, X-Purpose or X-Moz */
	struct addr client;
	int64_t age_s; /* since the message was accepted; negative when it is not known */
};

/* *reason: static text. */
enum hit_class hit_classify(const struct hit *h, const char **reason);
const char *hit_class_name(uint8_t c); /* "person"; "unknown" for any other number */

#endif
