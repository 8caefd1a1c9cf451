/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One question to the relay's control socket, handed on for the CLI: a JSON object on a line, one
 * back. The daemon's loop goes on meanwhile; a relay that does not answer costs its asker alone.
 */
#ifndef GATEPOST_GATEWAY_RELAY_CALL_H
#define GATEPOST_GATEWAY_RELAY_CALL_H

#include <ev.h>
#include <jansson.h>

#define RELAY_CALL_TIMEOUT_S  10.0
#define RELAY_CALL_ANSWER_MAX ((size_t)16 << 20) /* bytes */

struct relay_call;

/* Called once, never from within relay_call_start(); the answer is the callee's. The call is gone
 * when it returns. */
typedef void (*relay_call_done)(void *arg, json_t *answer);

/* Never NULL: what goes wrong is an answer too, {"ok":false,"error":...}. */
struct relay_call *relay_call_start(struct ev_loop *loop, const char *path, const json_t *request,
				    relay_call_done done, void *arg);
/* Nobody waits any more. */
void relay_call_cancel(struct relay_call *call);

#endif
