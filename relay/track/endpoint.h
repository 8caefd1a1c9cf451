/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a request to the tracking host gets: the pixel, a redirect, or nothing worth knowing.
 *
 * A pure decision. A token that is too old, or whose account, message or target's domain was shut
 * off, is nothing. Only a token that our own keys sealed for the very host that was asked leads
 * anywhere; the address it leads to comes out of the token byte for byte. Everything else is one
 * and the same 404, whatever was wrong with it: there is no parameter that names a target, so
 * there is no open redirect. A redirect is a 302: a 307 would send a form's content along.
 *
 * HEAD is answered like GET, without the body, and marked as what no reader's program does.
 *
 * /u/TOKEN is RFC 8058's: a POST that says List-Unsubscribe=One-Click unsubscribes, at any age. A
 * GET does not, for scanners follow every link: it shows a page with a button that does.
 */
#ifndef GATEPOST_RELAY_TRACK_ENDPOINT_H
#define GATEPOST_RELAY_TRACK_ENDPOINT_H

#include "relay/http/request.h"
#include "relay/http/response.h"
#include "relay/report/event.h"
#include "relay/track/shut.h"
#include "relay/track/token.h"

#include <stdbool.h>
#include <stdint.h>

enum { ENDPOINT_AGENT_MAX = 512 }; /* bytes of a User-Agent that are kept */

struct endpoint_answer {
	struct http_response response; /* its location points into token */
	bool hit;                      /* event is to be kept before the response is sent */
	bool must_be_kept;             /* else the response may not be sent */
	struct event event;
	struct token token;
	char agent[ENDPOINT_AGENT_MAX + 1];
};

struct endpoint_rules {
	struct token_ring *ring;      /* NULL: there are no keys */
	const struct shut_list *shut; /* NULL: nothing */
	uint32_t expire_days;         /* after the message was accepted; 0: never */
};

/*
 * now_ms: wall clock. The strings of a->event are a's own or static: it is not to be cleared, and a
 * must stay where it is.
 */
void endpoint_decide(const struct endpoint_rules *rules, const struct http_request *r,
		     const struct addr *client, uint64_t now_ms, struct endpoint_answer *a);

#endif
