/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "console/handover.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

union one_fd {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(int))];
};

bool handover_send(int to, int fd, const char *client)
{
	union one_fd control = {0};
	struct iovec iov = {.iov_base = (void *)client, .iov_len = strlen(client)};
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = &control,
			   .msg_controllen = sizeof(control)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	if (iov.iov_len == 0 || iov.iov_len >= HANDOVER_CLIENT_MAX) {
		errno = EINVAL;
		return false;
	}
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	return sendmsg(to, &m, MSG_NOSIGNAL | MSG_DONTWAIT) > 0;
}

int handover_receive(int from, int flags, char client[HANDOVER_CLIENT_MAX])
{
	union one_fd control = {0};
	struct iovec iov = {client, HANDOVER_CLIENT_MAX - 1};
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = &control,
			   .msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(from, &m, flags | MSG_CMSG_CLOEXEC);
	int fd = -1;

	if (n <= 0) {
		errno = n == 0 || errno == ECONNRESET ? EPIPE : errno;
		return -1;
	}
	client[n] = '\0';
	for (char *c = client; *c; c++)
		if (!isgraph((unsigned char)*c))
			*c = '?';
	const struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
	    c->cmsg_len == CMSG_LEN(sizeof(fd)))
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	else
		errno = EPROTO;
	return fd;
}
