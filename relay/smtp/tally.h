/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How much there is of each name: connections by account and by source, bytes by account. A name
 * that has gone back to nothing takes no room.
 */
#ifndef GATEPOST_RELAY_SMTP_TALLY_H
#define GATEPOST_RELAY_SMTP_TALLY_H

#include <stddef.h>
#include <stdint.h>

enum { TALLY_NAME_MAX = 63 };

struct tally {
	struct tally_entry **buckets;
	size_t bucket_count, entries;
};

uint64_t tally_of(const struct tally *t, const char *name);
void tally_set(struct tally *t, const char *name, uint64_t amount);
void tally_add(struct tally *t, const char *name, uint64_t amount);
/* At most what is there. */
void tally_take(struct tally *t, const char *name, uint64_t amount);
void tally_free(struct tally *t);

#endif
