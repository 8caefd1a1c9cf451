/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A message, cut into pieces by its own first bytes, against a plain reading of the RFC: the same
 * end, and if it is taken, the same bytes.
 */
#include "relay/smtp/data.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void store(void *arg, const char *bytes, size_t n)
{
	buf_append(arg, bytes, n);
}

/* Where "CR LF . CR LF" ends (the first line counts as beginning after CR LF); 0: nowhere. */
static size_t true_end(const char *s, size_t n)
{
	const char *at;

	if (n >= 3 && memcmp(s, ".\r\n", 3) == 0)
		return 3;
	at = memmem(s, n, "\r\n.\r\n", 5);
	return at ? (size_t)(at - s) + 5 : 0;
}

static bool is_clean(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (s[i] == '\0' || (s[i] == '\r' && (i + 1 == n || s[i + 1] != '\n')) ||
		    (s[i] == '\n' && (i == 0 || s[i - 1] != '\r')))
			return false;
	return true;
}

static void unstuff(const char *s, size_t n, struct buf *out)
{
	for (size_t i = 0; i < n; i++)
		if (s[i] != '.' || (i > 0 && s[i - 1] != '\n'))
			buf_append(out, s + i, 1);
}

static void check(const struct data *d, const struct buf *stored, const char *s, size_t n)
{
	struct buf expected = BUF_INIT;

	if (d->fault != DATA_FINE) {
		if (is_clean(s, n) && d->fault != DATA_TOO_LARGE && d->fault != DATA_LARGE_HEADER &&
		    d->fault != DATA_LONG_LINE)
			abort();
		return;
	}
	if (!is_clean(s, n))
		abort();
	if (d->chunks)
		buf_append(&expected, s, n);
	else
		unstuff(s, n, &expected);
	if (d->chunks && n && s[n - 1] != '\n')
		buf_appends(&expected, "\r\n");
	if (expected.len != stored->len || memcmp(buf_str(&expected), buf_str(stored), stored->len))
		abort();
	if (d->header.len > stored->len ||
	    memcmp(buf_str(&d->header), buf_str(stored), d->header.len))
		abort();
	buf_free(&expected);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf stored = BUF_INIT;
	struct data d = {0};
	const char *s = (const char *)data + 2;
	size_t step, taken = 0, end;
	bool ended = false;

	if (size < 3)
		return 0;
	step = data[0] ? data[0] : size;
	size -= 2;
	data_begin(&d, data[1] & 1, 100000, store, &stored);
	while (taken < size && !ended) {
		size_t n = size - taken < step ? size - taken : step;
		char *piece = malloc(n);

		memcpy(piece, s + taken, n);
		if (d.chunks) {
			data_chunk(&d, piece, n);
			taken += n;
		} else {
			taken += data_dot(&d, piece, n, &ended);
		}
		free(piece);
	}
	if (d.chunks) {
		data_last(&d);
		check(&d, &stored, s, size);
	} else {
		end = true_end(s, size);
		if (ended != (end != 0) || (ended && taken != end))
			abort();
		if (ended)
			check(&d, &stored, s, end - 3);
	}
	data_free(&d);
	buf_free(&stored);
	return 0;
}
