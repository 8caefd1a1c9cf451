/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/messages.h"

#include "lib/wire.h"

#include <stdlib.h>
#include <string.h>

static struct wire reader(const struct message *in)
{
	return wire_reader(in->payload, in->len);
}

void auth_ask_encode(const struct auth_ask *m, struct buf *out)
{
	wire_put_addr(out, &m->source);
	wire_put_str(out, m->user);
	wire_put_str(out, m->password);
}

bool auth_ask_decode(const struct message *in, struct auth_ask *out)
{
	struct wire w = reader(in);

	out->source = wire_addr(&w);
	wire_str_into(&w, out->user, sizeof(out->user));
	wire_str_into(&w, out->password, sizeof(out->password));
	return wire_done(&w);
}

void auth_answer_encode(const struct auth_answer *m, struct buf *out)
{
	wire_put_u8(out, m->verdict);
	wire_put_str(out, m->account);
}

bool auth_answer_decode(const struct message *in, struct auth_answer *out)
{
	struct wire w = reader(in);

	out->verdict = wire_u8(&w);
	wire_str_into(&w, out->account, sizeof(out->account));
	return wire_done(&w) && out->verdict <= AUTH_LATER;
}

void submit_small_encode(const struct submit_small *m, struct buf *out)
{
	wire_put_bytes(out, m->envelope, m->envelope_len);
	wire_put_bytes(out, m->body, m->body_len);
}

bool submit_small_decode(const struct message *in, struct submit_small *out)
{
	struct wire w = reader(in);

	out->envelope = wire_bytes(&w, &out->envelope_len);
	out->body = wire_bytes(&w, &out->body_len);
	return wire_done(&w);
}

void submitted_encode(const struct submitted *m, struct buf *out)
{
	wire_put_u8(out, m->status);
	wire_put_u64(out, m->message);
}

bool submitted_decode(const struct message *in, struct submitted *out)
{
	struct wire w = reader(in);

	out->status = wire_u8(&w);
	out->message = wire_u64(&w);
	return wire_done(&w) && out->status <= SUBMIT_ERROR;
}

void segment_encode(uint32_t segment, struct buf *out)
{
	wire_put_u32(out, segment);
}

bool segment_decode(const struct message *in, uint32_t *segment)
{
	struct wire w = reader(in);

	*segment = wire_u32(&w);
	return wire_done(&w);
}

static void place_encode(const struct place *p, struct buf *out)
{
	wire_put_u32(out, p->segment);
	wire_put_u64(out, p->offset);
	wire_put_u64(out, p->size);
}

static struct place place_decode(struct wire *w)
{
	struct place p;

	p.segment = wire_u32(w);
	p.offset = wire_u64(w);
	p.size = wire_u64(w);
	return p;
}

/* The envelope is the payload's last field and takes all that is left. */
static struct envelope *envelope_rest(struct wire *w)
{
	const char *reason;

	if (w->failed)
		return NULL;
	return envelope_decode(w->at, (size_t)(w->end - w->at), &reason);
}

void queued_encode(const struct queued *m, struct buf *out)
{
	place_encode(&m->place, out);
	envelope_encode(m->envelope, out);
}

bool queued_decode(const struct message *in, struct queued *out)
{
	struct wire w = reader(in);

	out->place = place_decode(&w);
	out->envelope = envelope_rest(&w);
	return out->envelope != NULL;
}

void progress_encode(const struct progress *m, struct buf *out)
{
	wire_put_u64(out, m->message);
	wire_put_u32(out, (uint32_t)m->count);
	for (size_t i = 0; i < m->count; i++) {
		const struct progress_item *p = &m->items[i];
		wire_put_u32(out, p->recipient);
		wire_put_u8(out, p->state);
		wire_put_u32(out, p->attempts);
		wire_put_u64(out, p->next_ms);
		wire_put_str(out, p->reply);
	}
}

bool progress_decode(const struct message *in, struct progress *out)
{
	struct wire w = reader(in);

	out->message = wire_u64(&w);
	out->count = wire_u32(&w);
	out->items = NULL;
	if (w.failed || !out->count || out->count > ENVELOPE_RECIPIENTS_MAX)
		return false;
	out->items = calloc(out->count, sizeof(*out->items));
	if (!out->items)
		abort();
	for (size_t i = 0; i < out->count; i++) {
		struct progress_item *p = &out->items[i];
		p->recipient = wire_u32(&w);
		p->state = wire_u8(&w);
		p->attempts = wire_u32(&w);
		p->next_ms = wire_u64(&w);
		wire_str_into(&w, p->reply, sizeof(p->reply));
		if (p->state > RECIPIENT_HELD)
			w.failed = true;
	}
	if (wire_done(&w))
		return true;
	free(out->items);
	out->items = NULL;
	return false;
}

void prepare_encode(const struct prepare *m, struct buf *out)
{
	place_encode(&m->place, out);
	wire_put_u32(out, m->recipient);
	wire_put_u8(out, m->seven_bit);
	wire_put_u8(out, m->hurry);
	envelope_encode(m->envelope, out);
}

bool prepare_decode(const struct message *in, struct prepare *out)
{
	struct wire w = reader(in);

	out->place = place_decode(&w);
	out->recipient = wire_u32(&w);
	out->seven_bit = wire_u8(&w) != 0;
	out->hurry = wire_u8(&w) != 0;
	out->envelope = envelope_rest(&w);
	if (!out->envelope)
		return false;
	if (out->recipient == PREPARE_ALL || out->recipient < out->envelope->recipient_count)
		return true;
	envelope_free(out->envelope);
	out->envelope = NULL;
	return false;
}

void prepared_encode(const struct prepared *m, struct buf *out)
{
	wire_put_u8(out, m->status);
	wire_put_u64(out, m->size);
	wire_put_u32(out, m->links);
	wire_put_u8(out, m->opens);
	wire_put_u8(out, m->eight_bit);
	wire_put_str(out, m->reason);
	wire_put_bytes(out, m->bytes, m->bytes_len);
}

bool prepared_decode(const struct message *in, struct prepared *out)
{
	struct wire w = reader(in);

	out->status = wire_u8(&w);
	out->size = wire_u64(&w);
	out->links = wire_u32(&w);
	out->opens = wire_u8(&w) != 0;
	out->eight_bit = wire_u8(&w) != 0;
	out->reason = wire_str(&w);
	out->bytes = wire_bytes(&w, &out->bytes_len);
	if (wire_done(&w) && out->status <= PREPARED_NEVER)
		return true;
	free(out->reason);
	out->reason = NULL;
	return false;
}
