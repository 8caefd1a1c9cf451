/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every address in a config, found by its leaf's type in the schema and not by its looks: what a
 * move has to change.
 */
#ifndef GATEPOST_MODEL_LEAVES_H
#define GATEPOST_MODEL_LEAVES_H

#include "lib/addr.h"
#include "model/value.h"

#include <libyang/libyang.h>

/*
 * leaf is a leaf or a leaf-list's value of the types ip, prefix, interface-address or endpoint;
 * an address alone has its full length in value. An endpoint that is "any" or a name is no address
 * and is not visited.
 */
typedef void (*leaves_visit)(const struct lyd_node *leaf, enum value_kind kind,
			     const struct prefix *value, void *arg);

/* In the order of the tree. The visitor must not change it. */
void leaves_addresses(const struct lyd_node *conf, leaves_visit visit, void *arg);

#endif
