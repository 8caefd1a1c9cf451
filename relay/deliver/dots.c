/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/deliver/dots.h"

#include <string.h>

static void line_end(struct dots *d, struct buf *out)
{
	buf_append(out, "\r\n", 2);
	d->inside_line = false;
	d->after_cr = false;
}

/* Bytes without any line end. */
static void add_plain(struct dots *d, const char *bytes, size_t n, struct buf *out)
{
	if (!n)
		return;
	if (d->after_cr)
		line_end(d, out); /* a CR that no LF followed */
	if (!d->inside_line && *bytes == '.')
		buf_appendc(out, '.');
	buf_append(out, bytes, n);
	d->inside_line = true;
}

static size_t plain_run(const char *bytes, size_t n)
{
	const char *lf = memchr(bytes, '\n', n);
	size_t run = lf ? (size_t)(lf - bytes) : n;
	const char *cr = memchr(bytes, '\r', run);

	return cr ? (size_t)(cr - bytes) : run;
}

void dots_add(struct dots *d, const char *bytes, size_t n, struct buf *out)
{
	while (n) {
		size_t run = plain_run(bytes, n);

		add_plain(d, bytes, run, out);
		bytes += run;
		n -= run;
		if (!n)
			break;
		if (*bytes == '\n') {
			line_end(d, out);
		} else {
			if (d->after_cr)
				line_end(d, out);
			d->after_cr = true;
		}
		bytes++;
		n--;
	}
}

void dots_end(struct dots *d, struct buf *out)
{
	if (d->inside_line || d->after_cr)
		line_end(d, out);
	buf_append(out, ".\r\n", 3);
}
