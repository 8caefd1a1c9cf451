/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/wire.h"

#include <stdlib.h>
#include <string.h>

static void put_le(struct buf *b, uint64_t v, size_t n)
{
	unsigned char bytes[8];

	for (size_t i = 0; i < n; i++)
		bytes[i] = (unsigned char)(v >> (8 * i));
	buf_append(b, bytes, n);
}

void wire_put_u8(struct buf *b, uint8_t v)
{
	put_le(b, v, 1);
}

void wire_put_u32(struct buf *b, uint32_t v)
{
	put_le(b, v, 4);
}

void wire_put_u64(struct buf *b, uint64_t v)
{
	put_le(b, v, 8);
}

void wire_put_bytes(struct buf *b, const void *bytes, size_t n)
{
	if (n > UINT32_MAX)
		abort();
	wire_put_u32(b, (uint32_t)n);
	buf_append(b, bytes, n);
}

void wire_put_str(struct buf *b, const char *s)
{
	wire_put_bytes(b, s ? s : "", s ? strlen(s) : 0);
}

void wire_put_addr(struct buf *b, const struct addr *a)
{
	size_t n = addr_size(a);

	wire_put_u8(b, (uint8_t)n);
	buf_append(b, a->bytes, n);
}

struct wire wire_reader(const void *bytes, size_t n)
{
	return (struct wire){.at = bytes, .end = (const unsigned char *)bytes + n};
}

static const unsigned char *take(struct wire *w, size_t n)
{
	if (w->failed || (size_t)(w->end - w->at) < n) {
		w->failed = true;
		return NULL;
	}
	const unsigned char *p = w->at;
	w->at += n;
	return p;
}

static uint64_t get_le(struct wire *w, size_t n)
{
	const unsigned char *p = take(w, n);
	uint64_t v = 0;

	for (size_t i = 0; p && i < n; i++)
		v |= (uint64_t)p[i] << (8 * i);
	return v;
}

uint8_t wire_u8(struct wire *w)
{
	return (uint8_t)get_le(w, 1);
}

uint32_t wire_u32(struct wire *w)
{
	return (uint32_t)get_le(w, 4);
}

uint64_t wire_u64(struct wire *w)
{
	return get_le(w, 8);
}

const void *wire_bytes(struct wire *w, size_t *n)
{
	size_t len = wire_u32(w);
	const void *p = take(w, len);

	*n = p ? len : 0;
	return p ? p : "";
}

char *wire_str(struct wire *w)
{
	size_t n;
	const char *p = wire_bytes(w, &n);

	if (memchr(p, '\0', n)) {
		w->failed = true;
		n = 0;
	}
	char *s = malloc(n + 1);
	if (!s)
		abort();
	memcpy(s, p, n);
	s[n] = '\0';
	return s;
}

void wire_str_into(struct wire *w, char *out, size_t cap)
{
	size_t n;
	const char *p = wire_bytes(w, &n);

	if (n >= cap || memchr(p, '\0', n)) {
		w->failed = true;
		n = 0;
	}
	memcpy(out, p, n);
	out[n] = '\0';
}

struct addr wire_addr(struct wire *w)
{
	struct addr a = {0};
	size_t n = wire_u8(w);

	if (n != 0 && n != 4 && n != 16) {
		w->failed = true;
		return a;
	}
	const unsigned char *p = take(w, n);
	if (p && n) {
		a.family = n == 4 ? AF_INET : AF_INET6;
		memcpy(a.bytes, p, n);
	}
	return a;
}

bool wire_done(const struct wire *w)
{
	return !w->failed && w->at == w->end;
}
