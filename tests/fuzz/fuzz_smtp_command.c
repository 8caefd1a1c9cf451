/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One command line. What is taken is well-formed; what is refused says so in printable ASCII. */
#include "relay/smtp/command.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_mailbox(const struct mailbox *m)
{
	struct mailbox again;
	const char *reason;

	if (!m->text[0])
		return;
	if (mailbox_parse(m->text, strlen(m->text), &again, &reason) != strlen(m->text) ||
	    strcmp(again.text, m->text) != 0 || again.at != m->at || again.utf8 != m->utf8)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct command c;

	if (size > COMMAND_LINE_MAX)
		return 0;
	command_parse((const char *)data, size, &c);
	if (c.status) {
		for (const char *p = c.text; *p; p++)
			if (*p < ' ' || *p > '~')
				abort();
		return 0;
	}
	check_mailbox(&c.mailbox);
	for (const char *p = c.name; *p; p++)
		if (*p <= ' ' || *p > '~')
			abort();
	return 0;
}
