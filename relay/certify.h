/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The certificate that the relay shows: judged before it takes another's place, and described.
 *
 * It must name the relay's host name and, where links begin with https, every tracking host; and
 * the clock must lie between its dates. What fails that is refused when it is new. What is in force
 * already stays in force however old it grows, and so does what stands there at a start: the clock
 * may be wrong then, and mail goes on in any case. Both are told.
 */
#ifndef GATEPOST_RELAY_CERTIFY_H
#define GATEPOST_RELAY_CERTIFY_H

#include "lib/buf.h"
#include "relay/config.h"
#include "relay/slice.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum { CERTIFY_EXPIRY_DAYS = 14 }; /* before it expires, an alarm is given */

/* Every fault of the chain that the config names, a line each in error. One that the relay made
 * for itself is always good enough. s holds a chain and a key that fit each other. */
bool certify(const struct relay_config *c, const struct slice_secrets *s, int64_t now_s,
	     struct buf *error);

/* The same of the files themselves, before anything is loaded. */
bool certify_files(const struct relay_config *c, int64_t now_s, struct buf *error);

/* The same certificate for the same names? Then what certify() says is no reason to refuse. */
bool certify_is_unchanged(const struct relay_config *a, const struct slice_secrets *sa,
			  const struct relay_config *b, const struct slice_secrets *sb);

/* What people should know of it: {"names", "issuer", "valid-from", "expires", "days-left", "file"},
 * and "alarm" when something is wrong or soon will be. */
json_t *certify_status(const struct relay_config *c, const struct slice_secrets *s, int64_t now_s);

/* A row for the relay's alarms {"alarm", "subject", "says", "mend"} when a configured certificate
 * does not fit, has expired or soon will; NULL when all is well. */
json_t *certify_alarm(const struct relay_config *c, const struct slice_secrets *s, int64_t now_s);

#endif
