/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/sign/standin.h"

#include "lib/log.h"
#include "relay/sign/relaxed.h"

#include <dlfcn.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

typedef int sha256_update(SHA256_CTX *c, const void *data, size_t len);

enum { SECRET_BYTES = 24 };

static struct {
	char line[2 * SECRET_BYTES + 3]; /* hexadecimal digits, CRLF; made at the first use */
	const char *body;                /* NULL: none is open */
	size_t n;
	unsigned hashed;
} standin;

/* libcrypto's own. */
static sha256_update *original(void)
{
	static sha256_update *found;

	if (!found) {
		void *symbol = dlsym(RTLD_NEXT, "SHA256_Update");
		if (!symbol)
			fatal("libcrypto has no SHA256_Update");
		memcpy(&found, &symbol, sizeof(found));
	}
	return found;
}

static void hash(void *context, const char *bytes, size_t n)
{
	original()(context, bytes, n);
}

/* In place of libcrypto's function of that name (sha.h declares it). */
int SHA256_Update(SHA256_CTX *c, const void *data, size_t len)
{
	if (!standin.body || len != sizeof(standin.line) - 1 ||
	    memcmp(data, standin.line, len) != 0)
		return original()(c, data, len);
	standin.hashed++;
	relaxed_body(standin.body, standin.n, hash, c);
	return 1;
}

static void make_line(void)
{
	unsigned char secret[SECRET_BYTES];

	if (RAND_bytes(secret, sizeof(secret)) != 1)
		fatal("libcrypto has no random bytes");
	for (size_t i = 0; i < sizeof(secret); i++)
		snprintf(standin.line + 2 * i, 3, "%02x", secret[i]);
	memcpy(standin.line + 2 * sizeof(secret), "\r\n", 3);
}

const char *standin_open(const char *body, size_t n, size_t *len)
{
	if (!standin.line[0])
		make_line();
	standin.body = body;
	standin.n = n;
	standin.hashed = 0;
	*len = sizeof(standin.line) - 1;
	return standin.line;
}

bool standin_close(void)
{
	bool once = standin.hashed == 1;

	standin.body = NULL;
	return once;
}
