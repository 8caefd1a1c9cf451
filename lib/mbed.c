/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/mbed.h"

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/error.h>
#include <stdbool.h>
#include <stdio.h>

void mbed_explain(char *out, size_t cap, const char *what, int code)
{
	char text[160];

	mbedtls_strerror(code, text, sizeof(text));
	snprintf(out, cap, "%s: %s (-0x%04X)", what, text, (unsigned)-code);
}

void mbed_complain(struct buf *error, const char *what, int code)
{
	char text[256];

	mbed_explain(text, sizeof(text), what, code);
	buf_appends(error, text);
}

struct mbedtls_ctr_drbg_context *mbed_random(struct buf *error)
{
	static mbedtls_entropy_context entropy;
	static mbedtls_ctr_drbg_context drbg;
	static bool seeded;
	int r;

	if (seeded)
		return &drbg;
	mbedtls_entropy_init(&entropy);
	mbedtls_ctr_drbg_init(&drbg);
	r = mbedtls_ctr_drbg_seed(&drbg, mbedtls_entropy_func, &entropy, NULL, 0);
	if (r) {
		if (error)
			mbed_complain(error, "no random numbers", r);
		mbedtls_ctr_drbg_free(&drbg);
		mbedtls_entropy_free(&entropy);
		return NULL;
	}
	seeded = true;
	return &drbg;
}
