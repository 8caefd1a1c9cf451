/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What differs between two configs, for people:
 *
 *	[servers web1]
 *	-   address 203.0.113.10;
 *	+   address 203.0.113.11;
 *	[servers]
 *	+   web9 {
 *	+       address 203.0.113.19;
 *	+   }
 *
 * Order counts only where the schema says that it means something. Comments do not count.
 */
#ifndef GATEPOST_MODEL_COMPARE_H
#define GATEPOST_MODEL_COMPARE_H

#include "lib/buf.h"
#include "model/model.h"

#include <stdbool.h>

/* Appends what has to change in before to get after; false, and nothing, when they are the same. */
bool compare_print(const struct lyd_node *before, const struct lyd_node *after, bool hide_secrets,
		   struct buf *out);

#endif
