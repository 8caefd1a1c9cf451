/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which header fields are signed, by either kind of signature. */
#ifndef GATEPOST_RELAY_SIGN_HEADERS_H
#define GATEPOST_RELAY_SIGN_HEADERS_H

/*
 * RFC 6376 §5.4.1, MIME's, and what RFC 8058 §4 asks for; ends with NULL. Not the fields of RFC
 * 6376 §5.4.1 that change on the way (Received, Return-Path).
 */
extern const char *const signed_headers[];

#endif
