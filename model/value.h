/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One value of one leaf: is it right, and if not, what would be.
 *
 * libyang checks the type (pattern, range, length); the rules here go on where a pattern cannot:
 * an IPv6 address that is one, no host bits in a network, ports in range and in order.
 */
#ifndef GATEPOST_MODEL_VALUE_H
#define GATEPOST_MODEL_VALUE_H

#include "lib/buf.h"

#include <libyang/libyang.h>
#include <stdbool.h>

/* The value's meaning, where other rooms need to know it. */
enum value_kind {
	VALUE_OTHER,
	VALUE_IP,                /* one address */
	VALUE_PREFIX,            /* a network */
	VALUE_INTERFACE_ADDRESS, /* an address with its network's length */
	VALUE_ENDPOINT,          /* any, prefix, address or name */
	VALUE_PORTS,
};
enum value_kind value_kind(const struct lysc_node *term);

/* True when text is right for the leaf; else the reason (without the text) is appended to why. */
bool value_check(const struct lysc_node *term, const char *text, struct buf *why);
/* Only the rules beyond the type, for a value that libyang has accepted already. */
bool value_check_meaning(const struct lysc_node *term, const char *text, struct buf *why);

/* "a number from 1 to 4094", "an address (192.0.2.1 or 2001:db8::1)", ...: for help and errors. */
void value_describe(const struct lysc_node *term, struct buf *out);

#endif
