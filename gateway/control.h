/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The control socket: a Unix stream, one JSON object a line in, one or more a line out (verbs.h).
 *
 * Who asks is told by the kernel (SO_PEERCRED): root, the daemon's own user and members of the
 * group "admin" administer, everybody else who may open the socket reads. One request of a
 * connection is answered before its next is looked at.
 */
#ifndef GATEPOST_GATEWAY_CONTROL_H
#define GATEPOST_GATEWAY_CONTROL_H

#include "gateway/verbs.h"

#include <ev.h>

struct gate_control;

/* loop is the default one; gate must outlive it. NULL with the reason in error. */
struct gate_control *gate_control_open(struct ev_loop *loop, const char *path, struct gate *gate,
				       struct buf *error);
void gate_control_close(struct gate_control *c);

#endif
