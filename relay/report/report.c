/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The role report: the only one that writes what happened.
 *
 * Events that arrive within one turn of the loop make one batch, one write to the journal, one
 * MSG_EVENT_KEPT a channel. A timer syncs the journal within a second; others have the follower
 * carry events into the store, a few hundred at a time, so that nobody waits long for a KEPT, and
 * commit them each second.
 *
 * When the journal cannot be written (a full disk), events wait in memory up to a bound and nobody
 * is told that they are kept; over the bound they are counted as lost. Mail goes on either way.
 */
#include "lib/log.h"
#include "relay/process.h"
#include "relay/report/follow.h"
#include "relay/report/keeper.h"
#include "relay/report/question.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define SYNC_S        0.5
#define FOLLOW_S      0.05
#define SETTLE_S      1.0
#define WRITE_AGAIN_S 1.0
#define MIB           ((uint64_t)1024 * 1024)

enum {
	FOLLOW_RECORDS = 256,
	BATCH_MAX = 8 * 1024 * 1024,
	PEERS_MAX = 32,
};

static struct {
	struct process *p;
	int dir;
	struct events *events;
	struct follower *follower;
	ev_prepare batch;
	ev_timer again, sync, follow, settle;
	struct {
		struct channel *c; /* NULL: free */
		uint64_t last;     /* id of its last event */
		bool owed;         /* a KEPT */
	} peers[PEERS_MAX];
	uint64_t lost, torn;
	bool failing;
} report;

/* ---- the journal ---- */

static void owe_nothing(void)
{
	for (size_t i = 0; i < PEERS_MAX; i++) {
		if (!report.peers[i].c || !report.peers[i].owed)
			continue;
		report.peers[i].owed = false;
		channel_send(report.peers[i].c, MSG_EVENT_KEPT, report.peers[i].last, NULL, -1);
		/* The loop is about to wait: what is sent from here must leave now. */
		channel_flush(report.peers[i].c);
	}
}

static void write_batch(void)
{
	if (!events_batch(report.events) || ev_is_active(&report.again))
		return;
	if (events_write(report.events)) {
		if (report.failing)
			log_info("the journal of events can be written again");
		report.failing = false;
		owe_nothing();
		if (!ev_is_active(&report.sync))
			ev_timer_again(report.p->loop, &report.sync);
		if (!ev_is_active(&report.follow))
			ev_timer_again(report.p->loop, &report.follow);
		return;
	}
	if (!report.failing)
		log_error("the journal of events cannot be written: %s", strerror(errno));
	report.failing = true;
	if (events_batch(report.events) > BATCH_MAX) {
		report.lost += events_drop(report.events);
		log_error("%llu events are lost so far", (unsigned long long)report.lost);
	}
	ev_timer_again(report.p->loop, &report.again);
}

static void on_batch(struct ev_loop *loop, ev_prepare *w, int events)
{
	(void)loop;
	(void)w;
	(void)events;
	write_batch();
}

static void on_again(struct ev_loop *loop, ev_timer *w, int events)
{
	(void)events;
	ev_timer_stop(loop, w);
	write_batch();
}

static void on_sync(struct ev_loop *loop, ev_timer *w, int events)
{
	(void)events;
	if (events_sync(report.events))
		ev_timer_stop(loop, w);
	else
		log_error("the journal of events cannot be synced: %s", strerror(errno));
}

/* ---- the store ---- */

static void on_follow(struct ev_loop *loop, ev_timer *w, int events)
{
	(void)events;
	enum follow status = follower_step(report.follower, report.events, FOLLOW_RECORDS);
	double after_s = status == FOLLOW_FAILED ? FOLLOW_AGAIN_S : 0.;

	ev_timer_stop(loop, w);
	ev_timer_set(w, after_s, FOLLOW_S);
	if (status != FOLLOW_DONE) /* else write_batch() starts it */
		ev_timer_start(loop, w);
	if (!ev_is_active(&report.settle))
		ev_timer_again(loop, &report.settle);
}

static void on_settle(struct ev_loop *loop, ev_timer *w, int events)
{
	(void)events;
	enum follow status = follower_settle(report.follower, report.events);

	if (status != FOLLOW_TRIMMED)
		ev_timer_stop(loop, w);
	if (status == FOLLOW_FAILED) {
		ev_timer_stop(loop, &report.follow);
		ev_timer_set(&report.follow, FOLLOW_AGAIN_S, FOLLOW_S);
		ev_timer_start(loop, &report.follow);
	}
}

/* Who asks sees all that was kept before the question. */
static void catch_up(void)
{
	write_batch();
	while (follower_step(report.follower, report.events, FOLLOW_RECORDS) == FOLLOW_MORE)
		;
}

static void answer(struct channel *c, struct message *m)
{
	struct buf text = BUF_INIT;

	if (keeper_answer(m->payload, m->len, &text)) {
		channel_send(c, MSG_CONTROL_ANSWER, m->id, &text, -1);
		buf_free(&text);
		return;
	}
	catch_up();
	struct follower_counts counts = follower_counts(report.follower);
	struct question_facts facts = {
		.now_ms = clock_wall_ms(),
		.lost = report.lost + events_lost(report.events) + counts.damaged_events,
		.damaged_bytes = report.torn + counts.damaged_bytes,
		.set_aside = counts.set_aside,
		.forgotten = counts.forgotten,
		.journal_bytes = events_bytes(report.events),
	};
	enum store_status status =
		question_answer(follower_store(report.follower), m->payload, m->len, &facts, &text);
	follower_doubt(report.follower, status);
	channel_send(c, MSG_CONTROL_ANSWER, m->id, &text, -1);
	buf_free(&text);
}

/* ---- the role ---- */

/* Of its file system the journal takes an eighth at most and the store a half: what is left is for
 * a store that was set aside, and for the write-ahead log. */
static struct events_bounds bounds(uint64_t *store_bytes)
{
	struct statvfs fs;
	uint64_t all = 0;

	if (fstatvfs(report.dir, &fs) == 0)
		all = (uint64_t)fs.f_blocks * fs.f_frsize;
	uint64_t size = all / 8;
	size = size < 32 * MIB ? 32 * MIB : size > 1024 * MIB ? 1024 * MIB : size;
	*store_bytes = all / 2 > 32 * MIB ? all / 2 : 32 * MIB;
	return (struct events_bounds){
		.file_bytes = size / 64 > 4 * MIB ? size / 64 : 4 * MIB,
		.keep_bytes = size / 4,
		.total_bytes = size,
	};
}

static void report_open(struct process *p)
{
	struct buf error = BUF_INIT;

	report.p = p;
	signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is a full disk, not the end */
	report.dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (report.dir < 0)
		fatal("cannot open the directory of events: %s", strerror(errno));
	uint64_t store_bytes;
	struct events_bounds b = bounds(&store_bytes);
	report.follower = follower_new(report.dir, "events.db", store_bytes);
	/* Numbers go on above the store's; and above the minutes since 1970, should the store not
	 * be there to ask. */
	uint64_t after = follower_place(report.follower).file, minutes = clock_wall_ms() / 60000;
	report.events = events_open(report.dir, &b, after > minutes ? after : minutes, &report.torn,
				    &error);
	if (!report.events)
		fatal("%s", buf_str(&error));
	if (report.torn)
		log_warn("the journal of events ended in %llu bytes of a torn record",
			 (unsigned long long)report.torn);
	keeper_open(p);
	ev_prepare_init(&report.batch, on_batch);
	ev_prepare_start(p->loop, &report.batch);
	ev_timer_init(&report.again, on_again, WRITE_AGAIN_S, WRITE_AGAIN_S);
	ev_timer_init(&report.sync, on_sync, SYNC_S, SYNC_S);
	ev_timer_init(&report.follow, on_follow, FOLLOW_S, FOLLOW_S);
	ev_timer_init(&report.settle, on_settle, SETTLE_S, SETTLE_S);
	ev_timer_start(p->loop, &report.follow); /* what the last one left */
	if (keeper_has_lost()) {
		catch_up();
		keeper_restore(follower_store(report.follower));
	}
}

static void report_peer_up(struct process *p, enum role_id peer, unsigned index, struct channel *c)
{
	(void)p;
	(void)index;
	keeper_peer_up(peer, c);
	for (size_t i = 0; i < PEERS_MAX; i++)
		if (!report.peers[i].c) {
			report.peers[i].c = c;
			return;
		}
	fatal("more than %d peers", PEERS_MAX);
}

static size_t peer_of(const struct channel *c)
{
	size_t i = 0;

	while (i < PEERS_MAX && report.peers[i].c != c)
		i++;
	return i;
}

static void report_peer_down(struct process *p, enum role_id peer, unsigned index,
			     struct channel *c)
{
	size_t i = peer_of(c);

	(void)p;
	(void)peer;
	(void)index;
	keeper_peer_down(c);
	if (i < PEERS_MAX)
		memset(&report.peers[i], 0, sizeof(report.peers[i]));
}

static void take_event(struct channel *c, const struct message *m)
{
	size_t i = peer_of(c);
	struct event e;

	if (i == PEERS_MAX)
		return;
	if (event_decode(m->payload, m->len, &e) && events_add(report.events, m->payload, m->len)) {
		keeper_event(&e);
		event_clear(&e);
	} else {
		event_clear(&e);
		report.lost++;
		log_error("an event that is damaged, of %zu bytes, was dropped", m->len);
	}
	report.peers[i].last = m->id;
	report.peers[i].owed = true;
}

static void report_message(struct process *p, enum role_id from, struct channel *c,
			   struct message *m)
{
	(void)p;
	if (m->type == MSG_EVENT && from != ROLE_MAIN)
		take_event(c, m);
	else if (m->type == MSG_CONTROL && from == ROLE_MAIN)
		answer(c, m);
	else
		log_warn("role %d sent report a message of type %u", from, m->type);
}

static void report_stop(struct process *p)
{
	write_batch();
	if (!events_sync(report.events))
		log_error("the journal of events cannot be synced: %s", strerror(errno));
	follower_settle(report.follower, report.events);
	keeper_close();
	follower_free(report.follower);
	events_close(report.events);
	process_exit(p);
}

const struct role report_role = {
	.name = "report",
	.patient = true,
	.open = report_open,
	.peer_up = report_peer_up,
	.peer_down = report_peer_down,
	.message = report_message,
	.stop = report_stop,
};
