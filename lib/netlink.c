/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/netlink.h"

#include <errno.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum {
	/* Every read takes this much: the kernel sizes a dump's messages by the largest read so far
	 * and then wants it each time. */
	READ_BYTES = 64 * 1024,
	RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024,
	DUMP_TRIES = 20,
};

struct netlink {
	struct mnl_socket *socket;
	uint32_t seq;
	char reason[256];
	char buffer[READ_BYTES];
};

struct netlink *netlink_open(int bus, struct buf *error)
{
	struct netlink *nl = calloc(1, sizeof(*nl));
	int on = 1, size = RECEIVE_BUFFER_BYTES;

	if (!nl)
		abort();
	nl->seq = (uint32_t)time(NULL);
	nl->socket = mnl_socket_open2(bus, SOCK_CLOEXEC);
	if (!nl->socket || mnl_socket_bind(nl->socket, 0, MNL_SOCKET_AUTOPID) < 0) {
		buf_printf(error, "no netlink socket: %s", strerror(errno));
		netlink_close(nl);
		return NULL;
	}
	/* Each is wanted, none is needed. */
	mnl_socket_setsockopt(nl->socket, NETLINK_EXT_ACK, &on, sizeof(on));
	mnl_socket_setsockopt(nl->socket, NETLINK_CAP_ACK, &on, sizeof(on));
	mnl_socket_setsockopt(nl->socket, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
	setsockopt(mnl_socket_get_fd(nl->socket), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	return nl;
}

void netlink_close(struct netlink *nl)
{
	if (!nl)
		return;
	if (nl->socket)
		mnl_socket_close(nl->socket);
	free(nl);
}

uint32_t netlink_port(const struct netlink *nl)
{
	return mnl_socket_get_portid(nl->socket);
}

uint32_t netlink_seq(struct netlink *nl)
{
	/* 0 stands for messages that nobody asked for. */
	if (++nl->seq == 0)
		nl->seq++;
	return nl->seq;
}

const char *netlink_reason(const struct netlink *nl)
{
	return nl->reason;
}

static int fail(struct netlink *nl, int error, const char *words)
{
	if (words && *words)
		snprintf(nl->reason, sizeof(nl->reason), "%s (%s)", strerror(error), words);
	else
		snprintf(nl->reason, sizeof(nl->reason), "%s", strerror(error));
	return error;
}

/* ---- what the kernel says of a failure ---- */

static int read_fault_attr(const struct nlattr *attr, void *data)
{
	struct netlink_fault *fault = data;
	uint16_t type = mnl_attr_get_type(attr);

	if (type == NLMSGERR_ATTR_MSG && mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) == 0)
		snprintf(fault->reason, sizeof(fault->reason), "%s", mnl_attr_get_str(attr));
	if (type == NLMSGERR_ATTR_OFFS && mnl_attr_validate(attr, MNL_TYPE_U32) == 0)
		fault->offset = mnl_attr_get_u32(attr);
	return MNL_CB_OK;
}

/* Of an NLMSG_ERROR message; fault->error is 0 when it is an ack. */
static void read_fault(const struct nlmsghdr *nlh, struct netlink_fault *fault)
{
	const struct nlmsgerr *err = mnl_nlmsg_get_payload(nlh);
	size_t skip = sizeof(*err);

	memset(fault, 0, sizeof(*fault));
	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*err)) {
		fault->error = EBADMSG;
		return;
	}
	fault->seq = err->msg.nlmsg_seq;
	fault->error = err->error < 0 ? -err->error : err->error;
	if (!(nlh->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	if (!(nlh->nlmsg_flags & NLM_F_CAPPED) && err->msg.nlmsg_len >= sizeof(err->msg))
		skip += err->msg.nlmsg_len - sizeof(err->msg);
	if (skip < mnl_nlmsg_get_payload_len(nlh))
		mnl_attr_parse(nlh, (unsigned)MNL_ALIGN(skip), read_fault_attr, fault);
}

/* ---- requests ---- */

static int send_request(struct netlink *nl, struct nlmsghdr *request, uint16_t flags)
{
	request->nlmsg_flags |= NLM_F_REQUEST | flags;
	request->nlmsg_seq = netlink_seq(nl);
	if (mnl_socket_sendto(nl->socket, request, request->nlmsg_len) < 0)
		return fail(nl, errno, NULL);
	return 0;
}

/* One answer being read. */
struct answer {
	uint32_t seq;
	bool dump;        /* ends with NLMSG_DONE */
	bool interrupted; /* the kernel's tables changed while it was made */
	bool complete;
	int error;
	struct buf messages; /* those that are neither end nor error, one behind the other */
};

static void take_message(struct netlink *nl, struct answer *a, const struct nlmsghdr *nlh)
{
	struct netlink_fault fault;

	if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
		a->interrupted = true;
	if (nlh->nlmsg_type == NLMSG_ERROR) {
		read_fault(nlh, &fault);
		a->complete = true;
		a->error = fault.error ? fail(nl, fault.error, fault.reason) : 0;
	} else if (nlh->nlmsg_type == NLMSG_DONE) {
		int status = 0;
		if (mnl_nlmsg_get_payload_len(nlh) >= sizeof(status))
			memcpy(&status, mnl_nlmsg_get_payload(nlh), sizeof(status));
		a->complete = true;
		memset(&fault, 0, sizeof(fault));
		if (nlh->nlmsg_flags & NLM_F_ACK_TLVS)
			mnl_attr_parse(nlh, MNL_ALIGN(sizeof(status)), read_fault_attr, &fault);
		if (status < 0)
			a->error = fail(nl, -status, fault.reason);
	} else if (nlh->nlmsg_type >= NLMSG_MIN_TYPE) {
		buf_append(&a->messages, nlh, nlh->nlmsg_len);
		buf_append(&a->messages, "\0\0\0", MNL_ALIGN(nlh->nlmsg_len) - nlh->nlmsg_len);
		a->complete = !a->dump;
	}
}

/* Reads until the answer is complete; messages of older requests are passed over. */
static int read_answer(struct netlink *nl, struct answer *a)
{
	while (!a->complete) {
		ssize_t got = mnl_socket_recvfrom(nl->socket, nl->buffer, sizeof(nl->buffer));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return fail(nl, errno, NULL);
		int left = (int)got;
		const struct nlmsghdr *nlh = (const struct nlmsghdr *)nl->buffer;
		for (; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left))
			if (nlh->nlmsg_seq == a->seq && !a->complete)
				take_message(nl, a, nlh);
	}
	return a->error;
}

int netlink_do(struct netlink *nl, struct nlmsghdr *request)
{
	int error = send_request(nl, request, NLM_F_ACK);

	if (error)
		return error;
	/* An answer that is no ack (a notification's copy) may come first. */
	struct answer a = {.seq = request->nlmsg_seq, .dump = true};
	error = read_answer(nl, &a);
	buf_free(&a.messages);
	return error;
}

static void hand_over(const struct buf *messages, netlink_message *each, void *context)
{
	size_t at = 0;

	while (at < messages->len) {
		const struct nlmsghdr *nlh = (const struct nlmsghdr *)(messages->data + at);
		each(nlh, context);
		at += MNL_ALIGN(nlh->nlmsg_len);
	}
}

static int answer_once(struct netlink *nl, struct nlmsghdr *request, bool dump,
		       netlink_message *each, void *context, bool *again)
{
	int error = send_request(nl, request, dump ? NLM_F_DUMP : 0);

	if (error)
		return error;
	struct answer a = {.seq = request->nlmsg_seq, .dump = dump};
	error = read_answer(nl, &a);
	*again = !error && a.interrupted;
	if (!error && !a.interrupted)
		hand_over(&a.messages, each, context);
	buf_free(&a.messages);
	return error;
}

int netlink_dump(struct netlink *nl, struct nlmsghdr *request, netlink_message *each, void *context)
{
	for (int i = 0; i < DUMP_TRIES; i++) {
		bool again = false;
		int error = answer_once(nl, request, true, each, context, &again);
		if (error || !again)
			return error;
	}
	return fail(nl, EINTR, "the kernel's tables kept changing while they were read");
}

int netlink_ask(struct netlink *nl, struct nlmsghdr *request, netlink_message *each, void *context)
{
	bool again;

	return answer_once(nl, request, false, each, context, &again);
}

/* ---- batches ---- */

/* The socket's send buffer bounds one datagram; the kernel doubles what is asked for. */
static void make_room(struct netlink *nl, size_t n)
{
	int size = n > INT32_MAX / 4 ? INT32_MAX / 4 : (int)n;

	setsockopt(mnl_socket_get_fd(nl->socket), SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size));
}

int netlink_send_batch(struct netlink *nl, const void *bytes, size_t n, struct netlink_fault *fault)
{
	memset(fault, 0, sizeof(*fault));
	make_room(nl, n);
	if (mnl_socket_sendto(nl->socket, bytes, n) < 0)
		return fail(nl, errno, NULL);
	for (;;) {
		ssize_t got = recv(mnl_socket_get_fd(nl->socket), nl->buffer, sizeof(nl->buffer),
				   MSG_DONTWAIT);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return errno == EAGAIN ? 0 : fail(nl, errno, NULL);
		int left = (int)got;
		const struct nlmsghdr *nlh = (const struct nlmsghdr *)nl->buffer;
		for (; mnl_nlmsg_ok(nlh, left); nlh = mnl_nlmsg_next(nlh, &left)) {
			struct netlink_fault f;
			if (nlh->nlmsg_type != NLMSG_ERROR)
				continue;
			read_fault(nlh, &f);
			if (f.error && !fault->seq)
				*fault = f;
		}
	}
}
