/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What can be set about the LAN port: its address, and whether it hands out one to the laptop.
 *
 * Both live in a file of their own (/config/system/lan-port), outside the candidate configuration,
 * so that no commit and no rollback ever changes how the box is reached from the laptop:
 *
 *	address 192.168.77.1/24
 *	dhcp on
 *
 * An empty line or one that begins with # says nothing. A setting that is not there has the value
 * shown. A line that cannot be used is named, and leaves its setting as it was: a slip in this file
 * must not be what locks the laptop out.
 */
#ifndef GATEPOST_LIB_LANPORT_H
#define GATEPOST_LIB_LANPORT_H

#include "lib/addr.h"
#include "lib/buf.h"

struct lanport {
	struct prefix address; /* IPv4, host bits kept; room for the laptop's beside it */
	bool dhcp;
};

#define LANPORT_FILE_MAX ((size_t)4096) /* bytes of the file */

void lanport_default(struct lanport *s);

/* An IPv4 address that a port can have, with a length of 8 to 30. */
bool lanport_address(const char *text, struct prefix *out);

/* Applies each line of text to *s. False when some could not be used: error names each. */
bool lanport_parse(struct lanport *s, const char *text, struct buf *error);

/* The file that says s. */
void lanport_print(const struct lanport *s, struct buf *out);

#endif
