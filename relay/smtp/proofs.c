/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/smtp/proofs.h"

#include "lib/log.h"

#include <mbedtls/md.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { WAYS = 4 }; /* places that one key may take */

struct proof {
	struct proof_key key;
	uint64_t until_ms; /* 0: empty */
	char value[64];
};

struct proofs {
	uint8_t secret[32];
	uint64_t life_ms;
	size_t count;
	struct proof facts[];
};

struct proofs *proofs_new(size_t count, uint64_t life_ms)
{
	struct proofs *p = calloc(1, sizeof(*p) + count * sizeof(p->facts[0]));

	if (!p)
		abort();
	if (getrandom(p->secret, sizeof(p->secret), 0) != sizeof(p->secret))
		fatal("no random numbers");
	p->count = count;
	p->life_ms = life_ms;
	return p;
}

void proofs_free(struct proofs *p)
{
	if (!p)
		return;
	explicit_bzero(p->secret, sizeof(p->secret));
	free(p);
}

struct proof_key proofs_key(const struct proofs *p, const void *a, size_t a_len, const void *b,
			    size_t b_len)
{
	const uint64_t border = a_len;
	mbedtls_md_context_t md;
	struct proof_key key;

	mbedtls_md_init(&md);
	if (mbedtls_md_setup(&md, mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), 1) ||
	    mbedtls_md_hmac_starts(&md, p->secret, sizeof(p->secret)) ||
	    mbedtls_md_hmac_update(&md, (const unsigned char *)&border, sizeof(border)) ||
	    mbedtls_md_hmac_update(&md, a, a_len) || mbedtls_md_hmac_update(&md, b, b_len) ||
	    mbedtls_md_hmac_finish(&md, key.bytes))
		fatal("HMAC-SHA256 cannot be computed");
	mbedtls_md_free(&md);
	return key;
}

bool proofs_equal(const void *a, const void *b, size_t n)
{
	const volatile uint8_t *x = a, *y = b;
	uint8_t differ = 0;

	for (size_t i = 0; i < n; i++)
		differ |= x[i] ^ y[i];
	return differ == 0;
}

/* The key's first place of WAYS. */
static size_t place(const struct proofs *p, const struct proof_key *key)
{
	uint64_t h;

	memcpy(&h, key->bytes, sizeof(h));
	return (size_t)h & (p->count - 1) & ~(size_t)(WAYS - 1);
}

const char *proofs_find(const struct proofs *p, const struct proof_key *key, uint64_t now_ms)
{
	const struct proof *set = &p->facts[place(p, key)];

	for (size_t i = 0; i < WAYS; i++)
		if (set[i].until_ms > now_ms &&
		    proofs_equal(set[i].key.bytes, key->bytes, sizeof(key->bytes)))
			return set[i].value;
	return NULL;
}

void proofs_add(struct proofs *p, const struct proof_key *key, const char *value, uint64_t now_ms)
{
	struct proof *set = &p->facts[place(p, key)];
	struct proof *oldest = &set[0];

	for (size_t i = 0; i < WAYS; i++) {
		if (proofs_equal(set[i].key.bytes, key->bytes, sizeof(key->bytes))) {
			oldest = &set[i];
			break;
		}
		if (set[i].until_ms < oldest->until_ms)
			oldest = &set[i];
	}
	oldest->key = *key;
	oldest->until_ms = now_ms + p->life_ms;
	snprintf(oldest->value, sizeof(oldest->value), "%s", value);
}

void proofs_forget(struct proofs *p)
{
	memset(p->facts, 0, p->count * sizeof(p->facts[0]));
}
