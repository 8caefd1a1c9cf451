/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "console/authlog.h"

#include "lib/log.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 1024, AT_ONCE = 32, TIME_LEN = 16 /* "Jan  2 03:04:05 " */ };

static bool somebody_listens(int fd, const struct sockaddr_un *at)
{
	bool there = connect(fd, (const struct sockaddr *)at, sizeof(*at)) == 0;

	/* Undoes the connect. */
	const struct sockaddr none = {.sa_family = AF_UNSPEC};
	connect(fd, &none, sizeof(none));
	return there;
}

int authlog_open(const char *path)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	if ((size_t)snprintf(at.sun_path, sizeof(at.sun_path), "%s", path) >= sizeof(at.sun_path)) {
		errno = ENAMETOOLONG;
	} else if (somebody_listens(fd, &at)) {
		errno = EADDRINUSE;
	} else {
		unlink(path); /* of one that ended */
		mode_t before = umask(0177);
		int status = bind(fd, (const struct sockaddr *)&at, sizeof(at));
		umask(before);
		if (status == 0)
			return fd;
	}
	int why = errno;
	close(fd);
	errno = why;
	return -1;
}

const char *authlog_text(const char *bytes, size_t n, size_t *len)
{
	const char *end = bytes + n, *at = bytes;

	if (at < end && *at == '<') {
		const char *behind = memchr(at, '>', (size_t)(end - at));
		at = behind ? behind + 1 : at;
	}
	if (end - at > TIME_LEN && at[3] == ' ' && at[TIME_LEN - 1] == ' ' &&
	    isupper((unsigned char)*at))
		at += TIME_LEN;
	while (end > at && (end[-1] == '\n' || end[-1] == '\0'))
		end--;
	*len = (size_t)(end - at);
	return at;
}

void authlog_read(int fd)
{
	char line[LINE_MAX_BYTES];
	ssize_t n;

	for (int i = 0; i < AT_ONCE && (n = recv(fd, line, sizeof(line), 0)) > 0; i++) {
		size_t len;
		const char *text = authlog_text(line, (size_t)n, &len);
		log_info("%.*s", (int)len, text);
	}
}
