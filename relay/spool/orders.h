/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The orders: what deliver has to know after a restart beside the mail (queue/orders.h), as bytes
 * that mean nothing here. One small file in the working directory, replaced as a whole.
 */
#ifndef GATEPOST_RELAY_SPOOL_ORDERS_H
#define GATEPOST_RELAY_SPOOL_ORDERS_H

#include "lib/buf.h"

#include <stdbool.h>
#include <stddef.h>

/* Appends what was written last; nothing when there is none, or it is damaged (logged). */
void spool_orders_read(struct buf *out);
/* On the disk when true; else the old ones still are, and errno says why. */
bool spool_orders_write(const void *bytes, size_t n);

#endif
