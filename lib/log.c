/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/log.h"

#include "lib/utf8.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char log_ident[64] = "gatepost";
static enum log_level log_threshold = LOG_LEVEL_INFO;

static const char *const level_names[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARN] = "warning",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};

void log_open(const char *ident, enum log_level threshold)
{
	snprintf(log_ident, sizeof(log_ident), "%s", ident);
	log_threshold = threshold;
}

size_t log_escape(char *out, size_t cap, const char *bytes, size_t n)
{
	size_t used = 0;

	if (cap == 0)
		return 0;
	for (size_t i = 0; i < n;) {
		unsigned char c = (unsigned char)bytes[i];
		size_t step = utf8_printable(bytes + i, n - i);
		char piece[8];
		size_t piece_len;

		if (c == '\\') {
			piece_len = 2;
			memcpy(piece, "\\\\", 2);
			step = 1;
		} else if (step) {
			piece_len = step;
			memcpy(piece, bytes + i, step);
		} else {
			piece_len = (size_t)snprintf(piece, sizeof(piece), "\\x%02X", c);
			step = 1;
		}
		if (used + piece_len >= cap)
			break;
		memcpy(out + used, piece, piece_len);
		used += piece_len;
		i += step;
	}
	out[used] = '\0';
	return used;
}

static void log_write(enum log_level level, const char *fmt, va_list ap)
{
	char raw[LOG_LINE_MAX];
	char line[LOG_LINE_MAX * 2 + 128];

	int n = vsnprintf(raw, sizeof(raw), fmt, ap);
	if (n < 0)
		return;
	bool cut = (size_t)n >= sizeof(raw);
	size_t raw_len = cut ? sizeof(raw) - 1 : (size_t)n;
	size_t used =
		(size_t)snprintf(line, sizeof(line), "%s: %s: ", log_ident, level_names[level]);
	used += log_escape(line + used, LOG_LINE_MAX, raw, raw_len);
	if (cut)
		used += (size_t)snprintf(line + used, sizeof(line) - used, "...");
	line[used++] = '\n';
	/* A log that cannot be written has nowhere to complain to. */
	ssize_t written = write(STDERR_FILENO, line, used);
	(void)written;
}

void log_line(enum log_level level, const char *fmt, ...)
{
	if (level > log_threshold)
		return;
	int saved = errno;
	va_list ap;
	va_start(ap, fmt);
	log_write(level, fmt, ap);
	va_end(ap);
	errno = saved;
}

void fatal(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	log_write(LOG_LEVEL_ERROR, fmt, ap);
	va_end(ap);
	exit(1);
}
