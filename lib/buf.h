/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Growable bytes.
 *
 * A buf owns its memory until buf_free() or buf_steal(). The bytes are always followed by a NUL
 * that len does not count, so buf_str() may be handed to C string functions. Out of memory ends
 * the process: every daemon here is supervised, and what was promised to a peer is on disk.
 */
#ifndef GATEPOST_LIB_BUF_H
#define GATEPOST_LIB_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct buf {
	char *data;
	size_t len;
	size_t cap;
};

#define BUF_INIT ((struct buf){0})

/* Makes room for n more bytes; b->data + b->len may then be written, up to n. */
void buf_reserve(struct buf *b, size_t n);
void buf_append(struct buf *b, const void *bytes, size_t n);
void buf_appends(struct buf *b, const char *s);
void buf_appendc(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *b, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));

/* Takes the first n bytes away; what is behind them moves to the front. */
void buf_consume(struct buf *b, size_t n);
void buf_truncate(struct buf *b, size_t len);
void buf_clear(struct buf *b);
void buf_free(struct buf *b);

/* The bytes as a string; "" when empty. Owned by b, valid until b changes. */
const char *buf_str(const struct buf *b);

/* Hands the NUL-terminated bytes to the caller, who frees them; b is empty afterwards. */
char *buf_steal(struct buf *b);

/* Reads a whole file of at most max bytes. False with errno set (EFBIG when it is larger). */
bool buf_read_file(struct buf *b, const char *path, size_t max);
bool buf_read_fd(struct buf *b, int fd, size_t max);

#endif
