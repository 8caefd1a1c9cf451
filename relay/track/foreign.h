/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Signatures that a message carries already, and whose they are (DESIGN §7.6).
 */
#ifndef GATEPOST_RELAY_TRACK_FOREIGN_H
#define GATEPOST_RELAY_TRACK_FOREIGN_H

#include "lib/buf.h"
#include "relay/mime/field.h"

#include <stddef.h>

enum signature_kind {
	SIGNATURE_NONE,    /* the field is none */
	SIGNATURE_OWN,     /* DKIM-Signature or DomainKey-Signature of a domain whose key we hold */
	SIGNATURE_FOREIGN, /* of another domain, or an ARC set's */
};

/* domain: appended what d= says, or "ARC". */
enum signature_kind signature_of(const char *bytes, const struct mime_field *f,
				 const char *const *own_domains, size_t own_count,
				 struct buf *domain);

#endif
