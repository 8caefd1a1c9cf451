/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The record: a version, the fixed fields, the strings in the order of one table, the recipients.
 *
 * Who reads a record does not trust who wrote it: it may come from a process that was taken over,
 * or from a disk that went bad. So every string has a bound, every number a range, and what is to
 * stand in an SMTP command (addresses, ENVID, ORCPT) holds no control character.
 */
#include "relay/spool/envelope.h"

#include "lib/wire.h"

#include <stdlib.h>
#include <string.h>

#define ENVELOPE_VERSION 2
#define KNOWN_FLAGS      ((ENVELOPE_TRACK_FOREIGN << 1) - 1)
#define KNOWN_NOTIFY     (NOTIFY_NEVER | NOTIFY_SUCCESS | NOTIFY_FAILURE | NOTIFY_DELAY)

struct text_field {
	size_t offset; /* of the char * in its struct */
	size_t max;    /* bytes */
	bool command;  /* it will stand in an SMTP command */
	const char *fault;
};

#define FIELD(owner, name, max, command)                                            \
	{                                                                           \
		offsetof(struct owner, name), max, command,                         \
			#name " is damaged, too long, or holds a control character" \
	}

static const struct text_field texts[] = {
	FIELD(envelope, account, ENVELOPE_NAME_MAX, false),
	FIELD(envelope, sender, ENVELOPE_ADDRESS_MAX, true),
	FIELD(envelope, envid, ENVELOPE_ENVID_MAX, true),
	FIELD(envelope, user, ENVELOPE_NAME_MAX, false),
	FIELD(envelope, helo, ENVELOPE_NAME_MAX, false),
	FIELD(envelope, header_from, ENVELOPE_ADDRESS_MAX, false),
	FIELD(envelope, subject, ENVELOPE_SUBJECT_MAX, false),
	FIELD(envelope, message_id, ENVELOPE_MESSAGE_ID_MAX, false),
	FIELD(envelope, pool, ENVELOPE_NAME_MAX, false),
	FIELD(envelope, track_host, ENVELOPE_NAME_MAX, false),
	FIELD(envelope, campaign, ENVELOPE_LABEL_MAX, false),
	FIELD(envelope, tags, ENVELOPE_LABEL_MAX, false),
	FIELD(envelope, sign_domain, ENVELOPE_NAME_MAX, false),
	FIELD(envelope, sign_selector, ENVELOPE_NAME_MAX, false),
};
static const struct text_field recipient_texts[] = {
	FIELD(recipient, address, ENVELOPE_ADDRESS_MAX, true),
	FIELD(recipient, orcpt, ENVELOPE_ORCPT_MAX, true),
	FIELD(recipient, reply, ENVELOPE_REPLY_MAX - 1, false),
};

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

static char **text_at(const void *owner, const struct text_field *f)
{
	return (char **)((uintptr_t)owner + f->offset);
}

static char *copy(const char *s)
{
	char *c = strdup(s ? s : "");

	if (!c)
		abort();
	return c;
}

/* How many bytes of s fit into max without cutting a UTF-8 character in two. */
static size_t cut(const char *s, size_t max)
{
	size_t n = strlen(s);

	if (n <= max)
		return n;
	for (n = max; n > 0 && ((unsigned char)s[n] & 0xc0) == 0x80; n--)
		;
	return n;
}

/* --- making one --- */

struct envelope *envelope_new(void)
{
	struct envelope *e = calloc(1, sizeof(*e));

	if (!e)
		abort();
	for (size_t i = 0; i < COUNT(texts); i++)
		*text_at(e, &texts[i]) = copy("");
	return e;
}

struct recipient *envelope_add_recipient(struct envelope *e, const char *address)
{
	size_t n = e->recipient_count;

	/* Room grows at each power of two. */
	if ((n & (n - 1)) == 0) {
		size_t cap = n ? 2 * n : 1;
		struct recipient *r = realloc(e->recipients, cap * sizeof(*r));

		if (!r)
			abort();
		e->recipients = r;
	}
	struct recipient *r = &e->recipients[e->recipient_count++];
	*r = (struct recipient){.address = copy(address), .orcpt = copy(""), .reply = copy("")};
	return r;
}

void envelope_set(char **field, const char *value)
{
	char *new = copy(value);

	free(*field);
	*field = new;
}

void envelope_free(struct envelope *e)
{
	if (!e)
		return;
	for (size_t i = 0; i < COUNT(texts); i++)
		free(*text_at(e, &texts[i]));
	for (size_t i = 0; i < e->recipient_count; i++)
		for (size_t j = 0; j < COUNT(recipient_texts); j++)
			free(*text_at(&e->recipients[i], &recipient_texts[j]));
	free(e->recipients);
	free(e);
}

/* --- writing --- */

static void put_recipient(const struct recipient *r, size_t reply_max, struct buf *out)
{
	wire_put_str(out, r->address);
	wire_put_str(out, r->orcpt);
	wire_put_bytes(out, r->reply, cut(r->reply, reply_max));
	wire_put_u8(out, r->notify);
	wire_put_u8(out, r->state);
	wire_put_u32(out, r->attempts);
	wire_put_u64(out, r->next_ms);
}

/* Everything else has a bound that lets a thousand recipients fit; their replies share the rest. */
static size_t reply_share(const struct envelope *e, size_t fixed)
{
	size_t share = ENVELOPE_REPLY_MAX - 1;

	for (size_t i = 0; i < e->recipient_count; i++) {
		const struct recipient *r = &e->recipients[i];

		fixed += strlen(r->address) + strlen(r->orcpt) + 3 * 4 + 2 + 4 + 8;
	}
	if (e->recipient_count && fixed + e->recipient_count * share > ENVELOPE_BYTES_MAX)
		share = fixed < ENVELOPE_BYTES_MAX
				? (ENVELOPE_BYTES_MAX - fixed) / e->recipient_count
				: 0;
	return share;
}

void envelope_encode(const struct envelope *e, struct buf *out)
{
	size_t start = out->len;

	wire_put_u8(out, ENVELOPE_VERSION);
	wire_put_u64(out, e->id);
	wire_put_u64(out, e->accepted_ms);
	wire_put_u32(out, e->flags);
	wire_put_u32(out, e->track_key);
	wire_put_u64(out, e->size);
	wire_put_addr(out, &e->client);
	for (size_t i = 0; i < COUNT(texts); i++)
		wire_put_str(out, *text_at(e, &texts[i]));
	wire_put_u32(out, (uint32_t)e->recipient_count);

	size_t share = reply_share(e, out->len - start);
	for (size_t i = 0; i < e->recipient_count; i++)
		put_recipient(&e->recipients[i], share, out);
}

/* --- reading --- */

static bool holds_control(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return true;
	return false;
}

/* Gives the owner its string even when it is refused, so that envelope_free() fits. */
static const char *get_text(struct wire *w, void *owner, const struct text_field *f)
{
	char *s = wire_str(w);

	free(*text_at(owner, f));
	*text_at(owner, f) = s;
	if (w->failed || strlen(s) > f->max || (f->command && holds_control(s)))
		return f->fault;
	return NULL;
}

static const char *get_recipient(struct wire *w, struct recipient *r)
{
	for (size_t i = 0; i < COUNT(recipient_texts); i++) {
		const char *fault = get_text(w, r, &recipient_texts[i]);

		if (fault)
			return fault;
	}
	if (!*r->address)
		return "a recipient has no address";
	r->notify = wire_u8(w);
	if (r->notify & ~KNOWN_NOTIFY)
		return "notify has an unknown bit";
	r->state = wire_u8(w);
	if (r->state > RECIPIENT_HELD)
		return "state is none that is known";
	r->attempts = wire_u32(w);
	r->next_ms = wire_u64(w);
	return w->failed ? "the record ends within a recipient" : NULL;
}

static const char *get_envelope(struct wire *w, struct envelope *e)
{
	uint8_t version = wire_u8(w);

	if (version != ENVELOPE_VERSION && version != 1)
		return "its version is not one that this program reads";
	e->id = wire_u64(w);
	e->accepted_ms = wire_u64(w);
	e->flags = wire_u32(w);
	if (e->flags & ~(uint32_t)KNOWN_FLAGS)
		return "flags has an unknown bit";
	e->track_key = wire_u32(w);
	e->size = wire_u64(w);
	e->client = wire_addr(w);
	for (size_t i = 0; i < COUNT(texts); i++) {
		/* What came before messages had campaign and tags. */
		bool missing =
			version == 1 && (texts[i].offset == offsetof(struct envelope, tags) ||
					 texts[i].offset == offsetof(struct envelope, campaign));
		const char *fault = missing ? NULL : get_text(w, e, &texts[i]);

		if (fault)
			return fault;
	}

	uint32_t count = wire_u32(w);
	if (w->failed)
		return "the record is cut short";
	if (count == 0 || count > ENVELOPE_RECIPIENTS_MAX)
		return "the number of recipients is out of bounds";
	for (uint32_t i = 0; i < count; i++) {
		const char *fault = get_recipient(w, envelope_add_recipient(e, ""));

		if (fault)
			return fault;
	}
	return wire_done(w) ? NULL : "bytes follow the last recipient";
}

struct envelope *envelope_decode(const void *bytes, size_t n, const char **reason)
{
	if (n > ENVELOPE_BYTES_MAX) {
		*reason = "the record is larger than any may be";
		return NULL;
	}
	struct envelope *e = envelope_new();
	struct wire w = wire_reader(bytes, n);
	const char *fault = get_envelope(&w, e);

	if (!fault)
		return e;
	*reason = fault;
	envelope_free(e);
	return NULL;
}

/* --- the id as people see it --- */

static const char crockford[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

const char *message_id_format(uint64_t id, char out[MESSAGE_ID_STR_MAX])
{
	for (int i = MESSAGE_ID_STR_MAX - 2; i >= 0; i--, id >>= 5)
		out[i] = crockford[id & 31];
	out[MESSAGE_ID_STR_MAX - 1] = '\0';
	return out;
}

/* Crockford reads both cases, and takes for a digit the letters that look like one. */
static int digit_value(char c)
{
	if (c >= 'a' && c <= 'z')
		c = (char)(c - 'a' + 'A');
	if (c == 'I' || c == 'L')
		return 1;
	if (c == 'O')
		return 0;
	const char *p = c ? strchr(crockford, c) : NULL;
	return p ? (int)(p - crockford) : -1;
}

uint64_t message_id_parse(const char *s)
{
	uint64_t id = 0;

	if (strlen(s) != MESSAGE_ID_STR_MAX - 1 || digit_value(s[0]) > 15)
		return 0;
	for (; *s; s++) {
		int v = digit_value(*s);

		if (v < 0)
			return 0;
		id = id << 5 | (uint64_t)v;
	}
	return id;
}
