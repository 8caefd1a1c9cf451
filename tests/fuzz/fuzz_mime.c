/* SPDX-License-Identifier: GPL-2.0-or-later */
/* MIME scan: parts lie inside their parents, in order, whatever the message is. */
#include "relay/mime/scan.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void check(const struct mime_message *m)
{
	must(m->count >= 1 && m->count <= MIME_PARTS_MAX);
	for (size_t i = 0; i < m->count; i++) {
		const struct mime_part *p = &m->parts[i];
		must(p->headers.start <= p->headers.end && p->headers.end <= p->body.start);
		must(p->body.start <= p->body.end && p->body.end <= m->len);
		if (i == 0)
			continue;
		const struct mime_part *up = &m->parts[p->parent];
		must(p->parent < i && p->depth == up->depth + 1 && p->depth <= MIME_DEPTH_MAX + 1);
		must(p->headers.start >= up->body.start && p->body.end <= up->body.end);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
	struct mime_message m;

	if (mime_scan((const char *)bytes, n, &m))
		check(&m);
	else
		must(m.error[0] != '\0');
	mime_free(&m);
	return 0;
}
