/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Signatures as libopendkim's own verifier sees them; other verifiers: tests/track. */
/* libopendkim calls SHA256_Update(); OpenSSL would have us call another. */
#define OPENSSL_SUPPRESS_DEPRECATED 1
#include "relay/sign/dkim.h"

#include "relay/mime/transfer.h"
#include "relay/sign/domainkeys.h"
#include "relay/sign/relaxed.h"
#include "relay/sign/standin.h"
#include "tests/unit/cmocka.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#define HAVE_STDBOOL_H 1
#include <opendkim/dkim.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char message[] = "Received: from x by y; Mon, 23 Nov 2026 18:00:00 +0000\r\n"
			      "From: Bob <bob@acme.example>\r\nTo: a@b.example,\r\n "
			      "c@d.example\r\nSubject:  hi  there\r\n"
			      "Date: Mon, 23 Nov 2026 18:00:00 +0000\r\nMessage-ID: <1@x>\r\n"
			      "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n\r\n"
			      "body \t line\r\n\r\n.dot\r\n\r\n\r\n";

static char dir[] = "/tmp/gatepost-dkim-XXXXXX";
static int dirfd;
static struct buf rsa_record, ed25519_record; /* what DNS would say */

static void write_key(const char *name, EVP_PKEY *key)
{
	int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0400);
	FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;

	assert_non_null(f);
	assert_int_equal(PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL), 1);
	fclose(f);
}

static int make_keys(void **state)
{
	EVP_PKEY *rsa = EVP_RSA_gen(2048), *ed = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	unsigned char raw[32], *der = NULL;
	size_t raw_len = sizeof(raw);

	(void)state;
	if (!mkdtemp(dir))
		return -1;
	dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	write_key("acme.example.g1.pem", rsa);
	write_key("acme.example.g1-ed25519.pem", ed);
	write_key("solo.example.g1.pem", ed);
	int n = i2d_PUBKEY(rsa, &der);
	buf_appends(&rsa_record, "v=DKIM1; k=rsa; p=");
	transfer_encode_base64(der, (size_t)n, 4096, &rsa_record);
	EVP_PKEY_get_raw_public_key(ed, raw, &raw_len);
	buf_appends(&ed25519_record, "v=DKIM1; k=ed25519; p=");
	transfer_encode_base64(raw, raw_len, 4096, &ed25519_record);
	OPENSSL_free(der);
	EVP_PKEY_free(rsa);
	EVP_PKEY_free(ed);
	return 0;
}

static int drop_keys(void **state)
{
	char command[64];

	(void)state;
	close(dirfd);
	buf_free(&rsa_record);
	buf_free(&ed25519_record);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command) == 0 ? 0 : -1;
}

static DKIM_STAT look_up(DKIM *d, DKIM_SIGINFO *sig, u_char *out, size_t n)
{
	const char *selector = (const char *)dkim_sig_getselector(sig);

	(void)d;
	snprintf((char *)out, n, "%s",
		 buf_str(strstr(selector, "ed25519") ? &ed25519_record : &rsa_record));
	return DKIM_STAT_OK;
}

/* How many signatures of the message hold. */
static int verified(const char *text, size_t n)
{
	DKIM_LIB *lib = dkim_init(NULL, NULL);
	DKIM_SIGINFO **sigs;
	DKIM_STAT status;
	int count = 0, good = 0;

	dkim_set_key_lookup(lib, look_up);
	DKIM *d = dkim_verify(lib, (const unsigned char *)"test", NULL, &status);
	assert_non_null(d);
	assert_int_equal(dkim_chunk(d, (u_char *)text, n), DKIM_STAT_OK);
	assert_int_equal(dkim_chunk(d, NULL, 0), DKIM_STAT_OK);
	dkim_eom(d, NULL);
	if (dkim_getsiglist(d, &sigs, &count) != DKIM_STAT_OK)
		count = 0;
	for (int i = 0; i < count; i++) {
		dkim_sig_process(d, sigs[i]);
		good += DKIM_SIG_CHECK(sigs[i]) && dkim_sig_geterror(sigs[i]) == DKIM_SIGERROR_OK;
	}
	dkim_free(d);
	dkim_close(lib);
	return good;
}

static void both_kinds_of_signature_verify(void **state)
{
	struct buf error = BUF_INIT, out = BUF_INIT;
	struct dkim_signer *s = dkim_signer_new(&error);
	struct sign_keys *keys = sign_keys_new(dirfd);

	(void)state;
	assert_non_null(s);
	assert_true(dkim_sign_message(s, keys, message, strlen(message), "acme.example", "g1",
				      1700000000, &out, &error));
	assert_non_null(strstr(out.data, "a=rsa-sha256; c=relaxed/relaxed; d=acme.example; s=g1;"));
	assert_non_null(strstr(out.data, "a=ed25519-sha256;"));
	assert_non_null(strstr(out.data, "s=g1-ed25519;"));
	assert_non_null(strstr(out.data, "t=1700000000"));
	assert_non_null(strstr(out.data, "List-Unsubscribe-Post"));
	assert_null(strstr(out.data, "; l="));
	assert_null(strstr(out.data, "Received"));
	for (size_t i = 1; i < out.len; i++)
		assert_true(out.data[i] != '\n' || out.data[i - 1] == '\r');
	buf_appends(&out, message);
	assert_int_equal(verified(out.data, out.len), 2);

	/* From is over-signed: a second one breaks it. So does any change. */
	struct buf forged = BUF_INIT;
	buf_appends(&forged, "From: eve@evil.example\r\n");
	buf_append(&forged, out.data, out.len);
	assert_int_equal(verified(forged.data, forged.len), 0);
	out.data[out.len - 12] ^= 1;
	assert_int_equal(verified(out.data, out.len), 0);
	buf_free(&forged);
	buf_free(&out);
	buf_free(&error);
	sign_keys_free(keys);
	dkim_signer_free(s);
}

static void a_retry_signs_the_same_bytes(void **state)
{
	struct buf error = BUF_INIT, a = BUF_INIT, b = BUF_INIT;
	struct dkim_signer *s = dkim_signer_new(&error);
	struct sign_keys *keys = sign_keys_new(dirfd);

	(void)state;
	dkim_sign_message(s, keys, message, strlen(message), "acme.example", "g1", 5, &a, &error);
	dkim_sign_message(s, keys, message, strlen(message), "acme.example", "g1", 5, &b, &error);
	assert_true(a.len > 0);
	assert_string_equal(a.data, b.data);
	buf_free(&a);
	buf_free(&b);
	sign_keys_free(keys);
	dkim_signer_free(s);
}

/* Bodies of all kinds: those that standin.h takes, and those that it leaves to the library. */
static void make_body(struct buf *out)
{
	static const char *const pieces[] = {
		"word",           " ",   "\t", "\r\n", "  \r\n",
		"<a href=\"x\">", "=20", "\n", "\r",   "a longer run of words"};
	size_t kinds = random() % 4 ? 7 : sizeof(pieces) / sizeof(*pieces);

	for (long left = random() % 300; left > 0; left--)
		buf_appends(out, pieces[(size_t)random() % kinds]);
	buf_appends(out, random() % 8 ? "\r\n" : "");
}

/* What libopendkim makes of a body by itself, and what it is given instead, sign alike. Where the
 * last CRLF is missing, the library alone refuses. */
static void the_library_alone_would_sign_the_same(void **state)
{
	struct buf error = BUF_INIT, fast = BUF_INIT, slow = BUF_INIT, text = BUF_INIT;
	struct dkim_signer *s = dkim_signer_new(&error);
	struct sign_keys *keys = sign_keys_new(dirfd);
	const struct sign_key *key = sign_keys_get(keys, "solo.example", "g1", &error);
	static const char head[] = "From: a@solo.example\r\nSubject: x\r\n\r\n";

	(void)state;
	srandom(297);
	for (int round = 0; round < 3000; round++) {
		buf_clear(&text);
		buf_clear(&fast);
		buf_clear(&slow);
		buf_appends(&text, head);
		make_body(&text);
		bool signs = dkim_sign_with(s, key, text.data, text.len, "solo.example", "g1", 5,
					    &fast, &error);
		size_t header = strlen(head);
		if (relaxed_fit(text.data + header, text.len - header) &&
		    text.data[text.len - 1] != '\n')
			buf_appends(&text, "\r\n");
		dkim_signer_slow(s, true);
		assert_int_equal(dkim_sign_with(s, key, text.data, text.len, "solo.example", "g1",
						5, &slow, &error),
				 signs);
		dkim_signer_slow(s, false);
		assert_string_equal(buf_str(&fast), buf_str(&slow));
	}
	buf_free(&text);
	buf_free(&fast);
	buf_free(&slow);
	buf_free(&error);
	sign_keys_free(keys);
	dkim_signer_free(s);
}

static void only_the_stand_in_itself_is_replaced(void **state)
{
	static const char body[] = "a  b \r\n", relaxed[] = "a b\r\n";
	unsigned char got[SHA256_DIGEST_LENGTH], want[SHA256_DIGEST_LENGTH];
	size_t n;

	(void)state;
	for (int what = 0; what < 4; what++) {
		SHA256_CTX c;
		const char *line = standin_open(body, strlen(body), &n);
		SHA256_Init(&c);
		SHA256_Update(&c, line, what == 0 ? n : n - 2); /* 1: without its CRLF */
		if (what == 2)
			SHA256_Update(&c, "\r\n", 2);
		bool replaced = standin_close();
		if (what == 3) /* none is open */
			SHA256_Init(&c), SHA256_Update(&c, line, n);
		SHA256_Final(got, &c);
		assert_int_equal(replaced, what == 0);
		const char *hashed = what == 0 ? relaxed : line;
		SHA256((const unsigned char *)hashed,
		       what == 0   ? strlen(relaxed)
		       : what == 1 ? n - 2
				   : n,
		       want);
		assert_memory_equal(got, want, sizeof(want));
	}
}

static void a_message_that_cannot_be_signed_is_said(void **state)
{
	static const struct {
		const char *domain, *text, *says;
	} cases[] = {
		{"other.example", "From: a@b.example\r\n\r\nx",
		 "other.example.g1.pem: there is no such key"},
		{"acme.example", "To: x\r\n\r\nx", "DKIM for acme.example: "},
		{"acme.example", "From: a@b.example\r\nno field\r\n\r\nx",
		 "DKIM for acme.example: "},
		{"acme.example", "", "DKIM for acme.example: "},
	};
	struct buf error = BUF_INIT, out = BUF_INIT;
	struct dkim_signer *s = dkim_signer_new(&error);
	struct sign_keys *keys = sign_keys_new(dirfd);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		buf_clear(&error);
		assert_false(dkim_sign_message(s, keys, cases[i].text, strlen(cases[i].text),
					       cases[i].domain, "g1", 5, &out, &error));
		assert_non_null(strstr(buf_str(&error), cases[i].says));
		assert_int_equal(out.len, 0);
	}
	buf_free(&error);
	buf_free(&out);
	sign_keys_free(keys);
	dkim_signer_free(s);
}

static void domainkeys_wants_rsa_and_a_from(void **state)
{
	struct buf error = BUF_INIT, out = BUF_INIT;
	struct sign_keys *keys = sign_keys_new(dirfd);
	const struct sign_key *key = sign_keys_get(keys, "acme.example", "g1", &error);

	(void)state;
	assert_true(
		domainkeys_sign(message, strlen(message), "acme.example", "g1", key, &out, &error));
	assert_non_null(strstr(out.data, "DomainKey-Signature: a=rsa-sha1; q=dns; c=nofws;\r\n"));
	assert_non_null(strstr(out.data, "h=From:To:Subject:Date:Message-ID:"));
	buf_clear(&out);
	assert_false(domainkeys_sign("To: x\r\n\r\n", 9, "acme.example", "g1", key, &out, &error));
	assert_non_null(strstr(error.data, "no From field"));
	key = sign_keys_get(keys, "solo.example", "g1", &error);
	buf_clear(&error);
	assert_false(domainkeys_sign(message, strlen(message), "x", "g1", key, &out, &error));
	assert_non_null(strstr(error.data, "the key is not RSA"));
	assert_int_equal(out.len, 0);
	buf_free(&error);
	buf_free(&out);
	sign_keys_free(keys);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_kinds_of_signature_verify),
		cmocka_unit_test(a_retry_signs_the_same_bytes),
		cmocka_unit_test(the_library_alone_would_sign_the_same),
		cmocka_unit_test(only_the_stand_in_itself_is_replaced),
		cmocka_unit_test(a_message_that_cannot_be_signed_is_said),
		cmocka_unit_test(domainkeys_wants_rsa_and_a_from),
	};

	return cmocka_run_group_tests(tests, make_keys, drop_keys);
}
