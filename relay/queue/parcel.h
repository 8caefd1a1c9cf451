/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Parcels: made from a mail, moved from state to state, settled by what a peer said.
 */
#ifndef GATEPOST_RELAY_QUEUE_PARCEL_H
#define GATEPOST_RELAY_QUEUE_PARCEL_H

#include "relay/queue/scheduler.h"

/*
 * Puts the waiting recipients of a new mail into parcels and sets those going: one for each
 * destination, or one for each recipient where each gets bytes of its own.
 */
void parcels_make(struct mail *m);

/* Waits for its time: the earliest of its recipients'. */
void parcel_wait(struct parcel *p);
/* Its time has come: into its destination's queue; or put off at once when that is down. */
void parcel_ready(struct parcel *p);
/* Back into the queue, before its account's others: it was taken and not tried. */
void parcel_again(struct parcel *p);
/* Takes it out of where it waits. Not while SENDING. */
void parcel_detach(struct parcel *p);
/* Detaches it and forgets it. */
void parcel_free(struct parcel *p);

/* All parcels whose time has come. */
void parcels_due(void);

/* What became of the whole parcel without a transaction of its own. host: who said it, "" for us;
 * peer: for the log. */
void parcel_put_off(struct parcel *p, const char *reply, const char *host, const char *peer);
void parcel_refuse(struct parcel *p, const char *reply, const char *host, const char *peer);

/* What became of each recipient, in the order of the chain. peer_reports: it tells success.  p is
 * gone, or waits again. */
void parcel_settle(struct parcel *p, const struct envelope *e, const struct client_result *results,
		   const char *host, const char *peer, bool peer_reports);

/* An administrator's verbs; not while SENDING. Removed mail is gone without a report. */
void parcel_remove(struct parcel *p);
void parcel_hold(struct parcel *p);
void parcel_release(struct parcel *p);
void parcel_retry(struct parcel *p); /* now */

/* A recipient's end, once its sender was told or need not be: PROGRESS, and the mail's end. */
void rcpt_failed(struct mail *m, const uint32_t *recipients, size_t count);

/* Frees a mail of which nothing is left to do or to confirm. */
void mail_check(struct mail *m);

#endif
