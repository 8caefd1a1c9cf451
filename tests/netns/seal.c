/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes tracking URLs for tests:
 *
 *	seal KEYS HOST < lines > URLs
 *
 * KEYS is a relay's file of tracking keys ("NUMBER 64-HEX-DIGITS", the last
 *line counts). A line is KIND MESSAGE RECIPIENT ACCOUNT ACCEPTED [URL], KIND
 *being o or c, ACCEPTED seconds since 1970.
 */
#include "relay/track/token.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int usage(const char *why)
{
	fprintf(stderr, "seal: %s\n", why);
	return 2;
}

static bool read_key(const char *path, struct token_key *key)
{
	FILE *f = fopen(path, "r");
	char hex[65];
	bool found = false;

	while (f && fscanf(f, "%" SCNu32 " %64s", &key->id, hex) == 2) {
		found = strlen(hex) == 64;
		for (size_t i = 0; found && i < 32; i++)
			found = sscanf(hex + 2 * i, "%2hhx", &key->secret[i]) == 1;
	}
	if (f)
		fclose(f);
	return found;
}

int main(int argc, char **argv)
{
	static struct token t;
	static char line[TOKEN_URL_MAX + 256];
	struct buf text = BUF_INIT, url = BUF_INIT;
	struct token_key key;
	int used;

	if (argc != 3)
		return usage("KEYS HOST");
	if (!read_key(argv[1], &key))
		return usage("no key");
	struct token_ring *ring = token_ring_new(&key, 1);
	while (fgets(line, sizeof(line), stdin)) {
		char kind;
		memset(&t, 0, sizeof(t));
		line[strcspn(line, "\n")] = '\0';
		if (sscanf(line, "%c %" SCNu64 " %" SCNu32 " %63s %" SCNi64 " %n", &kind,
			   &t.message, &t.recipient, t.account, &t.accepted, &used) != 5)
			return usage("a line that does not fit");
		t.kind = kind == 'c' ? TOKEN_CLICK : TOKEN_OPEN;
		snprintf(t.url, sizeof(t.url), "%s", line + used);
		buf_clear(&text);
		buf_clear(&url);
		if (!token_seal(ring, key.id, argv[2], &t, &text))
			return usage("not sealed");
		token_url(false, argv[2], t.kind, buf_str(&text), &url);
		puts(buf_str(&url));
	}
	buf_free(&text);
	buf_free(&url);
	token_ring_free(ring);
	return 0;
}
