/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/slice.h"

#include "lib/certificate.h"
#include "lib/log.h"
#include "relay/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	PEM_BYTES_MAX = 256 * 1024,
	TOKEN_FILE_MAX = 64 * 1024,
	TOKEN_KEYS_MAX = 64,
	ANCHOR_BYTES_MAX = 16 * 1024,
	AUTHORITIES_BYTES_MAX = 2 * 1024 * 1024,
};
/* A certificate of our own is made anew so long before it expires. */
#define RENEW_S ((int64_t)30 * 86400)

#define CHAIN_FILE "relay.crt"
#define KEY_FILE   "relay.key"
#define TOKEN_FILE "tracking.keys"
/* As Debian's dns-root-data and ca-certificates have them. */
#define ANCHOR_FILE      "/usr/share/dns/root.ds"
#define AUTHORITIES_FILE "/etc/ssl/certs/ca-certificates.crt"

/* ---- which role may know what ---- */

enum {
	KNOWS_HASHES = 1,
	KNOWS_TLS = 2,
	KNOWS_TOKENS = 4,
	KNOWS_TOKEN_NUMBER = 8,
	KNOWS_PEERS = 16, /* how to trust and be trusted by others: anchors, passwords to present */
};

static const unsigned knows[ROLE_COUNT] = {
	[ROLE_ACCEPT] = KNOWS_TLS | KNOWS_TOKEN_NUMBER,
	[ROLE_AUTH] = KNOWS_HASHES,
	[ROLE_WORK] = KNOWS_TOKENS,
	[ROLE_DELIVER] = KNOWS_PEERS,
	[ROLE_HTTP] = KNOWS_TLS | KNOWS_TOKENS,
};

static void drop_hashes(json_t *root)
{
	json_t *accounts = json_object_get(json_object_get(root, "gatepost:relay"), "account");
	size_t i, k;
	json_t *account, *user;

	json_array_foreach(accounts, i, account)
		json_array_foreach(json_object_get(account, "user"), k, user)
			json_object_del(user, "password");
}

static void drop_smart_host_passwords(json_t *root)
{
	json_t *pools = json_object_get(json_object_get(root, "gatepost:relay"), "pool");
	size_t i;
	json_t *pool;

	json_array_foreach(pools, i, pool)
		json_object_del(json_object_get(pool, "smart-host"), "password");
}

static json_t *token_json(const struct config_token_key *key, bool with_secret)
{
	char hex[2 * sizeof(key->secret) + 1] = "";

	for (size_t i = 0; with_secret && i < sizeof(key->secret); i++)
		snprintf(hex + 2 * i, 3, "%02x", key->secret[i]);
	json_t *out = json_pack("{s:I, s:s}", "id", (json_int_t)key->id, "secret", hex);
	explicit_bzero(hex, sizeof(hex));
	return out;
}

void slice_make(const char *json, size_t n, enum role_id role, const struct slice_secrets *s,
		struct buf *out)
{
	json_t *root = json_loadb(json, n, 0, NULL);
	json_t *secrets = json_object();
	json_t *keys = json_array();

	if (!root || !secrets || !keys)
		fatal("relay.json: cannot be read again");
	if (!(knows[role] & KNOWS_HASHES))
		drop_hashes(root);
	if (knows[role] & KNOWS_PEERS) {
		json_object_set_new(secrets, "root-anchor", json_string(s->root_anchor));
		json_object_set_new(secrets, "authorities", json_string(s->authorities));
	} else {
		drop_smart_host_passwords(root);
	}
	if (knows[role] & KNOWS_TLS) {
		json_object_set_new(secrets, "tls-chain", json_string(s->tls_chain));
		json_object_set_new(secrets, "tls-key", json_string(s->tls_key));
	}
	size_t count = knows[role] & KNOWS_TOKENS         ? s->token_key_count
		       : knows[role] & KNOWS_TOKEN_NUMBER ? 1
							  : 0;
	for (size_t i = 0; i < count; i++)
		json_array_append_new(keys,
				      token_json(&s->token_keys[i], knows[role] & KNOWS_TOKENS));
	json_object_set_new(secrets, "token-keys", keys);
	json_object_set_new(root, "secrets", secrets);
	char *text = json_dumps(root, JSON_COMPACT);
	if (!text)
		fatal("relay.json: cannot be written for a role");
	buf_appends(out, text);
	explicit_bzero(text, strlen(text));
	free(text);
	json_decref(root);
}

/* ---- reading the secrets, and making the first ones ---- */

static bool read_at(int dir, const char *name, size_t max, struct buf *out)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	bool ok = buf_read_fd(out, fd, max);
	int saved = errno;
	close(fd);
	errno = saved;
	return ok;
}

static bool make_certificate(int dir, const struct relay_config *c, struct buf *chain,
			     struct buf *key, struct buf *error)
{
	log_warn("no certificate is configured: made a self-signed one for %s; "
		 "Gmail and other large senders refuse those",
		 c->host_name);
	return certificate_self_signed(c->host_name, chain, key, error) &&
	       secret_write(dir, CHAIN_FILE, chain->data, chain->len, error) &&
	       secret_write(dir, KEY_FILE, key->data, key->len, error);
}

/* Is what was made once still good for the host name, and for some days? */
static bool still_suits(const struct buf *chain, const struct buf *key, const char *host)
{
	struct buf unused = BUF_INIT;
	struct certificate *t = certificate_new(buf_str(chain), buf_str(key), &unused);
	bool suits = t && certificate_covers(t, host) &&
		     certificate_until_s(t) > (int64_t)time(NULL) + RENEW_S;

	certificate_free(t);
	buf_free(&unused);
	return suits;
}

static bool load_tls(int dir, const struct relay_config *c, struct slice_secrets *out,
		     struct buf *error)
{
	struct buf chain = BUF_INIT, key = BUF_INIT;
	bool ok = true;

	if (*c->tls_chain_file) {
		const char *at = c->tls_chain_file;
		ok = buf_read_file(&chain, at, PEM_BYTES_MAX);
		if (ok) {
			at = c->tls_key_file;
			ok = buf_read_file(&key, at, PEM_BYTES_MAX);
		}
		if (!ok)
			buf_printf(error, "tls: cannot read '%s': %s\n", at, strerror(errno));
	} else if (!read_at(dir, CHAIN_FILE, PEM_BYTES_MAX, &chain) ||
		   !read_at(dir, KEY_FILE, PEM_BYTES_MAX, &key) ||
		   !still_suits(&chain, &key, c->host_name)) {
		buf_clear(&chain);
		buf_clear(&key);
		ok = make_certificate(dir, c, &chain, &key, error);
	}
	if (ok) {
		struct buf why = BUF_INIT;
		struct certificate *t = certificate_new(buf_str(&chain), buf_str(&key), &why);
		ok = t != NULL;
		if (!t)
			buf_printf(error, "tls: %s\n", buf_str(&why));
		certificate_free(t);
		buf_free(&why);
	}
	out->tls_chain = buf_steal(&chain);
	out->tls_key = buf_steal(&key);
	return ok;
}

/* A line is "NUMBER 64-HEX-DIGITS"; the last line is the newest key. */
static bool parse_tokens(const char *text, struct slice_secrets *out, struct buf *error)
{
	out->token_keys = calloc(TOKEN_KEYS_MAX, sizeof(*out->token_keys));
	if (!out->token_keys)
		abort();
	for (const char *line = text; *line;) {
		unsigned id, length = 0;
		struct config_token_key k = {0};
		int used = 0;
		if (sscanf(line, "%u %n", &id, &used) != 1 || !id ||
		    out->token_key_count == TOKEN_KEYS_MAX)
			goto bad;
		k.id = id;
		const char *hex = line + used;
		for (; length < sizeof(k.secret); length++)
			if (sscanf(hex + 2 * length, "%2hhx", &k.secret[length]) != 1)
				goto bad;
		const char *end = hex + 2 * sizeof(k.secret);
		if (*end != '\n' && *end != '\0')
			goto bad;
		memmove(out->token_keys + 1, out->token_keys, out->token_key_count++ * sizeof(k));
		out->token_keys[0] = k;
		line = *end ? end + 1 : end;
	}
	if (out->token_key_count)
		return true;
bad:
	buf_printf(error,
		   TOKEN_FILE ": a line must be 'NUMBER 64-HEX-DIGITS', at most %d of them\n",
		   TOKEN_KEYS_MAX);
	return false;
}

static bool load_tokens(int dir, bool make, struct slice_secrets *out, struct buf *error)
{
	struct buf text = BUF_INIT;
	bool ok = read_at(dir, TOKEN_FILE, TOKEN_FILE_MAX, &text);

	if (!ok && errno == ENOENT && make) {
		uint8_t secret[32];
		if (getrandom(secret, sizeof(secret), 0) != sizeof(secret))
			fatal("getrandom: %s", strerror(errno));
		buf_clear(&text);
		buf_appends(&text, "1 ");
		for (size_t i = 0; i < sizeof(secret); i++)
			buf_printf(&text, "%02x", secret[i]);
		buf_appendc(&text, '\n');
		ok = secret_write(dir, TOKEN_FILE, text.data, text.len, error);
	} else if (!ok) {
		buf_printf(error, "keys directory: cannot read '" TOKEN_FILE "': %s\n",
			   strerror(errno));
	}
	ok = ok && parse_tokens(buf_str(&text), out, error);
	if (text.data)
		explicit_bzero(text.data, text.len);
	buf_free(&text);
	return ok;
}

/*
 * What deliver trusts: read here, since it can open no file. A host without these files still
 * relays mail; it verifies nobody then.
 */
static bool load_trust(const struct relay_config *c, struct slice_secrets *out, struct buf *error)
{
	struct buf anchor = BUF_INIT, authorities = BUF_INIT;
	bool lab = *c->lab_ca_file, ok = true;
	const char *ca = lab ? c->lab_ca_file : AUTHORITIES_FILE;

	if (*c->lab_trust_anchor)
		buf_appends(&anchor, c->lab_trust_anchor);
	else if (!c->no_dnssec && !c->lab_dns_port &&
		 !buf_read_file(&anchor, ANCHOR_FILE, ANCHOR_BYTES_MAX))
		log_warn("cannot read '%s': %s; the DNS is not validated, and there is no DANE",
			 ANCHOR_FILE, strerror(errno));
	if (!buf_read_file(&authorities, ca, AUTHORITIES_BYTES_MAX)) {
		if (lab)
			buf_printf(error, "lab/ca-file: cannot read '%s': %s\n", ca,
				   strerror(errno));
		else
			log_warn("cannot read '%s': %s; no mail host's certificate can be verified",
				 ca, strerror(errno));
		ok = !lab;
	}
	out->root_anchor = buf_steal(&anchor);
	out->authorities = buf_steal(&authorities);
	return ok;
}

static int open_keys(const struct relay_config *c, struct buf *error)
{
	int dir = open(c->key_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0)
		buf_printf(error, "directory/keys: cannot open '%s': %s\n", c->key_dir,
			   strerror(errno));
	return dir;
}

bool slice_secrets_load(const struct relay_config *c, struct slice_secrets *out, struct buf *error)
{
	*out = (struct slice_secrets){0};
	int dir = open_keys(c, error);
	if (dir < 0)
		return false;
	bool ok = load_tls(dir, c, out, error) && load_tokens(dir, true, out, error) &&
		  load_trust(c, out, error);
	close(dir);
	if (!ok)
		slice_secrets_free(out);
	return ok;
}

bool slice_tokens_load(const struct relay_config *c, struct slice_secrets *out, struct buf *error)
{
	*out = (struct slice_secrets){0};
	int dir = open_keys(c, error);
	if (dir < 0)
		return false;
	bool ok = load_tokens(dir, false, out, error);
	close(dir);
	if (!ok)
		slice_secrets_free(out);
	return ok;
}

void slice_secrets_free(struct slice_secrets *s)
{
	free(s->tls_chain);
	if (s->tls_key)
		explicit_bzero(s->tls_key, strlen(s->tls_key));
	free(s->tls_key);
	free(s->root_anchor);
	free(s->authorities);
	if (s->token_keys)
		explicit_bzero(s->token_keys, TOKEN_KEYS_MAX * sizeof(*s->token_keys));
	free(s->token_keys);
	*s = (struct slice_secrets){0};
}
