/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cli/archive.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

enum { BLOCK = 512 };

struct archive {
	gzFile gz;
	int64_t mtime_s;
	bool failed;
};

struct archive *archive_open(int fd, int64_t mtime_s)
{
	struct archive *a = calloc(1, sizeof(*a));

	if (!a || !(a->gz = gzdopen(fd, "wb"))) {
		free(a);
		close(fd);
		return NULL;
	}
	a->mtime_s = mtime_s;
	return a;
}

static void put(struct archive *a, const void *bytes, size_t len)
{
	if (len && gzwrite(a->gz, bytes, (unsigned)len) != (int)len)
		a->failed = true;
}

/* The header's fields, as POSIX.1-1988 (ustar) has them: numbers are octal text. */
static void put_header(struct archive *a, const char *name, size_t len)
{
	char h[BLOCK + 1] = {0};
	unsigned sum = 0;

	snprintf(h, 100, "%s", name);
	memcpy(h + 100, "0000600", 8);                                    /* mode */
	memcpy(h + 108, "0000000", 8);                                    /* user */
	memcpy(h + 116, "0000000", 8);                                    /* group */
	snprintf(h + 124, 12, "%011llo", (unsigned long long)len);        /* size */
	snprintf(h + 136, 12, "%011llo", (unsigned long long)a->mtime_s); /* time */
	memset(h + 148, ' ', 8);                                          /* checksum */
	h[156] = '0';                                                     /* a plain file */
	memcpy(h + 257, "ustar\00000", 8);
	for (size_t i = 0; i < BLOCK; i++)
		sum += (unsigned char)h[i];
	snprintf(h + 148, 8, "%06o", sum);
	put(a, h, BLOCK);
}

bool archive_add(struct archive *a, const char *name, const void *bytes, size_t len)
{
	static const char zeros[BLOCK];

	put_header(a, name, len);
	put(a, bytes, len);
	put(a, zeros, (BLOCK - len % BLOCK) % BLOCK);
	return !a->failed;
}

bool archive_close(struct archive *a)
{
	static const char zeros[2 * BLOCK];

	put(a, zeros, sizeof(zeros));
	bool ok = gzclose(a->gz) == Z_OK && !a->failed;
	free(a);
	return ok;
}
