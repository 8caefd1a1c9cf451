/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/sign/keys.h"

#include "relay/sign/heap.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
/* libopendkim's header wants this one said. */
#define HAVE_STDBOOL_H 1
#include <opendkim/dkim.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_NAME_MAX = 400 };

/* libopendkim takes what begins with five dashes for PEM. */
static const char handle_prefix[] = "-----gatepost key ";

/* Every key that has a handle: the override finds it here. */
static EVP_PKEY **handles;
static size_t handle_count;

/* What the override gave out last, and what the library does not free of it by itself. */
static struct {
	EVP_PKEY *pkey;
	BIO *bio;
} taken;
static bool forgets_key, forgets_bio;

struct entry {
	char name[FILE_NAME_MAX];
	struct stat seen;
	struct sign_key key;
};

struct sign_keys {
	int dirfd;
	struct entry **entries;
	size_t count;
};

/* --- handles ----------------------------------------------------------------------------- */

static void give_handle(struct sign_key *key)
{
	size_t i = 0;

	while (i < handle_count && handles[i])
		i++;
	if (i == handle_count) {
		handles = realloc(handles, ++handle_count * sizeof(*handles));
		if (!handles)
			abort();
	}
	handles[i] = key->pkey;
	snprintf(key->handle, sizeof(key->handle), "%s%zu\n", handle_prefix, i);
}

void sign_key_drop(struct sign_key *key)
{
	for (size_t i = 0; i < handle_count; i++)
		if (handles[i] == key->pkey)
			handles[i] = NULL;
	EVP_PKEY_free(key->pkey);
	*key = (struct sign_key){0};
}

bool sign_key_make(struct sign_key *key)
{
	*key = (struct sign_key){.kind = SIGN_KEY_ED25519,
				 .pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")};
	if (key->pkey)
		give_handle(key);
	return key->pkey;
}

/* For the self-test, which watches what becomes of both. */
static bool watching, bio_freed, key_freed;

static long on_bio(BIO *bio, int what, const char *argp, size_t len, int argi, long argl, int ret,
		   size_t *processed)
{
	(void)bio, (void)argp, (void)len, (void)argi, (void)argl, (void)processed;
	if (what == BIO_CB_FREE)
		bio_freed = true;
	return ret;
}

/*
 * In place of libcrypto's function of that name (pem.h declares it), for every caller in this
 * process.
 */
EVP_PKEY *PEM_read_bio_PrivateKey(BIO *bio, EVP_PKEY **x, pem_password_cb *cb, void *u)
{
	size_t prefix = strlen(handle_prefix);
	char *text = NULL;
	long n = BIO_method_type(bio) == BIO_TYPE_MEM ? BIO_get_mem_data(bio, &text) : 0;

	if (n < (long)prefix + 1 || memcmp(text, handle_prefix, prefix) != 0)
		return PEM_read_bio_PrivateKey_ex(bio, x, cb, u, NULL, NULL);
	size_t i = 0;
	for (long k = (long)prefix; k < n && isdigit((unsigned char)text[k]); k++)
		i = i * 10 + (size_t)(text[k] - '0');
	if (i >= handle_count || !handles[i])
		return NULL;
	EVP_PKEY_up_ref(handles[i]);
	taken.pkey = handles[i];
	taken.bio = bio;
	if (watching)
		BIO_set_callback_ex(bio, on_bio);
	return handles[i];
}

void keys_taken_back(enum sign_key_kind kind)
{
	if (kind == SIGN_KEY_ED25519 && taken.pkey) {
		if (forgets_key)
			EVP_PKEY_free(taken.pkey);
		if (forgets_bio)
			BIO_free(taken.bio);
	}
	taken.pkey = NULL;
	taken.bio = NULL;
}

/* --- self-test --------------------------------------------------------------------------- */

static void on_key_free(void *parent, void *ptr, CRYPTO_EX_DATA *ad, int idx, long argl, void *argp)
{
	(void)parent, (void)ad, (void)idx, (void)argl, (void)argp;
	if (ptr)
		key_freed = true;
}

static bool sign_once(DKIM_LIB *lib, struct heap *heap, const struct sign_key *key)
{
	static const char from[] = "From: a@example.org";
	DKIM_STAT status;
	DKIM *d = dkim_sign(lib, (const unsigned char *)"self-test", heap,
			    (dkim_sigkey_t)key->handle, (const unsigned char *)"s",
			    (const unsigned char *)"example.org", DKIM_CANON_RELAXED,
			    DKIM_CANON_RELAXED, DKIM_SIGN_ED25519SHA256, -1, &status);
	bool ok = d && dkim_header(d, (u_char *)from, strlen(from)) == DKIM_STAT_OK &&
		  dkim_eoh(d) == DKIM_STAT_OK && dkim_eom(d, NULL) == DKIM_STAT_OK &&
		  taken.pkey == key->pkey;

	if (d)
		dkim_free(d);
	return ok;
}

bool keys_override_in_force(void)
{
	static int index = -1;
	struct sign_key key;
	DKIM_LIB *lib = dkim_init(heap_malloc, heap_free);
	struct heap heap;
	bool ok = false;

	if (index < 0)
		index = CRYPTO_get_ex_new_index(CRYPTO_EX_INDEX_EVP_PKEY, 0, NULL, NULL, NULL,
						on_key_free);
	bool made = sign_key_make(&key);
	if (!lib || !made || index < 0 || EVP_PKEY_set_ex_data(key.pkey, index, &key) != 1)
		goto done;
	watching = true;
	bio_freed = key_freed = false;
	heap_open(&heap);
	ok = sign_once(lib, &heap, &key);
	watching = false;
	heap_close(&heap);
	if (ok) {
		EVP_PKEY *pkey = key.pkey;
		BIO *bio = taken.bio;
		forgets_bio = !bio_freed;
		if (forgets_bio)
			BIO_free(bio);
		sign_key_drop(&key);
		forgets_key = !key_freed;
		if (forgets_key)
			EVP_PKEY_free(pkey);
		taken.pkey = NULL;
		taken.bio = NULL;
	}
done:
	sign_key_drop(&key);
	if (lib)
		dkim_close(lib);
	return ok;
}

/* --- files ------------------------------------------------------------------------------- */

struct sign_keys *sign_keys_new(int dirfd)
{
	struct sign_keys *k = calloc(1, sizeof(*k));

	if (!k)
		abort();
	k->dirfd = dirfd;
	return k;
}

void sign_keys_free(struct sign_keys *k)
{
	if (!k)
		return;
	for (size_t i = 0; i < k->count; i++) {
		if (k->entries[i]->key.pkey)
			sign_key_drop(&k->entries[i]->key);
		free(k->entries[i]);
	}
	free(k->entries);
	free(k);
}

static struct entry *entry_for(struct sign_keys *k, const char *name)
{
	for (size_t i = 0; i < k->count; i++)
		if (strcmp(k->entries[i]->name, name) == 0)
			return k->entries[i];
	struct entry *e = calloc(1, sizeof(*e));
	k->entries = realloc(k->entries, (k->count + 1) * sizeof(struct entry *));
	if (!e || !k->entries)
		abort();
	snprintf(e->name, sizeof(e->name), "%s", name);
	k->entries[k->count++] = e;
	return e;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* Takes over pkey. */
static bool accept_key(struct entry *e, EVP_PKEY *pkey, struct buf *error)
{
	int kind = EVP_PKEY_get_base_id(pkey), bits = EVP_PKEY_get_bits(pkey);

	if (kind == EVP_PKEY_RSA && bits < SIGN_RSA_BITS_MIN)
		buf_printf(error, "%s: an RSA key of %d bits; receivers want %d at least", e->name,
			   bits, SIGN_RSA_BITS_MIN);
	else if (kind != EVP_PKEY_RSA && kind != EVP_PKEY_ED25519)
		buf_printf(error, "%s: neither an RSA nor an Ed25519 key", e->name);
	else {
		e->key.kind = kind == EVP_PKEY_RSA ? SIGN_KEY_RSA : SIGN_KEY_ED25519;
		e->key.pkey = pkey;
		give_handle(&e->key);
		return true;
	}
	EVP_PKEY_free(pkey);
	return false;
}

static bool parse_key(struct entry *e, const struct buf *pem, struct buf *error)
{
	BIO *bio = BIO_new_mem_buf(pem->data, (int)pem->len);
	/* A key with a password must not ask a terminal for it: "" is the password. */
	EVP_PKEY *pkey = bio ? PEM_read_bio_PrivateKey_ex(bio, NULL, NULL, "", NULL, NULL) : NULL;

	BIO_free(bio);
	if (pkey)
		return accept_key(e, pkey, error);
	buf_printf(error,
		   "%s: no private key in PEM (-----BEGIN PRIVATE KEY-----), or one with "
		   "a password",
		   e->name);
	return false;
}

static bool load(struct entry *e, int fd, struct buf *error)
{
	struct buf pem = BUF_INIT;
	bool ok = false;

	if (e->key.pkey)
		sign_key_drop(&e->key);
	if (!S_ISREG(e->seen.st_mode))
		buf_printf(error, "%s: not a regular file", e->name);
	else if (e->seen.st_mode & 022)
		buf_printf(error, "%s: others may write to it; chmod 0400 it", e->name);
	else if (!buf_read_fd(&pem, fd, SIGN_KEY_FILE_MAX))
		buf_printf(error, "%s: %s", e->name, strerror(errno));
	else
		ok = parse_key(e, &pem, error);
	if (pem.data)
		explicit_bzero(pem.data, pem.cap);
	buf_free(&pem);
	return ok;
}

const struct sign_key *sign_keys_get(struct sign_keys *k, const char *domain, const char *selector,
				     struct buf *error)
{
	char name[FILE_NAME_MAX];
	struct stat st;
	int n = snprintf(name, sizeof(name), "%s.%s.pem", domain, selector);

	for (char *c = name; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	if (n < 0 || (size_t)n >= sizeof(name) || strchr(name, '/')) {
		buf_printf(error, "'%.80s.%.80s.pem' can be no key file's name", domain, selector);
		return NULL;
	}
	if (fstatat(k->dirfd, name, &st, 0) != 0) {
		if (errno != ENOENT)
			buf_printf(error, "%s: %s", name, strerror(errno));
		return NULL;
	}
	struct entry *e = entry_for(k, name);
	if (e->key.pkey && same_file(&e->seen, &st))
		return &e->key;
	int fd = openat(k->dirfd, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &e->seen) != 0) {
		buf_printf(error, "%s: %s", name, strerror(errno));
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	bool ok = load(e, fd, error);
	close(fd);
	return ok ? &e->key : NULL;
}
