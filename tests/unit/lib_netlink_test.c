/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/netlink.h"
#include "tests/unit/cmocka.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>

static struct netlink *nl;

static struct nlmsghdr *link_request(char *buffer, uint16_t type, int index)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buffer);
	struct ifinfomsg *ifi;

	nlh->nlmsg_type = type;
	ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));
	ifi->ifi_index = index;
	return nlh;
}

static void count_loopback(const struct nlmsghdr *nlh, void *context)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);

	assert_int_equal(nlh->nlmsg_type, RTM_NEWLINK);
	if (ifi->ifi_flags & IFF_LOOPBACK)
		++*(int *)context;
}

static void a_dump_hands_over_every_message_once(void **state)
{
	char buffer[NETLINK_MESSAGE_MAX];
	int loopbacks = 0;

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(netlink_dump(nl, link_request(buffer, RTM_GETLINK, 0),
					      count_loopback, &loopbacks),
				 0);
	assert_int_equal(loopbacks, 3);
}

static void a_question_has_one_answer(void **state)
{
	char buffer[NETLINK_MESSAGE_MAX];
	int loopbacks = 0;

	(void)state;
	assert_int_equal(netlink_ask(nl,
				     link_request(buffer, RTM_GETLINK, (int)if_nametoindex("lo")),
				     count_loopback, &loopbacks),
			 0);
	assert_int_equal(loopbacks, 1);
}

static void a_refusal_is_an_errno_and_words(void **state)
{
	char buffer[NETLINK_MESSAGE_MAX];
	int loopbacks = 0;

	(void)state;
	assert_int_equal(netlink_ask(nl, link_request(buffer, RTM_GETLINK, 0x7ffffff0),
				     count_loopback, &loopbacks),
			 ENODEV);
	assert_string_equal(netlink_reason(nl), "No such device");
	assert_int_equal(loopbacks, 0);
	/* The kernel's own words, where it has some: of one question, and of a dump. */
	struct nlmsghdr *nlh = link_request(buffer, RTM_GETLINK, 1);
	((struct ifinfomsg *)mnl_nlmsg_get_payload(nlh))->ifi_flags = 1;
	assert_int_equal(netlink_ask(nl, nlh, count_loopback, &loopbacks), EINVAL);
	assert_string_equal(netlink_reason(nl), "Invalid argument (Invalid values in header for "
						"get link request)");
	nlh = link_request(buffer, RTM_GETLINK, 0);
	((struct ifinfomsg *)mnl_nlmsg_get_payload(nlh))->ifi_flags = 1;
	assert_int_equal(netlink_dump(nl, nlh, count_loopback, &loopbacks), EINVAL);
	assert_string_equal(netlink_reason(nl),
			    "Invalid argument (Invalid values in header for link dump request)");
}

/* An answer that nobody waited for does not become the next question's. */
static void each_answer_belongs_to_its_question(void **state)
{
	char buffer[NETLINK_MESSAGE_MAX];
	int loopbacks = 0;
	struct netlink_fault fault;
	struct nlmsghdr *nlh = link_request(buffer, RTM_GETLINK, (int)if_nametoindex("lo"));

	(void)state;
	nlh->nlmsg_flags = NLM_F_REQUEST;
	nlh->nlmsg_seq = netlink_seq(nl);
	assert_int_equal(netlink_send_batch(nl, buffer, nlh->nlmsg_len, &fault), 0);
	assert_int_equal(fault.seq, 0);
	nlh = link_request(buffer, RTM_GETLINK, 0x7ffffff0);
	nlh->nlmsg_flags = NLM_F_REQUEST;
	nlh->nlmsg_seq = netlink_seq(nl);
	uint32_t seq = nlh->nlmsg_seq;
	assert_int_equal(netlink_send_batch(nl, buffer, nlh->nlmsg_len, &fault), 0);
	assert_int_equal(fault.seq, seq);
	assert_int_equal(fault.error, ENODEV);
	assert_int_equal(
		netlink_dump(nl, link_request(buffer, RTM_GETLINK, 0), count_loopback, &loopbacks),
		0);
	assert_int_equal(loopbacks, 1);
}

static int open_netlink(void **state)
{
	struct buf error = BUF_INIT;

	(void)state;
	nl = netlink_open(NETLINK_ROUTE, &error);
	buf_free(&error);
	return nl ? 0 : -1;
}

static int close_netlink(void **state)
{
	(void)state;
	netlink_close(nl);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_dump_hands_over_every_message_once),
		cmocka_unit_test(a_question_has_one_answer),
		cmocka_unit_test(a_refusal_is_an_errno_and_words),
		cmocka_unit_test(each_answer_belongs_to_its_question),
	};

	return cmocka_run_group_tests(tests, open_netlink, close_netlink);
}
