/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Programs that look at the site's network for an operator - ping, traceroute, capture - as command
 * lines. Pure: every word comes out of a request that somebody typed, and is checked here.
 */
#ifndef GATEPOST_GATEWAY_TOOL_H
#define GATEPOST_GATEWAY_TOOL_H

#include "lib/buf.h"
#include "model/words.h"

#include <jansson.h>
#include <libyang/libyang.h>
#include <stdbool.h>

/*
 * ping        host [count]
 * traceroute  host
 * capture     [interface] [host] [port] [protocol] [count]   interface: wan, dmz, a device; or any
 *
 * argv is words_free()d by the caller; false with the reason in error.
 */
bool tool_command(const char *verb, const json_t *request, const struct lyd_node *running,
		  struct words *argv, struct buf *error);

#endif
