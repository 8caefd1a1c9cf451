/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gateway/runit.h"

#include "lib/buf.h"

#include <fcntl.h>
#include <unistd.h>

bool runit_tell(const char *folder, const char *service, char letter)
{
	struct buf path = BUF_INIT;

	buf_printf(&path, "%s/%s/supervise/control", folder, service);
	int fd = open(buf_str(&path), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	bool told = fd >= 0 && write(fd, &letter, 1) == 1;
	if (fd >= 0)
		close(fd);
	buf_free(&path);
	return told;
}

bool runit_restart(const char *folder, const char *service)
{
	return runit_tell(folder, service, 't') && runit_tell(folder, service, 'u');
}
