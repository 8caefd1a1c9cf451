/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A body in DKIM's relaxed form (RFC 6376 §3.4.4): white space at line ends is gone, a run of it
 * within a line is one space, empty lines at the end are gone.
 *
 * Most of a body is in that form as it stands: those bytes are given out where they lie, and only
 * what differs is copied. Pure.
 */
#ifndef GATEPOST_RELAY_SIGN_RELAXED_H
#define GATEPOST_RELAY_SIGN_RELAXED_H

#include <stdbool.h>
#include <stddef.h>

/* Gets the next bytes, never none; they are valid during the call. */
typedef void relaxed_sink(void *arg, const char *bytes, size_t n);

/*
 * True for a body with no CR or LF in it but CRLFs, and with something that is no white space. Only
 * such a one may be given to relaxed_body(). Its last line may lack the CRLF: it gets one, as it
 * does when it is sent.
 */
bool relaxed_fit(const char *body, size_t n);

void relaxed_body(const char *body, size_t n, relaxed_sink *sink, void *arg);

#endif
