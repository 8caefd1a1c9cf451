/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Three parts: what came and waits for a batch; the batch; and what peers are told (announce.c).
 */
#include "relay/spool/spool.h"

#include "lib/log.h"
#include "relay/process.h"
#include "relay/spool/announce.h"
#include "relay/spool/orders.h"
#include "relay/spool/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* Who waits for an answer; channel is NULL once they are gone. */
struct asker {
	struct channel *channel;
	uint64_t id;
};

static struct {
	struct process *process;
	struct store *store;

	struct addition additions[SPOOL_BATCH_MAX];
	struct asker submitters[SPOOL_BATCH_MAX];
	size_t addition_count;
	uint64_t bytes;

	/* As long as deliver makes it: more only while the disk refuses it. */
	struct progress *progress;
	struct asker *reporters;
	size_t progress_count, progress_cap;
	bool progress_failed; /* it waits for its retry, apart from new mail */
	bool stopping;

	/* A new deliver waits until all that the dead one had sent is read. */
	struct channel *deliver, *next_deliver;

	ev_idle quiet;           /* nothing more to read: time for a batch */
	ev_timer progress_timer; /* the oldest progress has waited long enough */
	ev_timer housekeeping;
} spool;

/* --- the batch --- */

static void answer_submit(const struct asker *a, enum submit_status status, uint64_t message)
{
	struct submitted answer = {.status = (uint8_t)status};
	struct buf payload = BUF_INIT;

	if (!a->channel)
		return;
	if (status == SUBMIT_KEPT)
		answer.message = message;
	submitted_encode(&answer, &payload);
	channel_send(a->channel, MSG_SUBMITTED, a->id, &payload, -1);
	buf_free(&payload);
	if (spool.stopping)
		channel_flush(a->channel);
}

static void addition_free(struct addition *a)
{
	envelope_free(a->envelope);
	if (a->fd >= 0)
		close(a->fd);
	free((void *)a->bytes);
}

static void answer_additions(void)
{
	for (size_t i = 0; i < spool.addition_count; i++) {
		struct addition *a = &spool.additions[i];
		struct queued queued = {.place = a->place, .envelope = a->envelope};

		answer_submit(&spool.submitters[i], a->status, a->envelope->id);
		if (a->status == SUBMIT_KEPT)
			announce_queued(&queued);
		addition_free(a);
	}
	spool.addition_count = 0;
	spool.bytes = 0;
}

static void answer_progress(void)
{
	for (size_t i = 0; i < spool.progress_count; i++) {
		const struct asker *a = &spool.reporters[i];

		if (a->channel)
			channel_send(a->channel, MSG_PROGRESSED, a->id, NULL, -1);
		if (a->channel && spool.stopping)
			channel_flush(a->channel);
		free(spool.progress[i].items);
	}
	spool.progress_count = 0;
}

static void progress_in_ms(unsigned ms)
{
	ev_timer_stop(spool.process->loop, &spool.progress_timer);
	ev_timer_set(&spool.progress_timer, ms / 1000.0, 0);
	ev_timer_start(spool.process->loop, &spool.progress_timer);
}

static void commit(bool with_progress)
{
	size_t count = with_progress ? spool.progress_count : 0;
	const struct progress **progress = calloc(count + 1, sizeof(const struct progress *));

	if (!progress)
		abort();
	for (size_t i = 0; i < count; i++)
		progress[i] = &spool.progress[i];
	bool noted = store_commit(spool.store, clock_wall_ms(), spool.additions,
				  spool.addition_count, progress, count);
	free(progress);
	answer_additions();
	if (with_progress) {
		spool.progress_failed = !noted;
		ev_timer_stop(spool.process->loop, &spool.progress_timer);
		if (noted)
			answer_progress();
		else
			progress_in_ms(SPOOL_RETRY_MS);
	}
	/* It starts anew with what comes next. */
	ev_idle_stop(spool.process->loop, &spool.quiet);
}

static void on_quiet(struct ev_loop *loop, ev_idle *w, int events)
{
	(void)loop;
	(void)w;
	(void)events;
	commit(!spool.progress_failed);
}

static void on_progress_timer(struct ev_loop *loop, ev_timer *w, int events)
{
	(void)loop;
	(void)w;
	(void)events;
	/* A retry goes alone: whatever fails there must not fail new mail. */
	if (spool.progress_failed && spool.addition_count)
		commit(false);
	commit(true);
}

/* --- what comes --- */

static void refuse(const struct asker *asker, const char *reason)
{
	log_error("a submitted message is refused: %s", reason);
	answer_submit(asker, SUBMIT_ERROR, 0);
}

static void add(const struct asker *asker, const struct addition *a, uint64_t size)
{
	spool.submitters[spool.addition_count] = *asker;
	spool.additions[spool.addition_count++] = *a;
	spool.bytes += size;
	if (spool.addition_count == SPOOL_BATCH_MAX || spool.bytes >= SPOOL_BATCH_BYTES_MAX)
		commit(!spool.progress_failed);
	else
		ev_idle_start(spool.process->loop, &spool.quiet);
}

static void take_submit(struct channel *c, struct message *m)
{
	struct asker asker = {.channel = c, .id = m->id};
	const char *reason = "it came without its bytes";
	struct addition a = {.fd = m->fd};
	struct stat st;

	if (m->fd >= 0)
		a.envelope = envelope_decode(m->payload, m->len, &reason);
	if (!a.envelope) {
		refuse(&asker, reason);
		return;
	}
	m->fd = -1;
	add(&asker, &a, fstat(a.fd, &st) == 0 ? (uint64_t)st.st_size : 0);
}

static void take_small(struct channel *c, struct message *m)
{
	struct asker asker = {.channel = c, .id = m->id};
	const char *reason = "its record is damaged";
	struct addition a = {.fd = -1};
	struct submit_small small;
	void *bytes;

	if (submit_small_decode(m, &small))
		a.envelope = envelope_decode(small.envelope, small.envelope_len, &reason);
	if (!a.envelope) {
		refuse(&asker, reason);
		return;
	}
	bytes = malloc(small.body_len + 1);
	if (!bytes)
		abort();
	memcpy(bytes, small.body, small.body_len);
	a.bytes = bytes;
	a.size = small.body_len;
	add(&asker, &a, small.body_len);
}

static void grow_progress(void)
{
	size_t cap = spool.progress_cap ? 2 * spool.progress_cap : SPOOL_PROGRESS_MAX;

	spool.progress = realloc(spool.progress, cap * sizeof(*spool.progress));
	spool.reporters = realloc(spool.reporters, cap * sizeof(*spool.reporters));
	if (!spool.progress || !spool.reporters)
		abort();
	spool.progress_cap = cap;
}

static void take_progress(struct channel *c, struct message *m)
{
	struct progress p;

	if (!progress_decode(m, &p)) {
		log_error("deliver sent progress that is damaged");
		return;
	}
	if (spool.progress_count == spool.progress_cap)
		grow_progress();
	spool.reporters[spool.progress_count] = (struct asker){.channel = c, .id = m->id};
	spool.progress[spool.progress_count++] = p;
	if (spool.progress_failed)
		return;
	if (spool.progress_count >= SPOOL_PROGRESS_MAX)
		commit(true);
	else if (!ev_is_active(&spool.progress_timer))
		progress_in_ms(SPOOL_PROGRESS_MS);
}

static void take_orders(struct channel *c, const struct message *m)
{
	if (spool_orders_write(m->payload, m->len))
		channel_send(c, MSG_ORDERS_KEPT, m->id, NULL, -1);
	else
		log_error("cannot keep what was ordered, it ends with the next restart: %s",
			  strerror(errno));
}

static void spool_message(struct process *p, enum role_id from, struct channel *c,
			  struct message *m)
{
	(void)p;
	if (m->type == MSG_SUBMIT)
		take_submit(c, m);
	else if (m->type == MSG_SUBMIT_SMALL)
		take_small(c, m);
	else if (m->type == MSG_PROGRESS)
		take_progress(c, m);
	else if (m->type == MSG_ORDERS)
		take_orders(c, m);
	else
		log_warn("role %d sent a message of type %u", from, m->type);
}

/* --- peers --- */

static void give_orders(struct channel *c)
{
	struct buf orders = BUF_INIT;

	spool_orders_read(&orders);
	channel_send(c, MSG_ORDERS, 0, &orders, -1);
	buf_free(&orders);
}

/* What the last deliver has sent is known by now: of that the new one must not hear. */
static void begin_deliver(struct channel *c)
{
	if (spool.progress_count)
		commit(true);
	spool.deliver = c;
	give_orders(c);
	announce_to(c, true);
}

static void spool_peer_up(struct process *p, enum role_id peer, unsigned index, struct channel *c)
{
	(void)p;
	(void)index;
	if (peer == ROLE_WORK)
		announce_to(c, false);
	else if (peer == ROLE_DELIVER && spool.deliver)
		spool.next_deliver = c;
	else if (peer == ROLE_DELIVER)
		begin_deliver(c);
}

static void end_deliver(struct channel *c)
{
	struct channel *next = spool.next_deliver;

	if (c == next)
		spool.next_deliver = NULL;
	if (c != spool.deliver)
		return;
	spool.deliver = spool.next_deliver = NULL;
	if (next)
		begin_deliver(next);
}

/* A submitter that is gone has told nobody that the message is kept: it is dropped. What was
 * delivered stays delivered. */
static void spool_peer_down(struct process *p, enum role_id peer, unsigned index, struct channel *c)
{
	size_t kept = 0;

	(void)p;
	(void)peer;
	(void)index;
	announce_no_more(c);
	for (size_t i = 0; i < spool.addition_count; i++) {
		if (spool.submitters[i].channel == c) {
			addition_free(&spool.additions[i]);
			continue;
		}
		spool.submitters[kept] = spool.submitters[i];
		spool.additions[kept++] = spool.additions[i];
	}
	spool.addition_count = kept;
	for (size_t i = 0; i < spool.progress_count; i++)
		if (spool.reporters[i].channel == c)
			spool.reporters[i].channel = NULL;
	end_deliver(c);
}

/* --- the process --- */

static void on_housekeeping(struct ev_loop *loop, ev_timer *w, int events)
{
	(void)loop;
	(void)w;
	(void)events;
	store_tick(spool.store, clock_steady_ms());
}

static void on_segment(void *arg, uint32_t segment)
{
	(void)arg;
	announce_segment(segment);
}

static void on_segment_gone(void *arg, uint32_t segment)
{
	(void)arg;
	announce_segment_gone(segment);
}

static void on_moved(void *arg, const struct queued *m)
{
	(void)arg;
	announce_moved(m);
}

/* A batch holds a descriptor for each message, and as many may wait on the channels. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static void spool_open(struct process *p)
{
	static const struct store_watch watch = {on_segment, on_segment_gone, on_moved};
	static const struct store_options options;
	struct buf error = BUF_INIT;

	raise_descriptor_limit();
	spool.process = p;
	spool.store = store_open(&options, &watch, NULL, &error);
	if (!spool.store)
		fatal("%s", buf_str(&error));
	struct store_figures f = store_figures(spool.store);
	log_info("%ju messages in %ju segments, %ju set aside", (uintmax_t)f.messages,
		 (uintmax_t)f.segments, (uintmax_t)f.damaged);

	announce_open(p->loop, spool.store);
	ev_idle_init(&spool.quiet, on_quiet);
	ev_timer_init(&spool.progress_timer, on_progress_timer, 0, 0);
	ev_timer_init(&spool.housekeeping, on_housekeeping, 1, 1);
	ev_timer_start(p->loop, &spool.housekeeping);
	store_tick(spool.store, clock_steady_ms());
}

static void spool_stop(struct process *p)
{
	spool.stopping = true;
	commit(true);
	announce_flush();
	store_close(spool.store);
	process_exit(p);
}

const struct role spool_role = {
	.name = "spool",
	.prompt = true,
	.open = spool_open,
	.peer_up = spool_peer_up,
	.peer_down = spool_peer_down,
	.message = spool_message,
	.stop = spool_stop,
};
