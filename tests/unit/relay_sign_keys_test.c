/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/sign/keys.h"

#include "tests/unit/cmocka.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[] = "/tmp/gatepost-keys-XXXXXX";
static int dirfd;

static void path_of(const char *name, char out[256])
{
	snprintf(out, 256, "%s/%s", dir, name);
}

static void write_file(const char *name, const char *text, mode_t mode)
{
	char path[256];

	path_of(name, path);
	unlink(path);
	FILE *f = fopen(path, "we");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	assert_int_equal(chmod(path, mode), 0);
}

static void write_key(const char *name, EVP_PKEY *key)
{
	char path[256];

	path_of(name, path);
	unlink(path);
	FILE *f = fopen(path, "we");
	assert_non_null(f);
	assert_int_equal(PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL), 1);
	fclose(f);
	assert_int_equal(chmod(path, 0400), 0);
	EVP_PKEY_free(key);
}

static int make_dir(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dirfd < 0 ? -1 : 0;
}

static int drop_dir(void **state)
{
	char command[64];

	(void)state;
	close(dirfd);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command) == 0 ? 0 : -1;
}

static void the_library_takes_keys_from_here(void **state)
{
	(void)state;
	assert_true(keys_override_in_force());
	assert_true(keys_override_in_force());
}

static void a_pem_text_is_read_as_ever(void **state)
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	BIO *bio = BIO_new(BIO_s_mem());

	(void)state;
	assert_int_equal(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), 1);
	EVP_PKEY *again = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
	assert_non_null(again);
	assert_int_equal(EVP_PKEY_eq(key, again), 1);
	EVP_PKEY_free(again);
	EVP_PKEY_free(key);
	BIO_free(bio);

	bio = BIO_new_mem_buf("-----gatepost key 99999\n", -1);
	assert_null(PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL));
	BIO_free(bio);
}

static void a_key_is_parsed_once_and_again_when_it_changed(void **state)
{
	struct sign_keys *k = sign_keys_new(dirfd);
	struct buf error = BUF_INIT;

	(void)state;
	write_key("acme.example.g1.pem", EVP_RSA_gen(2048));
	const struct sign_key *key = sign_keys_get(k, "ACME.example", "G1", &error);
	assert_non_null(key);
	assert_int_equal(key->kind, SIGN_KEY_RSA);
	EVP_PKEY *first = key->pkey;
	EVP_PKEY_up_ref(first);
	assert_ptr_equal(sign_keys_get(k, "acme.example", "g1", &error)->pkey, first);

	write_key("acme.example.g1.pem", EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"));
	key = sign_keys_get(k, "acme.example", "g1", &error);
	assert_non_null(key);
	assert_ptr_not_equal(key->pkey, first);
	assert_int_equal(key->kind, SIGN_KEY_ED25519);
	EVP_PKEY_free(first);
	assert_int_equal(error.len, 0);
	sign_keys_free(k);
	buf_free(&error);
}

static void what_is_no_usable_key_is_said(void **state)
{
	struct sign_keys *k = sign_keys_new(dirfd);
	struct buf error = BUF_INIT;

	(void)state;
	assert_null(sign_keys_get(k, "acme.example", "none", &error));
	assert_int_equal(error.len, 0); /* no such file is no fault */

	static const struct {
		const char *selector, *says;
	} cases[] = {
		{"garbage", "garbage.pem: no private key in PEM"},
		{"empty", "no private key in PEM"},
		{"open", "others may write to it; chmod 0400 it"},
		{"small", "an RSA key of 512 bits"},
		{"ec", "neither an RSA nor an Ed25519 key"},
		{"dir", "not a regular file"},
		{"../x", "can be no key file's name"},
		{"big", "File too large"},
	};
	char path[256], *big = calloc(1, SIGN_KEY_FILE_MAX + 2);
	memset(big, 'x', SIGN_KEY_FILE_MAX + 1);
	write_file("acme.example.garbage.pem", "-----BEGIN PRIVATE KEY-----\nAAAA\n", 0400);
	write_file("acme.example.empty.pem", "", 0400);
	write_file("acme.example.open.pem", "", 0422);
	write_file("acme.example.big.pem", big, 0400);
	write_key("acme.example.small.pem", EVP_RSA_gen(512));
	write_key("acme.example.ec.pem", EVP_EC_gen("P-256"));
	path_of("acme.example.dir.pem", path);
	assert_int_equal(mkdir(path, 0700), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		buf_clear(&error);
		assert_null(sign_keys_get(k, "acme.example", cases[i].selector, &error));
		if (!strstr(buf_str(&error), cases[i].says))
			fail_msg("'%s' does not say '%s'", buf_str(&error), cases[i].says);
	}
	free(big);
	sign_keys_free(k);
	buf_free(&error);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_library_takes_keys_from_here),
		cmocka_unit_test(a_pem_text_is_read_as_ever),
		cmocka_unit_test(a_key_is_parsed_once_and_again_when_it_changed),
		cmocka_unit_test(what_is_no_usable_key_is_said),
	};

	return cmocka_run_group_tests(tests, make_dir, drop_dir);
}
