/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/queue/orders.h"

#include "lib/log.h"
#include "lib/wire.h"
#include "relay/queue/lane.h"
#include "relay/queue/mails.h"
#include "relay/queue/pause.h"

#include <stdlib.h>
#include <string.h>

#define ORDERS_VERSION 1

enum { COUNTS_MAX = 5000 };

struct waiting {
	struct waiting *next;
	uint64_t id, sent;
	struct buf answer;
	orders_fn *fn;
};

static struct order *list;
static size_t count;
static bool draining, loaded, counts_changed;
static uint64_t last_sent, last_kept;
static struct waiting *first_waiting, **last_waiting = &first_waiting;

const struct order *order_at(size_t i)
{
	return i < count ? &list[i] : NULL;
}

const struct order *order_on(enum order_kind kind, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (list[i].kind == kind && strcmp(list[i].name, name) == 0)
			return &list[i];
	return NULL;
}

/* --- to spool and back --- */

struct counts {
	struct buf bytes;
	uint32_t count;
};

static void add_count(const struct addr *source, const char *provider, uint32_t sent, void *arg)
{
	struct counts *c = arg;

	if (c->count == COUNTS_MAX)
		return;
	wire_put_addr(&c->bytes, source);
	wire_put_str(&c->bytes, provider);
	wire_put_u32(&c->bytes, sent);
	c->count++;
}

/* A tenth of the smallest allowance of any pool: what is below is counted anew. */
static uint32_t least_count(void)
{
	const struct relay_config *c = scheduler.process->config;
	uint32_t least = UINT32_MAX, day = today();

	for (size_t i = 0; i < c->pool_count; i++) {
		const struct config_pool *p = &c->pools[i];
		uint32_t most = ramp_allowance(p->ramp, p->ramp_count, p->ramp_day, day);

		if (most < least)
			least = most;
	}
	return least / 10 + 1;
}

static void encode(struct buf *out)
{
	struct counts c = {0};

	wire_put_u8(out, ORDERS_VERSION);
	wire_put_u8(out, draining);
	wire_put_u32(out, (uint32_t)count);
	for (size_t i = 0; i < count; i++) {
		wire_put_u8(out, list[i].kind);
		wire_put_u8(out, list[i].by_itself);
		wire_put_u64(out, list[i].since_ms);
		wire_put_str(out, list[i].name);
		wire_put_str(out, list[i].reason);
	}
	ramp_save(&scheduler.ramp, least_count(), add_count, &c);
	wire_put_u32(out, scheduler.ramp.day);
	wire_put_u32(out, c.count);
	buf_append(out, c.bytes.data, c.bytes.len);
	buf_free(&c.bytes);
}

static void save(void)
{
	struct buf payload = BUF_INIT;

	counts_changed = false;
	last_sent++;
	if (scheduler.spool) {
		encode(&payload);
		channel_send(scheduler.spool, MSG_ORDERS, last_sent, &payload, -1);
		buf_free(&payload);
	}
}

static struct order *order_add(void)
{
	struct order *grown = realloc(list, (count + 1) * sizeof(*list));

	if (!grown)
		abort();
	list = grown;
	list[count] = (struct order){0};
	return &list[count++];
}

static bool decode(struct wire *w)
{
	if (wire_u8(w) != ORDERS_VERSION)
		return false;
	draining = wire_u8(w);
	for (uint32_t n = wire_u32(w); n && !w->failed; n--) {
		struct order *o = order_add();

		o->kind = wire_u8(w);
		o->by_itself = wire_u8(w);
		o->since_ms = wire_u64(w);
		o->name = wire_str(w);
		o->reason = wire_str(w);
	}
	uint32_t day = wire_u32(w);
	for (uint32_t n = wire_u32(w); n && !w->failed; n--) {
		struct addr source = wire_addr(w);
		char *provider = wire_str(w);
		uint32_t sent = wire_u32(w);

		if (!w->failed)
			ramp_add(&scheduler.ramp, &source, provider, day, sent);
		free(provider);
	}
	return wire_done(w);
}

void orders_taken(const struct message *m)
{
	struct wire w = wire_reader(m->payload, m->len);

	if (loaded)
		return;
	loaded = true;
	if (m->len && !decode(&w))
		log_error("the orders that were kept are damaged: some are lost");
	for (size_t i = 0; i < count; i++) {
		log_info("%s %s is paused: %s",
			 list[i].kind == ORDER_ACCOUNT ? "account" : "destination", list[i].name,
			 list[i].reason);
		pause_apply(list[i].kind, list[i].name, true);
	}
	if (draining)
		pause_tell_main();
}

void orders_kept(uint64_t id)
{
	last_kept = id;
	for (struct waiting *w; (w = first_waiting) && w->sent <= id;) {
		first_waiting = w->next;
		if (!first_waiting)
			last_waiting = &first_waiting;
		w->fn(w->id, &w->answer);
		buf_free(&w->answer);
		free(w);
	}
}

void orders_spool_up(void)
{
	if (last_kept != last_sent || counts_changed)
		save();
}

void orders_when_kept(uint64_t id, struct buf *answer, orders_fn *fn)
{
	if (last_kept == last_sent) {
		fn(id, answer);
		return;
	}
	struct waiting *w = calloc(1, sizeof(*w));
	if (!w)
		abort();
	w->id = id;
	w->sent = last_sent;
	w->fn = fn;
	buf_append(&w->answer, answer->data, answer->len);
	*last_waiting = w;
	last_waiting = &w->next;
}

void orders_save_counts(void)
{
	static uint32_t total;
	uint32_t now = scheduler.ramp.taken;

	if (now == total)
		return;
	total = now;
	counts_changed = true;
	if (scheduler.spool)
		save();
}

/* --- giving them --- */

bool order_pause(enum order_kind kind, const char *name, bool by_itself, const char *reason)
{
	if (order_on(kind, name))
		return true;
	if (count == ORDERS_MAX)
		return false;
	struct order *o = order_add();
	*o = (struct order){.kind = (uint8_t)kind,
			    .by_itself = by_itself,
			    .since_ms = clock_wall_ms(),
			    .name = strdup(name),
			    .reason = strndup(reason, ORDERS_REASON_MAX)};
	if (!o->name || !o->reason)
		abort();
	save();
	return true;
}

bool order_resume(enum order_kind kind, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (list[i].kind != kind || strcmp(list[i].name, name) != 0)
			continue;
		free(list[i].name);
		free(list[i].reason);
		list[i] = list[--count];
		save();
		return true;
	}
	return false;
}

bool orders_draining(void)
{
	return draining;
}

void orders_drain(bool on)
{
	if (draining == on)
		return;
	draining = on;
	save();
}
