/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The envelope: what the relay knows of a message beside its bytes. accept makes it, spool keeps
 * it, deliver and work read it.
 *
 * What decides how the message leaves (tracking, keys, pool) is pinned here when it is accepted,
 * so that a retry gives the same bytes (DESIGN §7.5).
 */
#ifndef GATEPOST_RELAY_SPOOL_ENVELOPE_H
#define GATEPOST_RELAY_SPOOL_ENVELOPE_H

#include "lib/addr.h"
#include "lib/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In bytes without the final NUL, unless said otherwise. A record over a bound is refused. */
enum envelope_limit {
	ENVELOPE_ADDRESS_MAX = 320, /* RFC 5321 §4.5.3.1: 64 + 1 + 255 */
	ENVELOPE_ENVID_MAX = 100,   /* RFC 3461 §4.4 */
	ENVELOPE_ORCPT_MAX = 500,   /* RFC 3461 §4.2 */
	ENVELOPE_NAME_MAX = 255,    /* account, user, helo, pool, hosts, domain, selector */
	ENVELOPE_SUBJECT_MAX = 256,
	ENVELOPE_MESSAGE_ID_MAX = 998,
	ENVELOPE_LABEL_MAX = 127,       /* campaign; all tags */
	ENVELOPE_RECIPIENTS_MAX = 1000, /* recipients, at least one */
	ENVELOPE_REPLY_MAX = 1024,      /* of a peer's last reply, NUL included; the rest is cut */
	ENVELOPE_BYTES_MAX = 1000 * 1024,
};

/* Bits of envelope.flags. */
enum envelope_flag {
	ENVELOPE_SMTPUTF8 = 1 << 0,     /* RFC 6531 */
	ENVELOPE_8BIT = 1 << 1,         /* the message holds bytes over 127 */
	ENVELOPE_TLS = 1 << 2,          /* it came over TLS */
	ENVELOPE_AUTH = 1 << 3,         /* its client had logged in */
	ENVELOPE_RET_HDRS = 1 << 4,     /* RFC 3461 RET=HDRS; FULL otherwise */
	ENVELOPE_TRACK_OPENS = 1 << 5,  /* as the account stood when it was accepted */
	ENVELOPE_TRACK_CLICKS = 1 << 6, /* HTML */
	ENVELOPE_TRACK_TEXT = 1 << 7,
	ENVELOPE_TRACK_HTTPS = 1 << 8,
	ENVELOPE_DKIM = 1 << 9,
	ENVELOPE_DOMAINKEYS = 1 << 10,
	ENVELOPE_OWN = 1 << 11,           /* made by the relay itself: a bounce */
	ENVELOPE_ONE_CLICK = 1 << 12,     /* RFC 8058, when the message has no List-Unsubscribe */
	ENVELOPE_TRACK_FOREIGN = 1 << 13, /* also where that breaks another domain's signature */
};

enum recipient_state {
	RECIPIENT_WAITING, /* to be tried at next_ms */
	RECIPIENT_DELIVERED,
	RECIPIENT_FAILED, /* bounced, or dropped where a bounce must not be sent */
	RECIPIENT_HELD,   /* by an administrator */
};

/* RFC 3461 §4.1; none given means failure and delay. */
enum recipient_notify {
	NOTIFY_NEVER = 1 << 0,
	NOTIFY_SUCCESS = 1 << 1,
	NOTIFY_FAILURE = 1 << 2,
	NOTIFY_DELAY = 1 << 3,
};

struct recipient {
	char *address; /* without brackets */
	char *orcpt;   /* RFC 3461 ORCPT as given, "" for none */
	uint8_t notify;
	uint8_t state;
	uint32_t attempts;
	uint64_t next_ms; /* wall clock, ms since 1970 */
	char *reply;      /* the last one that a peer gave, "" for none */
};

struct envelope {
	uint64_t id;          /* given by spool; 0 before */
	uint64_t accepted_ms; /* wall clock */
	uint32_t flags;
	char *account;
	char *sender; /* MAIL FROM without brackets, "" for <> */
	char *envid;  /* RFC 3461, "" for none */
	char *user;   /* who logged in, "" for nobody */
	struct addr client;
	char *helo;
	char *header_from; /* the one address of the From field */
	char *subject;     /* decoded (RFC 2047) UTF-8, at most 256 bytes; for the log */
	char *message_id;  /* as in the header, "" for none */
	char *pool;        /* the account's, "" for none */
	char *track_host;
	char *campaign, *tags; /* "" for none; commas between tags */
	uint32_t track_key;
	char *sign_domain; /* "" for no signature */
	char *sign_selector;
	uint64_t size; /* bytes of the message as stored */
	struct recipient *recipients;
	size_t recipient_count;
};

/* Where the recipients' replies would make it larger than ENVELOPE_BYTES_MAX they are cut. */
void envelope_encode(const struct envelope *e, struct buf *out);

/* NULL when the record is damaged or breaks a bound; reason then says which. */
struct envelope *envelope_decode(const void *bytes, size_t n, const char **reason);

struct envelope *envelope_new(void); /* every string is "" */
struct recipient *envelope_add_recipient(struct envelope *e, const char *address);
void envelope_set(char **field, const char *value); /* frees the old, copies the new; NULL is "" */
void envelope_free(struct envelope *e);

/* The id as people see it: 13 characters of Crockford's base32; parse gives 0 for anything else. */
#define MESSAGE_ID_STR_MAX 14
const char *message_id_format(uint64_t id, char out[MESSAGE_ID_STR_MAX]);
uint64_t message_id_parse(const char *s);

#endif
