/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/tlsa.h"

#include <mbedtls/sha256.h>
#include <mbedtls/sha512.h>
#include <mbedtls/x509_crt.h>
#include <stdlib.h>
#include <string.h>

enum { DANE_TA = 2, DANE_EE = 3 };
enum { WHOLE_CERTIFICATE = 0, PUBLIC_KEY = 1 };
enum { EXACT = 0, SHA256 = 1, SHA512 = 2 };

/* ---- sets ---- */

struct tlsa_set *tlsa_set_new(void)
{
	struct tlsa_set *s = calloc(1, sizeof(*s));

	if (!s)
		abort();
	s->refs = 1;
	return s;
}

struct tlsa_set *tlsa_set_keep(struct tlsa_set *s)
{
	if (s)
		s->refs++;
	return s;
}

void tlsa_set_drop(struct tlsa_set *s)
{
	if (!s || --s->refs)
		return;
	for (size_t i = 0; i < s->count; i++)
		free(s->records[i].data);
	free(s);
}

static bool usable(uint8_t usage, uint8_t selector, uint8_t matching, size_t len)
{
	if ((usage != DANE_TA && usage != DANE_EE) || selector > PUBLIC_KEY)
		return false;
	switch (matching) {
	case EXACT:
		return len > 0 && len <= TLSA_DATA_MAX;
	case SHA256:
		return len == 32;
	case SHA512:
		return len == 64;
	default:
		return false;
	}
}

bool tlsa_set_add(struct tlsa_set *s, const uint8_t *rdata, size_t n)
{
	if (n < 3 || s->count == TLSA_RECORDS_MAX || !usable(rdata[0], rdata[1], rdata[2], n - 3))
		return false;
	struct tlsa *r = &s->records[s->count++];
	*r = (struct tlsa){rdata[0], rdata[1], rdata[2], n - 3, malloc(n - 3)};
	if (!r->data)
		abort();
	memcpy(r->data, rdata + 3, n - 3);
	return true;
}

static bool has_stronger(const struct tlsa_set *s, const struct tlsa *r)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->records[i].usage == r->usage && s->records[i].selector == r->selector &&
		    s->records[i].matching == SHA512)
			return true;
	return false;
}

void tlsa_set_prefer_strong(struct tlsa_set *s)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->count; i++) {
		struct tlsa r = s->records[i];

		/* The strong ones are never taken out, so looking among what is half moved is safe.
		 */
		if (r.matching == SHA256 && has_stronger(s, &r))
			free(r.data);
		else
			s->records[kept++] = r;
	}
	s->count = kept;
}

/* ---- matching ---- */

static bool matches(const struct tlsa *r, const mbedtls_x509_crt *crt)
{
	const mbedtls_x509_buf *what = r->selector == PUBLIC_KEY ? &crt->pk_raw : &crt->raw;
	uint8_t digest[64];

	switch (r->matching) {
	case SHA256:
		if (mbedtls_sha256_ret(what->p, what->len, digest, 0) != 0)
			return false;
		return memcmp(digest, r->data, 32) == 0;
	case SHA512:
		if (mbedtls_sha512_ret(what->p, what->len, digest, 0) != 0)
			return false;
		return memcmp(digest, r->data, 64) == 0;
	default:
		return what->len == r->len && memcmp(what->p, r->data, r->len) == 0;
	}
}

static void say_flags(uint32_t flags, struct buf *why)
{
	char text[512];

	if (mbedtls_x509_crt_verify_info(text, sizeof(text), "", flags) <= 0)
		return;
	for (char *p = text; *p; p++)
		if (*p == '\n')
			*p = p[1] ? ';' : '\0';
	buf_clear(why);
	buf_appends(why, text);
}

/* The server's certificate is below that authority, and has one of the names. */
static bool holds_below(const mbedtls_x509_crt *chain, const mbedtls_x509_crt *authority,
			const char *const *names, size_t name_count, struct buf *why)
{
	mbedtls_x509_crt alone; /* without what follows it in the chain */
	uint32_t flags = 0;
	bool holds = false;

	mbedtls_x509_crt_init(&alone);
	if (mbedtls_x509_crt_parse_der(&alone, authority->raw.p, authority->raw.len) == 0)
		for (size_t i = 0; i < name_count && !holds; i++) {
			holds = mbedtls_x509_crt_verify((mbedtls_x509_crt *)chain, &alone, NULL,
							names[i], &flags, NULL, NULL) == 0;
			if (!holds)
				say_flags(flags, why);
		}
	mbedtls_x509_crt_free(&alone);
	return holds;
}

static bool fits(const struct tlsa *r, const mbedtls_x509_crt *chain, const char *const *names,
		 size_t name_count, struct buf *why)
{
	if (r->usage == DANE_EE)
		return matches(r, chain);
	for (const mbedtls_x509_crt *c = chain->next; c; c = c->next)
		if (matches(r, c) && holds_below(chain, c, names, name_count, why))
			return true;
	return false;
}

bool tlsa_verify(const struct tlsa_set *s, const struct mbedtls_x509_crt *chain,
		 const char *const *names, size_t name_count, struct buf *why)
{
	buf_appends(why, "the certificate fits none of its TLSA records (DANE)");
	for (size_t i = 0; chain && i < s->count; i++)
		if (fits(&s->records[i], chain, names, name_count, why)) {
			buf_clear(why);
			return true;
		}
	return false;
}
