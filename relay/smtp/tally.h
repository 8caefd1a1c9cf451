/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How many there are of each name: connections by account, connections by source. A name that has
 * gone back to none takes no room.
 */
#ifndef GATEPOST_RELAY_SMTP_TALLY_H
#define GATEPOST_RELAY_SMTP_TALLY_H

#include <stddef.h>

enum { TALLY_NAME_MAX = 63 };

struct tally {
	struct tally_entry **buckets;
	size_t bucket_count, entries;
};

unsigned tally_count(const struct tally *t, const char *name);
void tally_add(struct tally *t, const char *name);
void tally_drop(struct tally *t, const char *name);
void tally_free(struct tally *t);

#endif
