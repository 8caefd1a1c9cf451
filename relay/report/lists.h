/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What people have said and must outlive every event: who wants no more mail of an account, and
 * what an administrator has shut off (track/shut.h).
 *
 * A file of its own beside the event store's, which may grow old, be trimmed or be set aside;
 * each change is synced before it is told. Who unsubscribed while the disk takes nothing is
 * remembered, and lists_save() tries again.
 */
#ifndef GATEPOST_RELAY_REPORT_LISTS_H
#define GATEPOST_RELAY_REPORT_LISTS_H

#include "relay/track/shut.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum lists_limit {
	LISTS_ADDRESS_MAX = 320, /* bytes */
	LISTS_REASON_MAX = 255,
	LISTS_ROWS_MAX = 1000, /* in one answer */
};

struct lists;

/*
 * path is relative to the working directory, and stays the caller's. A file that is corrupt is put
 * aside under another name, loudly; one that cannot be opened is tried again at each use.
 */
struct lists *lists_open(const char *path);
void lists_close(struct lists *l);
/* A corrupt file was put aside when it was opened: what it held is not known any more. */
bool lists_are_lost(const struct lists *l);

/* LISTS_FAILED: nothing has changed; lists_error() says why. */
enum lists_change { LISTS_NOTHING, LISTS_CHANGED, LISTS_FAILED };
const char *lists_error(const struct lists *l);

/* Who unsubscribed, or was put there by hand. message: 0 for none. */
enum lists_change lists_suppress(struct lists *l, const char *account, const char *address,
				 const char *reason, uint64_t message, uint64_t now_ms);
/* The same, and it cannot fail: what the disk does not take is owed to it. */
enum lists_change lists_suppress_owing(struct lists *l, const char *account, const char *address,
				       const char *reason, uint64_t message, uint64_t now_ms);
enum lists_change lists_allow(struct lists *l, const char *account, const char *address);
void lists_each(struct lists *l, void (*fn)(const char *account, const char *address, void *arg),
		void *arg);
/* [{"account", "address", "reason", "message", "since"}], the newest first; account and address
 * may be NULL for any. *more: there are others. */
json_t *lists_suppressed(struct lists *l, const char *account, const char *address, size_t limit,
			 bool *more);

/* LISTS_NOTHING: it is shut already, or nothing of that name is. */
enum lists_change lists_shut(struct lists *l, enum shut_kind kind, const char *name,
			     const char *reason, uint64_t now_ms);
enum lists_change lists_reopen(struct lists *l, enum shut_kind kind, const char *name);
struct shut_list *lists_shut_list(struct lists *l); /* the caller's */
json_t *lists_shut_rows(struct lists *l);           /* [{"kind", "name", "reason", "since"}] */

/* Many changes as one, synced once; false when the disk does not take them: then there was none. */
void lists_begin(struct lists *l);
bool lists_commit(struct lists *l);

/* True when nothing is owed to the disk any more. */
bool lists_save(struct lists *l);

#endif
