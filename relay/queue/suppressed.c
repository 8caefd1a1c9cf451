/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/queue/suppressed.h"

#include "lib/log.h"
#include "lib/wire.h"
#include "relay/report/suppress.h"

static struct suppress_set *set, *coming; /* coming: a whole list on its way */
static bool is_known;
static ev_timer patience;
static void (*tell)(void);

static void know(void)
{
	ev_timer_stop(scheduler.loop, &patience);
	if (is_known)
		return;
	is_known = true;
	tell();
}

static void on_patience(struct ev_loop *loop, ev_timer *w, int revents)
{
	(void)loop;
	(void)w;
	(void)revents;
	log_error("report does not say who unsubscribed: mail leaves without that");
	know();
}

void suppressed_open(struct ev_loop *loop, void (*known)(void))
{
	set = suppress_set_new();
	tell = known;
	ev_timer_init(&patience, on_patience, SUPPRESSED_WAIT_S, 0.);
	ev_timer_start(loop, &patience);
}

static void take_end(void)
{
	if (!coming)
		return;
	suppress_set_free(set);
	set = coming;
	coming = NULL;
	know();
}

void suppressed_take(const struct message *m)
{
	struct wire w = wire_reader(m->payload, m->len);
	uint8_t step = wire_u8(&w);

	if (step > SUPPRESS_END || (m->len - 1) % sizeof(uint64_t)) {
		log_error("report sent a damaged list of who unsubscribed");
		return;
	}
	if (step == SUPPRESS_BEGIN) {
		suppress_set_free(coming);
		coming = suppress_set_new();
	}
	struct suppress_set *s = coming ? coming : set;
	while (!w.failed && !wire_done(&w)) {
		uint64_t mark = wire_u64(&w);

		if (mark && step == SUPPRESS_REMOVE)
			suppress_set_remove(s, mark);
		else if (mark)
			suppress_set_add(s, mark);
	}
	if (step == SUPPRESS_END)
		take_end();
}

bool suppressed_is_known(void)
{
	return is_known;
}

bool suppressed_any(void)
{
	return suppress_set_count(set) > 0;
}

bool suppressed_has(const char *account, const char *address)
{
	return suppress_set_has(set, suppress_mark(account, address));
}
