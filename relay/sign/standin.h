/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A body that is signed without passing through libopendkim byte by byte.
 *
 * The library makes the relaxed form of a body one character at a time, which for 50 KB takes as
 * long as the RSA signature. So it is given a line that stands for the body, of characters that
 * the relaxed form leaves as they are and that no sender can know; and this file defines
 * SHA256_Update, which the executable supplies in place of libcrypto's: where that line is to be
 * hashed, the relaxed form of the body is (relaxed.h), anything else is as libcrypto hashes it.
 * What to sign, how it is written and the signature itself stay the library's.
 *
 * dkim_signer_new() proves that both ways give one signature; a program that signs refuses to run
 * where they do not. Not for several threads at a time.
 */
#ifndef GATEPOST_RELAY_SIGN_STANDIN_H
#define GATEPOST_RELAY_SIGN_STANDIN_H

#include <stdbool.h>
#include <stddef.h>

/* The line with its CRLF, to be given to the library for body[n], which relaxed_fit(); body stays
 * valid until standin_close(). One at a time. */
const char *standin_open(const char *body, size_t n, size_t *len);

/* The body's hash was made with it: it was hashed exactly once. */
bool standin_close(void);

#endif
