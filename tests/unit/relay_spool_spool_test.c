/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The process spool over real channels: what it answers, and what it tells deliver and work. */
#include "relay/process.h"
#include "relay/spool/segment.h"
#include "tests/unit/cmocka.h"
#include "tests/unit/tmpdir.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

/* What process.c gives a role. The clock is the test's. */
static uint64_t steady_ms = 1;

uint64_t clock_wall_ms(void)
{
	return 1700000000000;
}

uint64_t clock_steady_ms(void)
{
	return steady_ms;
}

void process_exit(struct process *p)
{
	(void)p;
	_exit(0);
}

/* One end of a channel, and what came through it. */
#define HEARD_MAX 4096
struct peer {
	struct channel *channel;
	struct {
		uint32_t type;
		uint64_t id;
		struct submitted submitted;
		uint32_t segment;
		int fd;
		struct queued queued;
	} heard[HEARD_MAX];
	size_t count;
};

static void on_heard(struct channel *c, struct message *m, void *arg)
{
	struct peer *p = arg;

	(void)c;
	assert_true(p->count < HEARD_MAX);
	size_t i = p->count++;
	p->heard[i].type = m->type;
	p->heard[i].id = m->id;
	p->heard[i].fd = -1;
	if (m->type == MSG_SUBMITTED) {
		assert_true(submitted_decode(m, &p->heard[i].submitted));
	} else if (m->type == MSG_SEGMENT || m->type == MSG_SEGMENT_GONE) {
		assert_true(segment_decode(m, &p->heard[i].segment));
		p->heard[i].fd = m->fd;
		assert_true((m->fd >= 0) == (m->type == MSG_SEGMENT));
		m->fd = -1;
	} else if (m->type == MSG_QUEUED) {
		assert_true(queued_decode(m, &p->heard[i].queued));
	}
}

static void on_lost(struct channel *c, void *arg)
{
	(void)c;
	((struct peer *)arg)->channel = NULL;
}

/* --- the spool, in a process of its own as in the relay --- */

static struct process child;
static struct peer_of_child {
	enum role_id role;
	struct channel *channel;
} child_peers[8];

static void child_closed(struct channel *c, void *arg)
{
	const struct peer_of_child *p = arg;

	if (p->role == ROLE_MAIN)
		_exit(1);
	spool_role.peer_down(&child, p->role, 0, c);
}

static void child_message(struct channel *c, struct message *m, void *arg)
{
	const struct peer_of_child *p = arg;

	/* The test's own commands: a new peer, the clock, the end. */
	if (p->role != ROLE_MAIN) {
		spool_role.message(&child, p->role, c, m);
	} else if (m->type == MSG_PEER) {
		struct peer_of_child *fresh = &child_peers[m->id & 7];
		fresh->role = (enum role_id)(m->id >> 3);
		fresh->channel =
			channel_open(child.loop, m->fd, child_message, child_closed, fresh);
		m->fd = -1;
		spool_role.peer_up(&child, fresh->role, 0, fresh->channel);
	} else if (m->type == MSG_CONFIG) {
		steady_ms = m->id;
	} else if (m->type == MSG_STOP) {
		spool_role.stop(&child);
	}
}

/* cmocka's handlers would go on with the next test in here. */
static void die_of_faults(void)
{
	static const int faults[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};

	for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++)
		signal(faults[i], SIG_DFL);
}

static _Noreturn void run_child(int fd)
{
	static struct peer_of_child main_peer = {.role = ROLE_MAIN};

	die_of_faults();
	child.role = &spool_role;
	child.loop = ev_loop_new(EVFLAG_AUTO);
	spool_role.open(&child);
	main_peer.channel = channel_open(child.loop, fd, child_message, child_closed, &main_peer);
	ev_run(child.loop, 0);
	_exit(1);
}

/* --- the test's side --- */

static struct ev_loop *loop;
static struct peer main_end;
static pid_t child_pid;

static void start(void)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds),
			 0);
	child_pid = fork();
	if (child_pid == 0) {
		close(fds[0]);
		run_child(fds[1]);
	}
	close(fds[1]);
	if (!loop)
		loop = ev_loop_new(EVFLAG_AUTO);
	memset(&main_end, 0, sizeof(main_end));
	main_end.channel = channel_open(loop, fds[0], on_heard, on_lost, &main_end);
}

/* A peer that reads nothing until it is opened with open_peer(). */
static int connect_deaf(enum role_id role, unsigned slot)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds),
			 0);
	channel_send(main_end.channel, MSG_PEER, (uint64_t)role << 3 | slot, NULL, fds[1]);
	return fds[0];
}

static struct peer *open_peer(int fd)
{
	struct peer *p = calloc(1, sizeof(*p));

	p->channel = channel_open(loop, fd, on_heard, on_lost, p);
	return p;
}

static struct peer *connect_as(enum role_id role, unsigned slot)
{
	return open_peer(connect_deaf(role, slot));
}

static void leave(struct peer *p)
{
	for (size_t i = 0; i < p->count; i++) {
		if (p->heard[i].fd >= 0)
			close(p->heard[i].fd);
		envelope_free(p->heard[i].queued.envelope);
	}
	if (p->channel)
		channel_close(p->channel);
	free(p);
}

static void end(int how)
{
	int status;

	if (how)
		kill(child_pid, how);
	else
		channel_send(main_end.channel, MSG_STOP, 0, NULL, -1);
	while (main_end.channel)
		ev_run(loop, EVRUN_ONCE);
	assert_int_equal(waitpid(child_pid, &status, 0), child_pid);
	assert_true(how ? WIFSIGNALED(status) : WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static size_t heard(const struct peer *p, uint32_t type)
{
	size_t n = 0;

	for (size_t i = 0; i < p->count; i++)
		n += p->heard[i].type == type;
	return n;
}

/* The first message of a type with that id, once it came. */
static size_t await(struct peer *p, uint32_t type, uint64_t id)
{
	for (;;) {
		for (size_t i = 0; i < p->count; i++)
			if (p->heard[i].type == type && p->heard[i].id == id)
				return i;
		assert_non_null(p->channel);
		ev_run(loop, EVRUN_ONCE);
	}
}

static void await_count(struct peer *p, uint32_t type, size_t n)
{
	while (heard(p, type) < n) {
		assert_non_null(p->channel);
		ev_run(loop, EVRUN_ONCE);
	}
}

/* A small one of an even number travels in the payload, the others as a file. */
static void submit_to(struct peer *p, uint64_t id, size_t size, unsigned recipients)
{
	struct envelope *e = envelope_new();
	struct buf record = BUF_INIT, payload = BUF_INIT;
	char *bytes = malloc(size + 1);

	memset(bytes, 'a' + (int)(id % 26), size);
	for (unsigned i = 0; i < recipients; i++)
		envelope_add_recipient(e, "c@d.example");
	envelope_encode(e, &record);
	if (id % 2 == 0 && record.len + size <= SUBMIT_SMALL_MAX) {
		submit_small_encode(&(struct submit_small){record.data, bytes, record.len, size},
				    &payload);
		channel_send(p->channel, MSG_SUBMIT_SMALL, id, &payload, -1);
	} else {
		int fd = memfd_create("body", MFD_CLOEXEC);

		assert_int_equal(write(fd, bytes, size), size);
		channel_send(p->channel, MSG_SUBMIT, id, &record, fd);
	}
	free(bytes);
	buf_free(&record);
	buf_free(&payload);
	envelope_free(e);
}

static void submit(struct peer *p, uint64_t id, size_t size)
{
	submit_to(p, id, size, 2);
}

static void report(struct peer *p, uint64_t ask, uint64_t message, enum recipient_state state)
{
	struct progress_item items[2] = {{.recipient = 0, .state = (uint8_t)state},
					 {.recipient = 1, .state = (uint8_t)state}};
	struct progress progress = {message, items, 2};
	struct buf payload = BUF_INIT;

	progress_encode(&progress, &payload);
	channel_send(p->channel, MSG_PROGRESS, ask, &payload, -1);
	buf_free(&payload);
}

static int setup(void **state)
{
	steady_ms = 1;
	return tmpdir_setup(state);
}

/* --- promises --- */

static void is_answered_and_told(uint64_t number)
{
	start();
	struct peer *accept = connect_as(ROLE_ACCEPT, 0), *deliver = connect_as(ROLE_DELIVER, 1),
		    *work = connect_as(ROLE_WORK, 2);

	submit(accept, number, 5000);
	size_t i = await(accept, MSG_SUBMITTED, number);
	assert_int_equal(accept->heard[i].submitted.status, SUBMIT_KEPT);
	uint64_t id = accept->heard[i].submitted.message;
	size_t q = await(deliver, MSG_QUEUED, id);
	const struct queued *queued = &deliver->heard[q].queued;
	assert_true(queued->envelope->id == id && queued->place.size == 5000);
	assert_int_equal(queued->envelope->recipient_count, 2);

	/* The segment came first, and on work's channel too. */
	await_count(work, MSG_SEGMENT, 1);
	for (size_t j = 0; j < q; j++)
		if (deliver->heard[j].type == MSG_SEGMENT) {
			int fd = deliver->heard[j].fd;

			assert_int_equal(deliver->heard[j].segment, queued->place.segment);
			assert_null(segment_check(fd, id, &queued->place, SEGMENT_BODY, NULL));
			assert_int_equal(write(fd, "x", 1), -1);
		}
	assert_int_equal(heard(deliver, MSG_SEGMENT), 1);
	assert_int_equal(heard(work, MSG_QUEUED), 0);
	leave(accept);
	leave(deliver);
	leave(work);
	end(0);
}

static void a_submitted_message_is_answered_and_told_with_its_bytes(void **state)
{
	(void)state;
	is_answered_and_told(7);
}

static void so_is_a_small_one_within_its_payload(void **state)
{
	(void)state;
	is_answered_and_told(8);
}

static void what_is_no_message_gets_an_error(void **state)
{
	(void)state;
	start();
	struct peer *accept = connect_as(ROLE_ACCEPT, 0);
	struct buf payload = BUF_INIT;

	buf_appends(&payload, "this is no envelope");
	channel_send(accept->channel, MSG_SUBMIT, 1, &payload, memfd_create("body", MFD_CLOEXEC));
	struct envelope *e = envelope_new();
	envelope_add_recipient(e, "a@b.example");
	buf_clear(&payload);
	envelope_encode(e, &payload);
	channel_send(accept->channel, MSG_SUBMIT, 2, &payload, -1);
	submit(accept, 3, 10);
	channel_send(accept->channel, MSG_SUBMIT_SMALL, 4, &payload, -1);
	buf_clear(&payload);
	submit_small_encode(&(struct submit_small){"no envelope", "body", 11, 4}, &payload);
	channel_send(accept->channel, MSG_SUBMIT_SMALL, 5, &payload, -1);
	submit(accept, 6, 0);
	for (uint64_t id = 1; id <= 6; id++) {
		size_t i = await(accept, MSG_SUBMITTED, id);

		assert_int_equal(accept->heard[i].submitted.status,
				 id % 3 ? SUBMIT_ERROR : SUBMIT_KEPT);
	}
	envelope_free(e);
	buf_free(&payload);
	leave(accept);
	end(0);
}

static void many_messages_at_once_are_each_answered_and_told_once_in_order(void **state)
{
	(void)state;
	enum { MANY = 1500 };
	start();
	struct peer *accept = connect_as(ROLE_ACCEPT, 0), *deliver = connect_as(ROLE_DELIVER, 1);
	uint64_t last = 0;

	for (uint64_t i = 0; i < MANY; i++)
		submit(accept, i, 100);
	await_count(accept, MSG_SUBMITTED, MANY);
	await_count(deliver, MSG_QUEUED, MANY);
	for (size_t i = 0; i < deliver->count; i++)
		if (deliver->heard[i].type == MSG_QUEUED) {
			assert_true(deliver->heard[i].id > last);
			last = deliver->heard[i].id;
		}
	assert_int_equal(heard(deliver, MSG_QUEUED), MANY);
	leave(accept);
	leave(deliver);
	end(0);
}

static void a_new_deliver_is_told_everything_that_waits(void **state)
{
	(void)state;
	enum { MANY = 700 };
	start();
	struct peer *accept = connect_as(ROLE_ACCEPT, 0), *deliver = connect_as(ROLE_DELIVER, 1);

	for (uint64_t i = 0; i < MANY; i++)
		submit(accept, i, 100);
	await_count(deliver, MSG_QUEUED, MANY);
	uint64_t done = accept->heard[await(accept, MSG_SUBMITTED, 5)].submitted.message;
	report(deliver, 99, done, RECIPIENT_DELIVERED);
	/* It dies at once: what it has reported counts, and the next one is not told of it. */
	channel_flush(deliver->channel);
	leave(deliver);
	deliver = connect_as(ROLE_DELIVER, 2);
	submit(accept, MANY, 100);
	await_count(deliver, MSG_QUEUED, MANY);
	submit(accept, MANY + 1, 100);
	await_count(deliver, MSG_QUEUED, MANY + 1);
	for (size_t i = 0; i < deliver->count; i++)
		assert_true(deliver->heard[i].id != done);
	leave(accept);
	leave(deliver);
	end(0);
}

static void a_deliver_that_does_not_read_holds_up_nobody_and_misses_nothing(void **state)
{
	(void)state;
	enum { MANY = 200 };
	start();
	int fd = connect_deaf(ROLE_DELIVER, 1);
	struct peer *accept = connect_as(ROLE_ACCEPT, 0);
	uint64_t last = 0;

	/* Some 8 MB of envelopes, while it sleeps. */
	for (uint64_t i = 0; i < MANY; i++)
		submit_to(accept, i, 100, 1000);
	await_count(accept, MSG_SUBMITTED, MANY);
	struct peer *deliver = open_peer(fd);
	await_count(deliver, MSG_QUEUED, MANY);
	submit(accept, MANY, 100);
	uint64_t newest = accept->heard[await(accept, MSG_SUBMITTED, MANY)].submitted.message;
	await(deliver, MSG_QUEUED, newest);
	for (size_t i = 0; i < deliver->count; i++)
		if (deliver->heard[i].type == MSG_QUEUED) {
			assert_true(deliver->heard[i].id > last);
			last = deliver->heard[i].id;
		}
	assert_int_equal(heard(deliver, MSG_QUEUED), MANY + 1);
	leave(accept);
	leave(deliver);
	end(0);
}

static void progress_is_answered_once_it_is_kept(void **state)
{
	(void)state;
	start();
	struct peer *accept = connect_as(ROLE_ACCEPT, 0), *deliver = connect_as(ROLE_DELIVER, 1);
	uint64_t ids[3];

	for (uint64_t i = 0; i < 3; i++) {
		submit(accept, i, 100);
		ids[i] = accept->heard[await(accept, MSG_SUBMITTED, i)].submitted.message;
	}
	report(deliver, 40, ids[0], RECIPIENT_DELIVERED);
	report(deliver, 41, ids[1], RECIPIENT_HELD);
	await(deliver, MSG_PROGRESSED, 40);
	await(deliver, MSG_PROGRESSED, 41);
	end(SIGKILL);
	leave(accept);
	leave(deliver);

	start();
	deliver = connect_as(ROLE_DELIVER, 1);
	await_count(deliver, MSG_QUEUED, 2);
	const struct queued *held = &deliver->heard[await(deliver, MSG_QUEUED, ids[1])].queued;
	assert_int_equal(held->envelope->recipients[1].state, RECIPIENT_HELD);
	await(deliver, MSG_QUEUED, ids[2]);
	leave(deliver);
	end(0);
}

static void what_a_stop_has_answered_is_kept_and_nothing_else(void **state)
{
	(void)state;
	start();
	struct peer *accept = connect_as(ROLE_ACCEPT, 0), *deliver = connect_as(ROLE_DELIVER, 1);

	submit(accept, 1, 100);
	uint64_t id = accept->heard[await(accept, MSG_SUBMITTED, 1)].submitted.message;
	await(deliver, MSG_QUEUED, id);
	/* The stop overtakes them, or not. */
	submit(accept, 2, 100);
	report(deliver, 3, id, RECIPIENT_DELIVERED);
	end(0);
	while (accept->channel || deliver->channel)
		ev_run(loop, EVRUN_ONCE);
	size_t left = heard(accept, MSG_SUBMITTED) - heard(deliver, MSG_PROGRESSED);
	leave(accept);
	leave(deliver);

	start();
	deliver = connect_as(ROLE_DELIVER, 1);
	accept = connect_as(ROLE_ACCEPT, 2);
	submit(accept, 2, 100);
	uint64_t last = accept->heard[await(accept, MSG_SUBMITTED, 2)].submitted.message;
	await(deliver, MSG_QUEUED, last);
	assert_int_equal(heard(deliver, MSG_QUEUED), left + 1);
	leave(accept);
	leave(deliver);
	end(0);
}

static void a_dead_segment_is_told_to_be_gone(void **state)
{
	(void)state;
	enum { LARGE = 70 * 1024 * 1024 };
	start();
	struct peer *accept = connect_as(ROLE_ACCEPT, 0), *work = connect_as(ROLE_WORK, 1),
		    *deliver = connect_as(ROLE_DELIVER, 2);

	/* Larger than any segment: it has one of its own, and the next message begins another. */
	submit(accept, 1, LARGE);
	uint64_t id = accept->heard[await(accept, MSG_SUBMITTED, 1)].submitted.message;
	submit(accept, 2, 10);
	await(accept, MSG_SUBMITTED, 2);
	report(deliver, 3, id, RECIPIENT_FAILED);
	await_count(work, MSG_SEGMENT_GONE, 1);
	await_count(deliver, MSG_SEGMENT_GONE, 1);
	assert_int_equal(heard(work, MSG_SEGMENT), 2);
	leave(accept);
	leave(deliver);
	leave(work);
	end(0);
}

#define spool_test(f) cmocka_unit_test_setup_teardown(f, setup, tmpdir_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		spool_test(a_submitted_message_is_answered_and_told_with_its_bytes),
		spool_test(so_is_a_small_one_within_its_payload),
		spool_test(what_is_no_message_gets_an_error),
		spool_test(many_messages_at_once_are_each_answered_and_told_once_in_order),
		spool_test(a_new_deliver_is_told_everything_that_waits),
		spool_test(a_deliver_that_does_not_read_holds_up_nobody_and_misses_nothing),
		spool_test(progress_is_answered_once_it_is_kept),
		spool_test(what_a_stop_has_answered_is_kept_and_nothing_else),
		spool_test(a_dead_segment_is_told_to_be_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
