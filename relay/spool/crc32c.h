/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CRC-32C (Castagnoli, RFC 3720 appendix B.4): finds damage, proves nothing about intent. */
#ifndef GATEPOST_RELAY_SPOOL_CRC32C_H
#define GATEPOST_RELAY_SPOOL_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Goes on from an earlier result; 0 to begin. */
uint32_t crc32c(uint32_t crc, const void *bytes, size_t n);

/* The same without the processor's own instruction, for processors that lack it. */
uint32_t crc32c_table(uint32_t crc, const void *bytes, size_t n);

#endif
