/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/queue/pack.h"

#include "lib/table.h"

#include <stdlib.h>
#include <string.h>

struct profile {
	struct table_node node; /* first */
	uint32_t refs, len;
	unsigned char bytes[]; /* an encoded envelope without what is a message's own */
};

static struct table profiles;

size_t profile_count(void)
{
	return profiles.count;
}

/* --- profiles --- */

static struct profile *profile_get(const struct buf *bytes)
{
	uint32_t hash = table_hash(bytes->data, bytes->len);

	for (struct table_node *n = table_first(&profiles, hash); n; n = table_next(n)) {
		struct profile *p = (struct profile *)n;
		if (p->len == bytes->len && memcmp(p->bytes, bytes->data, bytes->len) == 0) {
			p->refs++;
			return p;
		}
	}
	struct profile *p = malloc(sizeof(*p) + bytes->len);
	if (!p)
		abort();
	*p = (struct profile){.refs = 1, .len = (uint32_t)bytes->len};
	memcpy(p->bytes, bytes->data, bytes->len);
	table_add(&profiles, &p->node, hash);
	return p;
}

void profile_release(struct profile *p)
{
	if (--p->refs)
		return;
	table_remove(&profiles, &p->node);
	free(p);
}

/* --- the two parts --- */

static void put(struct buf *tail, const char *s)
{
	buf_append(tail, s, strlen(s) + 1);
}

struct profile *pack_envelope(struct envelope *e, struct buf *tail)
{
	char nothing[] = "", somebody[] = "x";
	struct recipient one = {.address = somebody, .orcpt = nothing, .reply = nothing};
	struct envelope common = *e;
	struct buf bytes = BUF_INIT;

	put(tail, e->sender);
	put(tail, e->subject);
	put(tail, e->message_id);
	put(tail, e->envid);
	for (size_t i = 0; i < e->recipient_count; i++) {
		put(tail, e->recipients[i].address);
		put(tail, e->recipients[i].orcpt);
		buf_appendc(tail, (char)e->recipients[i].notify);
	}
	common.id = common.accepted_ms = common.size = 0;
	common.sender = common.subject = common.message_id = common.envid = nothing;
	common.recipients = &one; /* there is no envelope without one */
	common.recipient_count = 1;
	envelope_encode(&common, &bytes);
	struct profile *p = profile_get(&bytes);
	buf_free(&bytes);
	return p;
}

static const char *take(const char *tail, char **field)
{
	envelope_set(field, tail);
	return tail + strlen(tail) + 1;
}

struct envelope *pack_open(const struct profile *p, const char *tail, size_t recipients,
			   const char **reason)
{
	struct envelope *e = envelope_decode(p->bytes, p->len, reason);

	if (!e)
		return NULL;
	tail = take(tail, &e->sender);
	tail = take(tail, &e->subject);
	tail = take(tail, &e->message_id);
	tail = take(tail, &e->envid);
	for (size_t i = 0; i < recipients; i++) {
		struct recipient *r = i ? envelope_add_recipient(e, tail) : &e->recipients[0];

		if (i == 0)
			envelope_set(&r->address, tail);
		tail += strlen(tail) + 1;
		tail = take(tail, &r->orcpt);
		r->notify = (uint8_t)*tail++;
	}
	return e;
}
