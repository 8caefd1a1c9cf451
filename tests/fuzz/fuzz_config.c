/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * relay.json. What is accepted can be cut into every role's slice; each slice is accepted as well,
 * and password hashes are in none but auth's.
 */
#include "relay/config.h"
#include "relay/slice.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool holds_a_hash(const struct relay_config *c)
{
	for (size_t i = 0; i < c->account_count; i++)
		for (size_t k = 0; k < c->accounts[i].user_count; k++)
			if (*c->accounts[i].users[k].password)
				return true;
	return false;
}

static void cut(const char *json, size_t n, const struct relay_config *whole, enum role_id role)
{
	static struct config_token_key key = {.id = 7};
	struct slice_secrets secrets = {.tls_chain = (char *)"chain",
					.tls_key = (char *)"key",
					.token_keys = &key,
					.token_key_count = 1};
	struct buf slice = BUF_INIT, error = BUF_INIT;
	struct relay_config *c;

	slice_make(json, n, role, &secrets, &slice);
	c = config_parse(buf_str(&slice), slice.len, &error);
	if (!c || c->account_count != whole->account_count ||
	    holds_a_hash(c) != (role == ROLE_AUTH && holds_a_hash(whole)))
		abort();
	config_free(c);
	buf_free(&slice);
	buf_free(&error);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf json = BUF_INIT, error = BUF_INIT;
	struct relay_config *c;

	buf_append(&json, (const char *)data, size);
	c = config_parse(buf_str(&json), size, &error);
	if (!c && !error.len)
		abort();
	for (enum role_id role = ROLE_ACCEPT; c && role < ROLE_COUNT; role++)
		cut(buf_str(&json), size, c, role);
	config_free(c);
	buf_free(&json);
	buf_free(&error);
	return 0;
}
