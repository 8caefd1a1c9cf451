/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gateway/peer.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static bool in_admin_group(const struct passwd *pw, gid_t gid)
{
	const struct group *admin = getgrnam(PEER_ADMIN_GROUP);
	gid_t groups[64];
	int n = 64;

	if (!admin)
		return false;
	if (gid == admin->gr_gid)
		return true;
	if (!pw || getgrouplist(pw->pw_name, pw->pw_gid, groups, &n) < 0)
		return false;
	for (int i = 0; i < n; i++)
		if (groups[i] == admin->gr_gid)
			return true;
	return false;
}

/* Standard input is the terminal of who types; a script's or a service's is something else. */
static void find_terminal(struct peer *peer)
{
	char link[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%ld/fd/0", (long)peer->pid);
	n = readlink(link, peer->terminal, sizeof(peer->terminal) - 1);
	peer->terminal[n < 0 ? 0 : n] = '\0';
	if (strncmp(peer->terminal, "/dev/pts/", 9) != 0 &&
	    strncmp(peer->terminal, "/dev/tty", 8) != 0)
		peer->terminal[0] = '\0';
}

void peer_refresh(struct peer *peer)
{
	const struct passwd *pw = getpwuid(peer->uid);

	if (pw)
		snprintf(peer->who, sizeof(peer->who), "%s", pw->pw_name);
	else
		snprintf(peer->who, sizeof(peer->who), "uid %u", (unsigned)peer->uid);
	peer->known = pw;
	peer->admin = peer->uid == 0 || peer->uid == geteuid() || in_admin_group(pw, peer->gid);
}

bool peer_may(const struct peer *peer, bool change)
{
	return peer->admin || (peer->known && !change);
}

bool peer_identify(int fd, unsigned session, struct peer *peer)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) != 0)
		return false;
	*peer = (struct peer){
		.session = session, .pid = cred.pid, .uid = cred.uid, .gid = cred.gid};
	peer_refresh(peer);
	find_terminal(peer);
	return true;
}
