/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gateway/listen.h"

#include "gateway/peer.h"
#include "lib/log.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

void listen_open_to_logins(const char *path)
{
	const struct group *group = getgrnam(PEER_LOGIN_GROUP);

	if (!group)
		group = getgrnam(PEER_ADMIN_GROUP);
	if (group && chown(path, (uid_t)-1, group->gr_gid) != 0)
		log_warn("%s is not open to group %s: %s", path, group->gr_name, strerror(errno));
}

/* Bound under another name, given its mode, then renamed: nobody can connect too early. */
int listen_for_people(const char *path, int flags, struct buf *error)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);

	if (fd >= 0 && (size_t)snprintf(sun.sun_path, sizeof(sun.sun_path), "%s.new", path) >=
			       sizeof(sun.sun_path)) {
		errno = ENAMETOOLONG;
	} else if (fd >= 0) {
		unlink(sun.sun_path);
		if (bind(fd, (struct sockaddr *)&sun, sizeof(sun)) == 0 &&
		    chmod(sun.sun_path, 0660) == 0 && listen(fd, 128) == 0) {
			listen_open_to_logins(sun.sun_path);
			if (rename(sun.sun_path, path) == 0)
				return fd;
		}
	}
	buf_printf(error, "cannot listen at %s: %s\n", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}
