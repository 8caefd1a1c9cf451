/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/spool/crc32c.h"

#include <string.h>

#define POLYNOMIAL 0x82f63b78U /* reflected */

static uint32_t table[256];

static void fill_table(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t v = i;

		for (int bit = 0; bit < 8; bit++)
			v = v & 1 ? v >> 1 ^ POLYNOMIAL : v >> 1;
		table[i] = v;
	}
}

uint32_t crc32c_table(uint32_t crc, const void *bytes, size_t n)
{
	const unsigned char *p = bytes;

	if (!table[1])
		fill_table();
	crc = ~crc;
	for (; n; n--)
		crc = crc >> 8 ^ table[(crc ^ *p++) & 0xff];
	return ~crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t crc32c_sse42(uint32_t crc, const void *bytes,
							       size_t n)
{
	const unsigned char *p = bytes;
	uint64_t v = ~crc;

	for (; n >= 8; n -= 8, p += 8) {
		uint64_t word;

		memcpy(&word, p, 8);
		v = __builtin_ia32_crc32di(v, word);
	}
	for (; n; n--)
		v = __builtin_ia32_crc32qi((uint32_t)v, *p++);
	return ~(uint32_t)v;
}
#endif

uint32_t crc32c(uint32_t crc, const void *bytes, size_t n)
{
#if defined(__x86_64__)
	if (__builtin_cpu_supports("sse4.2"))
		return crc32c_sse42(crc, bytes, n);
#endif
	return crc32c_table(crc, bytes, n);
}
