/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A message's header: whatever is in it, what comes out is one address and printable text. */
#include "relay/smtp/header.h"

#include "lib/utf8.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void printable(const char *s, size_t max)
{
	size_t n = strlen(s);

	if (n > max)
		abort();
	for (size_t i = 0; i < n;) {
		size_t step = utf8_printable(s + i, n - i);

		if (!step)
			abort();
		i += step;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct header h;
	struct mailbox again;
	const char *reason;

	header_read((const char *)data, size, &h);
	printable(h.subject, ENVELOPE_SUBJECT_MAX);
	printable(h.message_id, ENVELOPE_MESSAGE_ID_MAX);
	if (h.status) {
		printable(h.text, HEADER_TEXT_MAX);
		return 0;
	}
	if (!*mailbox_domain(&h.from) ||
	    mailbox_parse(h.from.text, strlen(h.from.text), &again, &reason) != strlen(h.from.text))
		abort();
	return 0;
}
