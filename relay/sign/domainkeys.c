/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nofws (RFC 4870 §3.4.2.2): every line without its white space, CRLF behind each, no empty lines
 * at the end. A field is one line however it was folded; the empty line before the body counts
 * as a line of it.
 */
#include "relay/sign/domainkeys.h"

#include "relay/mime/field.h"
#include "relay/mime/transfer.h"
#include "relay/sign/headers.h"

#include <openssl/evp.h>
#include <string.h>

enum { SIGNATURE_MAX = 1024, FIELD_WIDTH = 70 };

/* What is signed goes through a buffer, so that a short line is no call of its own. */
struct digest {
	EVP_MD_CTX *md;
	struct buf pending;
	bool failed;
};

static void digest_flush(struct digest *d)
{
	if (d->pending.len && EVP_DigestSignUpdate(d->md, d->pending.data, d->pending.len) != 1)
		d->failed = true;
	buf_clear(&d->pending);
}

/* s[n] without its white space, then CRLF. False when nothing was left. */
static bool append_line(struct buf *out, const char *s, size_t n)
{
	size_t start = out->len;

	buf_reserve(out, n + 2);
	for (size_t i = 0; i < n; i++)
		if (s[i] != ' ' && s[i] != '\t' && s[i] != '\r' && s[i] != '\n')
			out->data[out->len++] = s[i];
	bool some = out->len > start;
	buf_append(out, "\r\n", 2);
	return some;
}

static void digest_body(struct digest *d, const char *s, size_t n)
{
	size_t keep; /* of pending: up to the last line that is not empty */

	buf_append(&d->pending, "\r\n", 2); /* the line between header and body */
	keep = d->pending.len - 2;
	for (size_t at = 0; at < n;) {
		const char *lf = memchr(s + at, '\n', n - at);
		size_t end = lf ? (size_t)(lf - s) : n;
		if (append_line(&d->pending, s + at, end - at))
			keep = d->pending.len;
		at = lf ? end + 1 : n;
		if (keep == d->pending.len && keep > 32 * 1024) {
			digest_flush(d);
			keep = 0;
		}
	}
	buf_truncate(&d->pending, keep);
	digest_flush(d);
}

static bool is_signed(const char *message, const struct mime_field *f)
{
	for (const char *const *name = signed_headers; *name; name++)
		if (mime_field_is(message, f, *name))
			return true;
	return false;
}

/* The fields that are signed, as lines, and their names for h=. False when there is no From. */
static bool digest_header(struct digest *d, const char *message, size_t header_end,
			  struct buf *names)
{
	struct mime_range headers = {0, header_end};
	struct mime_field f;
	bool from = false;
	size_t at = 0, line = 0;

	while (mime_next_field(message, headers, &at, &f)) {
		if (!is_signed(message, &f))
			continue;
		size_t n = f.name.end - f.name.start;
		from = from || mime_field_is(message, &f, "From");
		append_line(&d->pending, message + f.whole.start, f.value.end - f.whole.start);
		if (names->len)
			buf_appendc(names, ':');
		if (line + n > FIELD_WIDTH) {
			buf_appends(names, "\r\n\t ");
			line = 0;
		}
		buf_append(names, message + f.name.start, n);
		line += n + 1;
	}
	digest_flush(d);
	return from && at == header_end;
}

static void append_signature(const unsigned char *signature, size_t n, struct buf *out)
{
	struct buf text = BUF_INIT;

	transfer_encode_base64(signature, n, n * 2 + 4, &text);
	for (size_t at = 0; at < text.len; at += FIELD_WIDTH) {
		size_t len = text.len - at < FIELD_WIDTH ? text.len - at : FIELD_WIDTH;
		buf_appends(out, at ? "\r\n\t " : "");
		buf_append(out, text.data + at, len);
	}
	buf_free(&text);
}

bool domainkeys_sign(const char *message, size_t n, const char *domain, const char *selector,
		     const struct sign_key *key, struct buf *out, struct buf *error)
{
	struct digest d = {.md = EVP_MD_CTX_new()};
	unsigned char signature[SIGNATURE_MAX];
	size_t header_end, body_start, len = sizeof(signature);
	struct buf names = BUF_INIT;
	bool ok = false;

	mime_split_header(message, n, &header_end, &body_start);
	if (key->kind != SIGN_KEY_RSA) {
		buf_printf(error, "DomainKeys for %s: the key is not RSA", domain);
		goto done;
	}
	if (!d.md || EVP_DigestSignInit(d.md, NULL, EVP_sha1(), NULL, key->pkey) != 1)
		goto refused;
	if (!digest_header(&d, message, header_end, &names)) {
		buf_printf(error,
			   "DomainKeys for %s: no From field, or a line that is no header field",
			   domain);
		goto done;
	}
	digest_body(&d, message + body_start, n - body_start);
	if (d.failed || EVP_DigestSignFinal(d.md, signature, &len) != 1)
		goto refused;
	buf_printf(out, "DomainKey-Signature: a=rsa-sha1; q=dns; c=nofws;\r\n\ts=%s; d=%s;\r\n\th=",
		   selector, domain);
	buf_append(out, names.data, names.len);
	buf_appends(out, ";\r\n\tb=");
	append_signature(signature, len, out);
	buf_appends(out, ";\r\n");
	ok = true;
	goto done;
refused:
	buf_printf(error, "DomainKeys for %s: libcrypto does not sign with this key", domain);
done:
	EVP_MD_CTX_free(d.md);
	buf_free(&d.pending);
	buf_free(&names);
	return ok;
}
