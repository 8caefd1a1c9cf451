/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fields in little-endian order, one after the other: how records lie on disk and how the relay's
 * processes speak to each other.
 *
 * A writer appends to a buf. A reader never passes its end: once a field does not fit, failed is
 * set, every later read gives 0 or an empty string, and the caller looks at wire_done() once.
 */
#ifndef GATEPOST_LIB_WIRE_H
#define GATEPOST_LIB_WIRE_H

#include "lib/addr.h"
#include "lib/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void wire_put_u8(struct buf *b, uint8_t v);
void wire_put_u32(struct buf *b, uint32_t v);
void wire_put_u64(struct buf *b, uint64_t v);
void wire_put_bytes(struct buf *b, const void *bytes, size_t n); /* u32 length, then the bytes */
void wire_put_str(struct buf *b, const char *s);                 /* NULL is sent as "" */
void wire_put_addr(struct buf *b, const struct addr *a);

struct wire {
	const unsigned char *at;
	const unsigned char *end;
	bool failed;
};

struct wire wire_reader(const void *bytes, size_t n);
uint8_t wire_u8(struct wire *w);
uint32_t wire_u32(struct wire *w);
uint64_t wire_u64(struct wire *w);
/* Points into the reader's bytes; *n is the length. */
const void *wire_bytes(struct wire *w, size_t *n);
/* A copy that the caller frees; never NULL. A string with a NUL inside fails the reader. */
char *wire_str(struct wire *w);
/* Copies a string into out[cap]; one that does not fit fails the reader. */
void wire_str_into(struct wire *w, char *out, size_t cap);
struct addr wire_addr(struct wire *w);

/* True when every field fitted and nothing is left over. */
bool wire_done(const struct wire *w);

#endif
