/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the role accept is put together from: bodies, events on their way, turns. */
#include "relay/messages.h"
#include "relay/smtp/body.h"
#include "relay/smtp/outbox.h"
#include "relay/smtp/submission.h"
#include "relay/smtp/turns.h"
#include "tests/unit/cmocka.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- bodies ---- */

static void a_body_is_what_was_appended(void **state)
{
	static const size_t sizes[] = {0, 1, 1000, 32768, 32769, 65536, 300000};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct body b = BODY_INIT;
		char *bytes = malloc(sizes[i] + 1), *seen = malloc(sizes[i] + 1);
		int fd;

		for (size_t k = 0; k < sizes[i]; k++)
			bytes[k] = (char)(k * 31);
		for (size_t at = 0; at < sizes[i]; at += 1777)
			body_append(&b, bytes + at, sizes[i] - at < 1777 ? sizes[i] - at : 1777);
		assert_int_equal(b.size, sizes[i]);
		assert_int_equal(body_small(&b) != NULL, sizes[i] <= BODY_SMALL_MAX);
		if (body_small(&b))
			assert_memory_equal(buf_str(body_small(&b)), bytes, sizes[i]);
		fd = body_finish(&b);
		assert_true(fd >= 0);
		assert_int_equal(b.size, 0);
		assert_int_equal(pread(fd, seen, sizes[i] + 1, 0), sizes[i]);
		assert_memory_equal(seen, bytes, sizes[i]);
		close(fd);
		free(bytes);
		free(seen);
	}
}

static void a_body_without_room_is_none(void **state)
{
	struct body b = BODY_INIT;

	(void)state;
	body_append(&b, "abc", 3);
	body_fail(&b);
	body_append(&b, "def", 3);
	assert_int_equal(b.size, 0);
	assert_null(body_small(&b));
	assert_int_equal(body_finish(&b), -1);
	assert_int_equal(errno, ENOSPC);
	/* The next message starts afresh. */
	body_append(&b, "ghi", 3);
	assert_int_equal(b.size, 3);
	body_clear(&b);
}

/* ---- events ---- */

struct report {
	struct ev_loop *loop;
	struct channel *ours, *its;
	uint64_t seen[20000];
	size_t count;
};

static void on_event(struct channel *c, struct message *m, void *arg)
{
	struct report *r = arg;

	(void)c;
	assert_int_equal(m->type, MSG_EVENT);
	assert_true(r->count < sizeof(r->seen) / sizeof(*r->seen));
	r->seen[r->count++] = m->id;
}

static void on_message(struct channel *c, struct message *m, void *arg)
{
	(void)c;
	(void)m;
	(void)arg;
}

static void on_closed(struct channel *c, void *arg)
{
	(void)c;
	(void)arg;
}

static struct report *report_open(void)
{
	struct report *r = calloc(1, sizeof(*r));
	int ends[2];

	assert_non_null(r);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	r->loop = ev_loop_new(EVFLAG_AUTO);
	r->ours = channel_open(r->loop, ends[0], on_message, on_closed, NULL);
	r->its = channel_open(r->loop, ends[1], on_event, on_closed, r);
	return r;
}

static void report_run(struct report *r)
{
	channel_flush(r->ours); /* events may wait for each other */
	for (int i = 0; i < 200; i++)
		ev_run(r->loop, EVRUN_NOWAIT);
}

static void report_close(struct report *r)
{
	channel_close(r->ours);
	channel_close(r->its);
	ev_loop_destroy(r->loop);
	free(r);
}

static void put(struct outbox *o, size_t n)
{
	static char detail[1000];
	const struct event e = {.kind = EVENT_REJECTED, .detail = detail};

	memset(detail, 'x', sizeof(detail) - 1);
	while (n--)
		outbox_put(o, &e);
}

static void events_are_sent_again_until_kept(void **state)
{
	struct report *first = report_open(), *second = report_open();
	struct outbox o = {0};

	(void)state;
	put(&o, 3);
	outbox_connect(&o, first->ours);
	put(&o, 2);
	report_run(first);
	assert_int_equal(first->count, 5);
	outbox_kept(&o, 2);
	outbox_connect(&o, NULL);
	put(&o, 1);
	outbox_connect(&o, second->ours);
	report_run(second);
	assert_int_equal(second->count, 4);
	assert_int_equal(second->seen[0], 3);
	assert_int_equal(second->seen[3], 6);
	outbox_kept(&o, 6);
	assert_null(o.first);
	assert_int_equal(o.bytes, 0);
	report_close(first);
	report_close(second);
}

static void a_slow_report_is_not_swamped(void **state)
{
	struct report *r = report_open();
	struct outbox o = {0};

	(void)state;
	outbox_connect(&o, r->ours);
	put(&o, 5000);
	assert_true(channel_backlog(r->ours) < OUTBOX_BACKLOG_MAX + 2000);
	for (int i = 0; i < 50 && o.first; i++) {
		report_run(r);
		outbox_kept(&o, r->seen[r->count - 1]);
	}
	assert_int_equal(r->count, 5000);
	for (size_t i = 0; i < r->count; i++)
		assert_int_equal(r->seen[i], i + 1);
	report_close(r);
}

static void a_dead_report_costs_a_bounded_memory(void **state)
{
	struct report *late = report_open();
	struct outbox o = {0};

	(void)state;
	put(&o, 10000);
	assert_true(o.bytes <= OUTBOX_BYTES_MAX);
	assert_true(o.lost > 0);
	/* What is left are the newest. */
	outbox_connect(&o, late->ours);
	report_run(late);
	assert_int_equal(late->seen[0], o.lost + 1);
	outbox_free(&o);
	report_close(late);
}

/* ---- submissions ---- */

static char submitted_by[64];

static void on_submit(struct channel *c, struct message *m, void *arg)
{
	const char *reason;
	struct envelope *e =
		m->type == MSG_SUBMIT ? envelope_decode(m->payload, m->len, &reason) : NULL;
	struct submit_small small;

	(void)c;
	(void)arg;
	if (!e && submit_small_decode(m, &small))
		e = envelope_decode(small.envelope, small.envelope_len, &reason);
	assert_non_null(e);
	strcat(submitted_by, e->account);
	envelope_free(e);
}

static void submit(struct acceptor *a, const char *account, size_t size)
{
	struct envelope *e = envelope_new();
	struct body body = BODY_INIT;
	char *bytes = calloc(1, size);

	assert_non_null(bytes);
	envelope_set(&e->account, account);
	envelope_add_recipient(e, "bob@b.example");
	body_append(&body, bytes, size);
	assert_non_null(submission_send(a, NULL, e, &body, account, ""));
	free(bytes);
}

static void nothing_less(struct acceptor *a)
{
	(void)a;
}

/* The spool is given one batch; what is beyond waits here, and a small account's passes it. */
static void a_large_accounts_mail_waits_by_turns(void **state)
{
	static const char json[] =
		"{\"gatepost:relay\":{\"host-name\":\"r.example\",\"account\":["
		"{\"name\":\"a\",\"networks\":[\"192.0.2.1/32\"],\"from\":[\"*@a.example\"]},"
		"{\"name\":\"b\",\"networks\":[\"192.0.2.2/32\"],\"from\":[\"*@b.example\"]}]}}";
	struct buf error = BUF_INIT;
	struct relay_config *config = config_parse(json, strlen(json), &error);
	struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
	int ends[2];

	(void)state;
	assert_non_null(config);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	struct channel *its = channel_open(loop, ends[1], on_submit, on_closed, NULL);
	struct acceptor a = {.loop = loop, .config = config, .less = nothing_less};
	struct channel *ours = channel_open(loop, ends[0], on_message, on_closed, NULL);
	a.spool = ours;
	for (int i = 0; i < 6; i++)
		submit(&a, "a", 700000);
	submit(&a, "b", 5000);
	for (int i = 0; i < 50; i++)
		ev_run(loop, EVRUN_NOWAIT);
	assert_string_equal(submitted_by, "aa");
	/* Both are kept: a, who began, has its turn, and then b, though four of a's were before. */
	struct submitted kept = {.status = SUBMIT_KEPT};
	struct buf payload = BUF_INIT;
	submitted_encode(&kept, &payload);
	for (uint64_t id = 0; id < 2; id++) {
		const struct message answer = {
			.id = id, .payload = payload.data, .len = payload.len, .fd = -1};
		submission_answered(&a, &answer);
	}
	for (int i = 0; i < 50; i++)
		ev_run(loop, EVRUN_NOWAIT);
	assert_string_equal(submitted_by, "aaaba");
	a.spool = NULL;
	submission_fail_all(&a);
	assert_int_equal(a.asked_bytes, 0);
	assert_int_equal(a.waiting.count, 0);
	buf_free(&payload);
	tickets_free(&a.submissions);
	outbox_free(&a.outbox);
	channel_close(ours);
	channel_close(its);
	ev_loop_destroy(loop);
	config_free(config);
	buf_free(&error);
}

/* ---- turns ---- */

struct caller {
	struct fair_item item; /* first */
	char name;
	unsigned wanted;
};

static struct turns turns;
static char order[1000];
static size_t served;

static void serve(struct fair_item *item)
{
	struct caller *c = (struct caller *)(void *)item;

	order[served++] = c->name;
	if (--c->wanted)
		turns_ask(&turns, item, (uint32_t)c->name, 10, FAIR_QUANTUM * 10);
}

static void one_connection_is_not_behind_a_hundred(void **state)
{
	struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
	struct caller many[100] = {0}, one = {.name = 'b', .wanted = 3};

	(void)state;
	turns_open(&turns, loop, serve);
	for (size_t i = 0; i < 100; i++) {
		many[i].name = 'a';
		many[i].wanted = 2;
		turns_ask(&turns, &many[i].item, 'a', 10, FAIR_QUANTUM * 10);
	}
	turns_ask(&turns, &one.item, 'b', 10, FAIR_QUANTUM * 10);
	turns_ask(&turns, &one.item, 'b', 10, FAIR_QUANTUM * 10); /* counts once */
	for (int i = 0; i < 1000 && served < 203; i++)
		ev_run(loop, EVRUN_NOWAIT);
	assert_int_equal(served, 203);
	/* All three of b's turns come within the first few. */
	assert_in_range((char *)memrchr(order, 'b', served) - order, 2, 8);
	turns_ask(&turns, &one.item, 'b', 10, 1);
	turns_drop(&turns, &one.item);
	turns_drop(&turns, &one.item);
	ev_run(loop, EVRUN_NOWAIT);
	assert_int_equal(served, 203);
	fair_clear(&turns.queue);
	ev_loop_destroy(loop);
}

static void serve_by_weight(struct fair_item *item)
{
	struct caller *c = (struct caller *)(void *)item;

	if (served < sizeof(order))
		order[served++] = c->name;
	turns_ask(&turns, item, (uint32_t)c->name, c->name == 'c' ? 30 : 10, FAIR_QUANTUM);
}

/* An account's connections share its turns; a weight of 30 gives three times what 10 gives. */
static void turns_go_by_weight_whatever_the_connections(void **state)
{
	struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
	struct caller many[20] = {0}, two[2] = {0};
	unsigned by_two = 0;

	(void)state;
	served = 0;
	turns_open(&turns, loop, serve_by_weight);
	for (size_t i = 0; i < 20; i++) {
		many[i].name = 'a';
		turns_ask(&turns, &many[i].item, 'a', 10, FAIR_QUANTUM);
	}
	for (size_t i = 0; i < 2; i++) {
		two[i].name = 'c';
		turns_ask(&turns, &two[i].item, 'c', 30, FAIR_QUANTUM);
	}
	for (int i = 0; i < 1000 && served < sizeof(order); i++)
		ev_run(loop, EVRUN_NOWAIT);
	assert_int_equal(served, sizeof(order));
	for (size_t i = 0; i < served; i++)
		by_two += order[i] == 'c';
	assert_in_range(by_two, 700, 800);
	fair_clear(&turns.queue);
	ev_loop_destroy(loop);
}

static void accounts_and_sources_are_apart(void **state)
{
	(void)state;
	assert_int_not_equal(turns_account("a"), turns_source("a"));
	assert_int_not_equal(turns_account("acme"), turns_account("beta"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_large_accounts_mail_waits_by_turns),
		cmocka_unit_test(a_body_is_what_was_appended),
		cmocka_unit_test(a_body_without_room_is_none),
		cmocka_unit_test(events_are_sent_again_until_kept),
		cmocka_unit_test(a_slow_report_is_not_swamped),
		cmocka_unit_test(a_dead_report_costs_a_bounded_memory),
		cmocka_unit_test(one_connection_is_not_behind_a_hundred),
		cmocka_unit_test(turns_go_by_weight_whatever_the_connections),
		cmocka_unit_test(accounts_and_sources_are_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
