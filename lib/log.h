/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The log: one line, one write(2), to stderr, where runit's svlogd is the one writer of the file.
 *
 * Bytes that a peer sent may stand in any argument: control characters, and bytes that are not
 * UTF-8, leave as \xNN, so a peer can neither forge a line nor drive a terminal (DESIGN §7.7).
 * A line longer than LOG_LINE_MAX ends in "...".
 */
#ifndef GATEPOST_LIB_LOG_H
#define GATEPOST_LIB_LOG_H

#include <stdbool.h>
#include <stddef.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

#define LOG_LINE_MAX 2048

/* ident stands before each line ("gatepost-relay[deliver]"); it is copied. */
void log_open(const char *ident, enum log_level threshold);

void log_line(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

/* For what cannot go on: logs, then exits with status 1. */
_Noreturn void fatal(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * Writes bytes[n] to out[cap] with everything that is not printable UTF-8 as \xNN and a backslash
 * as \\; always NUL-terminated, never cut inside an escape or a character. Returns the length
 * written.
 */
size_t log_escape(char *out, size_t cap, const char *bytes, size_t n);

#endif
