/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/spool/announce.h"

#include "lib/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A peer that is slower than this gets the rest later. */
#define BACKLOG_MAX ((size_t)1024 * 1024)
/* Told at one go: new mail is kept in between. */
#define SEGMENTS_AT_ONCE 64
#define MESSAGES_AT_ONCE 200
#define PAUSE_S          0.002

struct listener {
	struct listener *next;
	struct channel *channel;
	bool messages_too;
	uint32_t segment; /* told up to this one */
	uint64_t message;
	bool behind; /* there is more to tell, or may be */
};

static struct {
	struct ev_loop *loop;
	struct store *store;
	struct listener *listeners;
	ev_timer turn; /* runs while somebody is behind */
} announce;

static void fall_behind(struct listener *l)
{
	l->behind = true;
	if (!ev_is_active(&announce.turn)) {
		ev_timer_set(&announce.turn, 0, PAUSE_S);
		ev_timer_start(announce.loop, &announce.turn);
	}
}

/* --- telling --- */

static void tell_segment(struct listener *l, uint32_t segment)
{
	struct buf payload = BUF_INIT;
	int fd = store_segment_fd(segment);

	l->segment = segment;
	if (fd < 0) {
		log_error("cannot open segment %u for reading: %s", segment, strerror(errno));
		return;
	}
	segment_encode(segment, &payload);
	channel_send(l->channel, MSG_SEGMENT, 0, &payload, fd);
	buf_free(&payload);
	/* It must be there before the message that lies in it, which goes another way. */
	channel_flush(l->channel);
}

static void tell_queued(struct listener *l, const struct queued *m)
{
	struct buf payload = BUF_INIT;

	queued_encode(m, &payload);
	channel_send(l->channel, MSG_QUEUED, m->envelope->id, &payload, -1);
	buf_free(&payload);
}

static bool tell_segments(struct listener *l)
{
	uint32_t next = 0;

	for (int i = 0; i < SEGMENTS_AT_ONCE; i++) {
		next = store_next_segment(announce.store, l->segment);
		if (!next)
			return true;
		tell_segment(l, next);
	}
	return false;
}

static bool tell_messages(struct listener *l)
{
	struct queued m;

	for (int i = 0; i < MESSAGES_AT_ONCE; i++) {
		if (channel_backlog(l->channel) > BACKLOG_MAX)
			return false;
		if (!store_next(announce.store, l->message, &m))
			return true;
		tell_queued(l, &m);
		l->message = m.envelope->id;
		envelope_free(m.envelope);
	}
	return false;
}

/* One turn: segments first, to all; then messages. */
static void on_turn(struct ev_loop *loop, ev_timer *w, int events)
{
	bool all_segments = true, all = true;

	(void)events;
	for (struct listener *l = announce.listeners; l; l = l->next)
		if (l->behind && !tell_segments(l))
			all_segments = false;
	for (struct listener *l = announce.listeners; l; l = l->next) {
		if (l->behind && all_segments && (!l->messages_too || tell_messages(l)))
			l->behind = false;
		all = all && !l->behind;
	}
	if (all)
		ev_timer_stop(loop, w);
}

/* --- who listens --- */

void announce_open(struct ev_loop *loop, struct store *store)
{
	announce.loop = loop;
	announce.store = store;
	ev_timer_init(&announce.turn, on_turn, 0, PAUSE_S);
}

void announce_to(struct channel *c, bool messages_too)
{
	struct listener *l = calloc(1, sizeof(*l));

	if (!l)
		abort();
	*l = (struct listener){
		.next = announce.listeners, .channel = c, .messages_too = messages_too};
	announce.listeners = l;
	fall_behind(l);
}

void announce_no_more(struct channel *c)
{
	for (struct listener **at = &announce.listeners; *at; at = &(*at)->next)
		if ((*at)->channel == c) {
			struct listener *gone = *at;

			*at = gone->next;
			free(gone);
			return;
		}
}

/* --- news --- */

void announce_segment(uint32_t segment)
{
	/* A file that is opened within a batch is the newest: who is behind gets it in its turn. */
	for (struct listener *l = announce.listeners; l; l = l->next)
		if (!l->behind)
			tell_segment(l, segment);
}

void announce_segment_gone(uint32_t segment)
{
	struct buf payload = BUF_INIT;

	segment_encode(segment, &payload);
	for (struct listener *l = announce.listeners; l; l = l->next)
		if (l->segment >= segment)
			channel_send(l->channel, MSG_SEGMENT_GONE, 0, &payload, -1);
	buf_free(&payload);
}

void announce_queued(const struct queued *m)
{
	for (struct listener *l = announce.listeners; l; l = l->next) {
		if (!l->messages_too || l->behind)
			continue;
		if (channel_backlog(l->channel) > BACKLOG_MAX) {
			fall_behind(l);
			continue;
		}
		tell_queued(l, m);
		l->message = m->envelope->id;
	}
}

void announce_moved(const struct queued *m)
{
	/* Whoever has not come that far will hear of the new place alone. */
	for (struct listener *l = announce.listeners; l; l = l->next)
		if (l->messages_too && l->message >= m->envelope->id)
			tell_queued(l, m);
}

void announce_flush(void)
{
	for (struct listener *l = announce.listeners; l; l = l->next)
		channel_flush(l->channel);
}
