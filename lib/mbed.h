/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files over mbedTLS share: one generator of random numbers, and errors in words. */
#ifndef GATEPOST_LIB_MBED_H
#define GATEPOST_LIB_MBED_H

#include "lib/buf.h"

#include <stddef.h>

struct mbedtls_ctr_drbg_context;

/* The process's generator, seeded by the kernel at first use. NULL with the reason in error, which
 * may be NULL. */
struct mbedtls_ctr_drbg_context *mbed_random(struct buf *error);

/* "WHAT: what mbedTLS says of the code (-0x1234)", into out, or appended to error. */
void mbed_explain(char *out, size_t cap, const char *what, int code);
void mbed_complain(struct buf *error, const char *what, int code);

#endif
