/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The process spool: the only writer of the spool (role spool_role, process.h).
 *
 * A batch is whatever came while the one before was being synced: the loop stands still during a
 * sync, so under load batches grow by themselves, and an idle relay keeps each message at once.
 * SUBMITTED is said when the batch is on the disk. A batch takes along the progress that waits;
 * progress alone waits a little for company:
 */
#ifndef GATEPOST_RELAY_SPOOL_SPOOL_H
#define GATEPOST_RELAY_SPOOL_SPOOL_H

/* A batch is committed at the latest with so many messages and changes, or bytes of bodies. */
#define SPOOL_BATCH_MAX       1024
#define SPOOL_BATCH_BYTES_MAX ((size_t)4 * 1024 * 1024)

/*
 * Progress is committed at the latest so long after it came, or once so much of it waits. This, and
 * what comes in during one sync, is what a failing box may deliver a second time (DESIGN §7.1);
 * deliver leaves at most so many unanswered (UNCONFIRMED_MAX, queue/scheduler.h).
 */
#define SPOOL_PROGRESS_MS  50
#define SPOOL_PROGRESS_MAX 500

/* After a commit of progress failed it is tried again so often, apart from new mail. */
#define SPOOL_RETRY_MS 1000

#endif
