/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/sign/dkim.h"

#include "relay/mime/field.h"
#include "relay/sign/headers.h"
#include "relay/sign/heap.h"

/* libopendkim's header wants this one said. */
#define HAVE_STDBOOL_H 1
#include <opendkim/dkim.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SELECTOR_MAX = 256 };

struct dkim_signer {
	DKIM_LIB *lib;
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
	if (!s->lib || !set_options(s->lib)) {
		buf_appends(error, "libopendkim cannot be set up");
		dkim_signer_free(s);
		return NULL;
	}
	return s;
}

void dkim_signer_free(struct dkim_signer *s)
{
	if (!s)
		return;
	if (s->lib)
		dkim_close(s->lib);
	free(s);
}

/* Gives the library the message; false when it refuses. */
static bool feed(DKIM *d, const char *message, size_t n)
{
	size_t header_end, body_start, at = 0;
	struct mime_field f;

	mime_split_header(message, n, &header_end, &body_start);
	struct mime_range headers = {0, header_end};
	while (mime_next_field(message, headers, &at, &f))
		if (dkim_header(d, (u_char *)message + f.whole.start,
				f.value.end - f.whole.start) != DKIM_STAT_OK)
			return false;
	if (at != header_end || dkim_eoh(d) != DKIM_STAT_OK)
		return false;
	return n == body_start ||
	       dkim_body(d, (u_char *)message + body_start, n - body_start) == DKIM_STAT_OK;
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
	bool ok = feed(d, message, n) && dkim_eom(d, NULL) == DKIM_STAT_OK &&
		  dkim_getsighdr_d(d, strlen(field_name), &value, &len) == DKIM_STAT_OK;
	if (ok) {
		buf_appends(out, field_name);
		buf_append(out, value, len);
		buf_appends(out, "\r\n");
	} else {
		const char *why = dkim_geterror(d);
		buf_printf(error, "DKIM for %s: %s", domain,
			   why ? why : "the message has no From field, or a line that is no field");
	}
	dkim_free(d);
	keys_taken_back(key->kind);
	heap_close(&heap);
	return ok;
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
