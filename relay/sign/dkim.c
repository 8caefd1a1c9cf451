/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/sign/dkim.h"

#include "relay/mime/field.h"
#include "relay/sign/headers.h"
#include "relay/sign/heap.h"
#include "relay/sign/relaxed.h"
#include "relay/sign/standin.h"

/* libopendkim's header wants this one said. */
#define HAVE_STDBOOL_H 1
#include <opendkim/dkim.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SELECTOR_MAX = 256 };

struct dkim_signer {
	DKIM_LIB *lib;
	bool slow; /* the body goes through the library as it is */
};

static const char field_name[] = "DKIM-Signature: ";

static bool set_options(DKIM_LIB *lib)
{
	static const u_char *oversigned[] = {(const u_char *)"From", NULL};
	unsigned flags = DKIM_LIBFLAGS_NONE;

	return dkim_options(lib, DKIM_OP_SETOPT, DKIM_OPTS_FLAGS, &flags, sizeof(flags)) ==
		       DKIM_STAT_OK &&
	       dkim_options(lib, DKIM_OP_SETOPT, DKIM_OPTS_SIGNHDRS, (void *)signed_headers,
			    sizeof(u_char **)) == DKIM_STAT_OK &&
	       dkim_options(lib, DKIM_OP_SETOPT, DKIM_OPTS_OVERSIGNHDRS, (void *)oversigned,
			    sizeof(u_char **)) == DKIM_STAT_OK;
}

void dkim_signer_free(struct dkim_signer *s)
{
	if (!s)
		return;
	if (s->lib)
		dkim_close(s->lib);
	free(s);
}

/* Has the library hash and sign the message. NULL, or why it did not. */
static const char *sign(DKIM *d, const char *message, size_t n, bool slow)
{
	size_t header_end, body_start, at = 0;
	struct mime_field f;
	bool ok = true, hashed = true;

	mime_split_header(message, n, &header_end, &body_start);
	struct mime_range headers = {0, header_end};
	while (ok && mime_next_field(message, headers, &at, &f))
		ok = dkim_header(d, (u_char *)message + f.whole.start,
				 f.value.end - f.whole.start) == DKIM_STAT_OK;
	ok = ok && at == header_end && dkim_eoh(d) == DKIM_STAT_OK;
	const char *body = message + body_start;
	n -= body_start;
	bool fast = ok && !slow && relaxed_fit(body, n);
	if (fast)
		body = standin_open(body, n, &n);
	ok = ok && (n == 0 || dkim_body(d, (u_char *)body, n) == DKIM_STAT_OK) &&
	     dkim_eom(d, NULL) == DKIM_STAT_OK;
	if (fast)
		hashed = standin_close();
	if (ok)
		return hashed ? NULL : "libopendkim did not hash its body";
	const char *why = dkim_geterror(d);
	return why ? why : "the message has no From field, or a line that is no field";
}

bool dkim_sign_with(struct dkim_signer *s, const struct sign_key *key, const char *message,
		    size_t n, const char *domain, const char *selector, int64_t when,
		    struct buf *out, struct buf *error)
{
	dkim_alg_t algorithm =
		key->kind == SIGN_KEY_RSA ? DKIM_SIGN_RSASHA256 : DKIM_SIGN_ED25519SHA256;
	uint64_t fixed = (uint64_t)when;
	struct heap heap;
	DKIM_STAT status;
	u_char *value;
	size_t len;

	heap_open(&heap);
	dkim_options(s->lib, DKIM_OP_SETOPT, DKIM_OPTS_FIXEDTIME, &fixed, sizeof(fixed));
	DKIM *d = dkim_sign(s->lib, (const unsigned char *)"gatepost", &heap,
			    (dkim_sigkey_t)key->handle, (const unsigned char *)selector,
			    (const unsigned char *)domain, DKIM_CANON_RELAXED, DKIM_CANON_RELAXED,
			    algorithm, -1, &status);
	if (!d) {
		buf_printf(error, "DKIM for %s: %s", domain, dkim_getresultstr(status));
		heap_close(&heap);
		return false;
	}
	const char *wrong = sign(d, message, n, s->slow);
	if (!wrong && dkim_getsighdr_d(d, strlen(field_name), &value, &len) != DKIM_STAT_OK)
		wrong = "libopendkim gives no field";
	if (wrong) {
		buf_printf(error, "DKIM for %s: %s", domain, wrong);
	} else {
		buf_appends(out, field_name);
		buf_append(out, value, len);
		buf_appends(out, "\r\n");
	}
	dkim_free(d);
	keys_taken_back(key->kind);
	heap_close(&heap);
	return !wrong;
}

static const char *second_selector(const char *selector, char out[SELECTOR_MAX])
{
	snprintf(out, SELECTOR_MAX, "%.200s" DKIM_ED25519_SUFFIX, selector);
	return out;
}

bool dkim_keys_get(struct sign_keys *keys, const char *domain, const char *selector,
		   struct dkim_keys *out, struct buf *error)
{
	char second[SELECTOR_MAX];
	size_t faults = error->len;

	*out = (struct dkim_keys){.key = sign_keys_get(keys, domain, selector, error)};
	if (!out->key)
		return false;
	out->ed25519 = sign_keys_get(keys, domain, second_selector(selector, second), error);
	return error->len == faults;
}

bool dkim_sign_keys(struct dkim_signer *s, const struct dkim_keys *keys, const char *message,
		    size_t n, const char *domain, const char *selector, int64_t when,
		    struct buf *out, struct buf *error)
{
	char second[SELECTOR_MAX];
	size_t start = out->len;

	if (dkim_sign_with(s, keys->key, message, n, domain, selector, when, out, error) &&
	    (!keys->ed25519 || dkim_sign_with(s, keys->ed25519, message, n, domain,
					      second_selector(selector, second), when, out, error)))
		return true;
	buf_truncate(out, start);
	return false;
}

bool dkim_sign_message(struct dkim_signer *s, struct sign_keys *keys, const char *message, size_t n,
		       const char *domain, const char *selector, int64_t when, struct buf *out,
		       struct buf *error)
{
	struct dkim_keys found;
	size_t faults = error->len;

	if (dkim_keys_get(keys, domain, selector, &found, error))
		return dkim_sign_keys(s, &found, message, n, domain, selector, when, out, error);
	if (error->len == faults)
		buf_printf(error, "%s.%s.pem: there is no such key", domain, selector);
	return false;
}

/* --- setting up -------------------------------------------------------------------------- */

/* One signature by the library alone, and one with a stand-in: that they are the same shows that
 * the stand-in's line was found and what the library makes of a body is known. */
static bool standin_in_force(struct dkim_signer *s)
{
	static const char message[] = "From: a@example.org\r\n\r\n \tself \t test \r\n\r\n\tx\r\n"
				      " \r\nlast  line \r\n \r\n\r\n";
	struct buf slow = BUF_INIT, fast = BUF_INIT, error = BUF_INIT;
	struct sign_key key;
	bool ok = sign_key_make(&key);

	s->slow = true;
	ok = ok && dkim_sign_with(s, &key, message, strlen(message), "example.org", "s", 1, &slow,
				  &error);
	s->slow = false;
	ok = ok && dkim_sign_with(s, &key, message, strlen(message), "example.org", "s", 1, &fast,
				  &error);
	ok = ok && strcmp(buf_str(&slow), buf_str(&fast)) == 0;
	sign_key_drop(&key);
	buf_free(&slow);
	buf_free(&fast);
	buf_free(&error);
	return ok;
}

struct dkim_signer *dkim_signer_new(struct buf *error)
{
	struct dkim_signer *s = calloc(1, sizeof(*s));

	if (!s)
		abort();
	if (!keys_override_in_force()) {
		buf_appends(error, "libopendkim does not take its keys from this program: "
				   "PEM_read_bio_PrivateKey is not overridden");
		free(s);
		return NULL;
	}
	s->lib = dkim_init(heap_malloc, heap_free);
	if (!s->lib || !set_options(s->lib))
		buf_appends(error, "libopendkim cannot be set up");
	else if (!standin_in_force(s))
		buf_appends(error, "libopendkim does not take a body's hash from this program: "
				   "SHA256_Update is not overridden");
	else
		return s;
	dkim_signer_free(s);
	return NULL;
}

void dkim_signer_slow(struct dkim_signer *s, bool slow)
{
	s->slow = slow;
}
