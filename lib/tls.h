/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A non-blocking byte stream over a socket: plain at first, TLS (mbedTLS) once it was asked for.
 *
 * The owner watches the descriptor: for reading always, for writing while stream_wants_write().
 * Reads and writes never block; what a write could not pass on stays with the caller.
 */
#ifndef GATEPOST_LIB_TLS_H
#define GATEPOST_LIB_TLS_H

#include "lib/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct tls_server; /* a certificate chain and its key, shared by all streams of a listener */
struct tls_client; /* what outgoing streams share */

/* From PEM text. NULL with the reason in error: what does not parse, or a key that does not fit. */
struct tls_server *tls_server_new(const char *chain_pem, const char *key_pem, struct buf *error);
void tls_server_free(struct tls_server *t); /* streams in use keep it alive */

/* No peer is verified (opportunistic TLS, RFC 7435), but its certificates may be looked at. */
struct tls_client *tls_client_new(struct buf *error);
/* Peers are verified by these authorities (PEM), and TLS is 1.2 at least. The handshake succeeds
 * all the same: ask stream_peer_trusted() before a byte is sent. What of the PEM does not parse is
 * left out; NULL with the reason when nothing is left. */
struct tls_client *tls_client_new_verifying(const char *authorities_pem, struct buf *error);
void tls_client_free(struct tls_client *t);

struct stream;

struct stream *stream_open(int fd); /* takes fd over */
int stream_fd(const struct stream *s);
/* Nothing more will be sent: close_notify, then the socket's half-close. Reading goes on. */
void stream_finish(struct stream *s);
void stream_close(struct stream *s); /* sends close_notify if it can, then frees */

/* From here on TLS; the handshake happens within stream_handshake(). Bytes that the peer sent
 * before it and that were not read yet are the handshake's: read nothing ahead. */
void stream_start_tls_server(struct stream *s, struct tls_server *t);
void stream_start_tls_client(struct stream *s, struct tls_client *t, const char *server_name);

enum stream_status { STREAM_OK, STREAM_AGAIN, STREAM_CLOSED, STREAM_FAILED };

enum stream_status stream_handshake(struct stream *s);
enum stream_status stream_read(struct stream *s, void *bytes, size_t cap, size_t *got);
enum stream_status stream_write(struct stream *s, const void *bytes, size_t n, size_t *written);

/* TLS holds bytes that the socket's readiness does not show: read again before waiting. */
bool stream_has_pending(const struct stream *s);
/* The last STREAM_AGAIN waits for the socket to take bytes, whatever was being done. */
bool stream_wants_write(const struct stream *s);
bool stream_is_tls(const struct stream *s);
/* "TLSv1.2 ECDHE-..."; "" when plain. Valid while the stream is open. */
const char *stream_tls_name(const struct stream *s);
/* Does the peer's certificate hold, for the server name that was given and under the authorities of
 * tls_client_new_verifying()? Else false with the reason. */
bool stream_peer_trusted(const struct stream *s, struct buf *why);
/* What the peer sent, its own certificate first; NULL for none. Valid while the stream is open. */
const struct mbedtls_x509_crt *stream_peer_chain(const struct stream *s);
/* Why the last call gave STREAM_FAILED. */
const char *stream_error(const struct stream *s);

#endif
