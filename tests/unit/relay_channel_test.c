/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/channel.h"

#include "tests/unit/cmocka.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MESSAGES = 3000 };

static struct {
	struct ev_loop *loop;
	struct channel *a, *b;
	unsigned got, with_fd, wrong, closed;
} t;

static int body(uint32_t number)
{
	int fd = memfd_create("body", MFD_CLOEXEC);

	assert_int_equal(pwrite(fd, &number, sizeof(number), 0), sizeof(number));
	return fd;
}

/* Message n carries n bytes of its number, and a descriptor that holds n when n % 3 is 0. */
static void on_message(struct channel *c, struct message *m, void *arg)
{
	uint32_t inside = 0;

	(void)c;
	(void)arg;
	if (m->id != t.got || m->type != m->id % 7 || m->len != m->id % 5000)
		t.wrong++;
	for (size_t i = 0; i < m->len; i++)
		if (((const unsigned char *)m->payload)[i] != (unsigned char)m->id)
			t.wrong++;
	if (m->fd >= 0) {
		t.with_fd++;
		if (pread(m->fd, &inside, sizeof(inside), 0) != sizeof(inside) || inside != m->id)
			t.wrong++;
	}
	if ((m->fd >= 0) != (m->id % 3 == 0))
		t.wrong++;
	if (++t.got == MESSAGES)
		ev_break(t.loop, EVBREAK_ALL);
}

static void on_closed(struct channel *c, void *arg)
{
	(void)arg;
	t.closed++;
	if (c == t.a)
		t.a = NULL;
	if (c == t.b)
		t.b = NULL;
	ev_break(t.loop, EVBREAK_ALL);
}

static int set_up(void **state)
{
	int ends[2];

	(void)state;
	memset(&t, 0, sizeof(t));
	t.loop = ev_loop_new(EVFLAG_AUTO);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) != 0)
		return -1;
	t.a = channel_open(t.loop, ends[0], on_message, on_closed, NULL);
	t.b = channel_open(t.loop, ends[1], on_message, on_closed, NULL);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	if (t.a)
		channel_close(t.a);
	if (t.b)
		channel_close(t.b);
	ev_loop_destroy(t.loop);
	return 0;
}

static void messages_and_descriptors_arrive_whole_and_in_order(void **state)
{
	struct buf payload = BUF_INIT;

	(void)state;
	for (uint32_t i = 0; i < MESSAGES; i++) {
		buf_clear(&payload);
		for (uint32_t k = 0; k < i % 5000; k++)
			buf_appendc(&payload, (char)i);
		channel_send(t.a, i % 7, i, &payload, i % 3 ? -1 : body(i));
	}
	buf_free(&payload);
	ev_run(t.loop, 0);
	assert_int_equal(t.got, MESSAGES);
	assert_int_equal(t.with_fd, MESSAGES / 3);
	assert_int_equal(t.wrong, 0);
	assert_int_equal(channel_backlog(t.a), 0);
}

/* Odd ones may wait; they leave in order, and the last one without another message's help. */
static void what_may_wait_keeps_its_place_and_leaves(void **state)
{
	struct buf payload = BUF_INIT;

	(void)state;
	t.got = MESSAGES - 7;
	for (uint32_t i = t.got; i < MESSAGES; i++) {
		buf_clear(&payload);
		for (uint32_t k = 0; k < i % 5000; k++)
			buf_appendc(&payload, (char)i);
		if (i % 3)
			channel_send_later(t.a, i % 7, i, &payload);
		else
			channel_send(t.a, i % 7, i, &payload, body(i));
	}
	buf_free(&payload);
	ev_run(t.loop, 0);
	assert_int_equal(t.got, MESSAGES);
	assert_int_equal(t.wrong, 0);
	assert_int_equal(channel_backlog(t.a), 0);
}

static void a_length_over_the_bound_closes_the_channel(void **state)
{
	static const unsigned char header[17] = {1, 0, 0, 0, [12] = 1, 0, 0x10, 0};
	int ends[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	struct channel *victim = channel_open(t.loop, ends[0], on_message, on_closed, NULL);
	assert_non_null(victim);
	assert_int_equal(write(ends[1], header, sizeof(header)), sizeof(header));
	ev_run(t.loop, 0);
	assert_int_equal(t.closed, 1);
	assert_int_equal(t.got, 0);
	close(ends[1]);
}

static void the_end_of_one_side_is_told_to_the_other(void **state)
{
	(void)state;
	channel_close(t.a);
	t.a = NULL;
	ev_run(t.loop, 0);
	assert_int_equal(t.closed, 1);
	assert_null(t.b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(messages_and_descriptors_arrive_whole_and_in_order,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_may_wait_keeps_its_place_and_leaves, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_length_over_the_bound_closes_the_channel, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(the_end_of_one_side_is_told_to_the_other, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
