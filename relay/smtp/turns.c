/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/smtp/turns.h"

#include <stdbool.h>
#include <time.h>

#define STRETCH_NS 250000

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void on_more(struct ev_loop *loop, ev_idle *w, int events)
{
	(void)loop;
	(void)w;
	(void)events;
}

static void on_polled(struct ev_loop *loop, ev_check *w, int events)
{
	struct turns *t = w->data;
	uint64_t until = now_ns() + STRETCH_NS;
	struct fair_item *item;

	(void)events;
	while ((item = fair_pop(&t->queue))) {
		t->serve(item);
		if (now_ns() >= until)
			break;
	}
	if (t->queue.count)
		ev_idle_start(loop, &t->more);
	else
		ev_idle_stop(loop, &t->more);
}

void turns_open(struct turns *t, struct ev_loop *loop, turns_serve_fn *serve)
{
	*t = (struct turns){.loop = loop, .queue = FAIR_INIT, .serve = serve};
	ev_check_init(&t->after_poll, on_polled);
	/* Behind everything that the poll reported. */
	ev_set_priority(&t->after_poll, EV_MINPRI);
	t->after_poll.data = t;
	ev_idle_init(&t->more, on_more);
	ev_check_start(loop, &t->after_poll);
}

void turns_ask(struct turns *t, struct fair_item *item, uint32_t account, unsigned weight,
	       uint64_t cost)
{
	if (fair_has(item))
		return;
	fair_push(&t->queue, item, account, weight, fair_cost(cost));
	ev_idle_start(t->loop, &t->more);
}

void turns_drop(struct turns *t, struct fair_item *item)
{
	if (fair_has(item))
		fair_remove(&t->queue, item);
}

static uint32_t hash(const char *s)
{
	uint32_t h = 0x811c9dc5;

	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * 0x01000193;
	return h;
}

uint32_t turns_account(const char *account)
{
	return hash(account) & ~(uint32_t)1;
}

uint32_t turns_source(const char *source)
{
	return hash(source) | 1;
}
