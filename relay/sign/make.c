/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/sign/make.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>

enum { STRING_MAX = 255, ED25519_BYTES = 32 };

bool sign_make_key(enum sign_key_kind kind, struct buf *pem, struct buf *error)
{
	EVP_PKEY *pkey = kind == SIGN_KEY_RSA
				 ? EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)SIGN_RSA_BITS)
				 : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	BIO *bio = BIO_new(BIO_s_secmem());
	char *text = NULL;
	bool ok = pkey && bio && PEM_write_bio_PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL);

	if (ok)
		buf_append(pem, (BIO_get_mem_data(bio, &text), text),
			   (size_t)BIO_get_mem_data(bio, &text));
	else
		buf_printf(error, "no key could be made: %s",
			   ERR_reason_error_string(ERR_peek_last_error()));
	BIO_free(bio);
	EVP_PKEY_free(pkey);
	return ok;
}

/* RSA: SubjectPublicKeyInfo. Ed25519: the key's own 32 bytes. */
static void put_public(const struct sign_key *key, struct buf *out)
{
	unsigned char raw[ED25519_BYTES], *der = NULL, *bytes = raw;
	size_t len = sizeof(raw);
	int n = 0;

	if (key->kind == SIGN_KEY_RSA) {
		n = i2d_PUBKEY(key->pkey, &der);
		bytes = der;
		len = n > 0 ? (size_t)n : 0;
	} else if (EVP_PKEY_get_raw_public_key(key->pkey, raw, &len) != 1) {
		len = 0;
	}
	buf_reserve(out, len / 3 * 4 + 5);
	if (len)
		out->len += (size_t)EVP_EncodeBlock((unsigned char *)out->data + out->len, bytes,
						    (int)len);
	OPENSSL_free(der);
}

void sign_record_text(const struct sign_key *key, struct buf *out)
{
	buf_printf(out, "v=DKIM1; k=%s; p=", key->kind == SIGN_KEY_RSA ? "rsa" : "ed25519");
	put_public(key, out);
}

void sign_record_line(const char *domain, const char *selector, const char *text, struct buf *out)
{
	size_t left = strlen(text);
	bool several = left > STRING_MAX;

	buf_printf(out, "%s._domainkey.%s. IN TXT %s", selector, domain, several ? "( " : "");
	do {
		size_t n = left < STRING_MAX ? left : STRING_MAX;

		buf_printf(out, "\"%.*s\"", (int)n, text);
		text += n;
		left -= n;
		buf_appends(out, left ? "\n\t" : several ? " )\n" : "\n");
	} while (left);
}
