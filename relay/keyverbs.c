/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/keyverbs.h"

#include "lib/log.h"
#include "relay/sandbox.h"
#include "relay/secret.h"
#include "relay/sign/dkim.h"
#include "relay/sign/make.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NAME_BYTES_MAX = 256, LABEL_MAX = 63 };

static json_t *refuse(const char *what, const char *text, const char *right)
{
	char safe[300];

	log_escape(safe, sizeof(safe), text, strlen(text));
	return json_pack("{s:b, s:o}", "ok", 0, "error",
			 json_sprintf("%s '%s': %s", what, safe, right));
}

/* ---- one key ---- */

static bool ends_with(const char *s, const char *end)
{
	return strlen(s) > strlen(end) && strcmp(s + strlen(s) - strlen(end), end) == 0;
}

/* Who signs with it: "acme, other". */
static void put_accounts(const struct relay_config *c, const char *domain, const char *selector,
			 struct buf *out)
{
	char plain[NAME_BYTES_MAX];

	snprintf(plain, sizeof(plain), "%s", selector);
	if (ends_with(plain, DKIM_ED25519_SUFFIX))
		plain[strlen(plain) - strlen(DKIM_ED25519_SUFFIX)] = '\0';
	for (size_t i = 0; i < c->account_count; i++) {
		const struct config_account *a = &c->accounts[i];

		if ((!a->sign_dkim && !a->sign_domainkeys) ||
		    strcasecmp(a->sign_selector, plain) != 0)
			continue;
		for (size_t k = 0; k < a->sign_domains.count; k++)
			if (strcasecmp(a->sign_domains.items[k], domain) == 0)
				buf_printf(out, "%s%s", out->len ? ", " : "", a->name);
	}
}

static json_t *row_of(const struct relay_config *c, struct sign_keys *keys, const char *domain,
		      const char *selector)
{
	struct buf accounts = BUF_INIT, error = BUF_INIT, text = BUF_INIT, record = BUF_INIT;
	const struct sign_key *key = sign_keys_get(keys, domain, selector, &error);
	const char *state = "in use";

	put_accounts(c, domain, selector, &accounts);
	if (!key)
		state = error.len ? buf_str(&error) : "missing";
	else if (!accounts.len)
		state = "unused";
	if (key) {
		sign_record_text(key, &text);
		sign_record_line(domain, selector, buf_str(&text), &record);
	}
	json_t *row = json_pack("{s:s, s:s, s:s, s:i, s:s, s:s, s:o, s:o, s:s, s:s}", "domain",
				domain, "selector", selector, "kind",
				!key                        ? ""
				: key->kind == SIGN_KEY_RSA ? "rsa"
							    : "ed25519",
				"bits", key ? EVP_PKEY_get_bits(key->pkey) : 0, "accounts",
				buf_str(&accounts), "state", state, "file",
				json_sprintf("%s.%s.pem", domain, selector), "name",
				json_sprintf("%s._domainkey.%s", selector, domain), "text",
				buf_str(&text), "record", buf_str(&record));
	buf_free(&accounts);
	buf_free(&error);
	buf_free(&text);
	buf_free(&record);
	return row;
}

/* ---- all of them ---- */

struct listing {
	const struct relay_config *config;
	struct sign_keys *keys;
	const char *domain; /* NULL: any */
	json_t *rows;
};

static void add_row(struct listing *l, const char *domain, const char *selector)
{
	json_t *row;
	size_t i;

	if (l->domain && strcasecmp(l->domain, domain) != 0)
		return;
	json_array_foreach(l->rows, i,
			   row) if (strcasecmp(json_string_value(json_object_get(row, "domain")),
					       domain) == 0 &&
				    strcasecmp(json_string_value(json_object_get(row, "selector")),
					       selector) == 0) return;
	json_array_append_new(l->rows, row_of(l->config, l->keys, domain, selector));
}

static void add_accounts(struct listing *l)
{
	for (size_t i = 0; i < l->config->account_count; i++) {
		const struct config_account *a = &l->config->accounts[i];

		for (size_t k = 0;
		     (a->sign_dkim || a->sign_domainkeys) && k < a->sign_domains.count; k++)
			add_row(l, a->sign_domains.items[k], a->sign_selector);
	}
}

/* DOMAIN.SELECTOR.pem; of a name that nobody uses the selector is what stands behind the last dot.
 */
static void add_file(struct listing *l, const char *name)
{
	char domain[NAME_BYTES_MAX], plain[NAME_BYTES_MAX];

	if (!ends_with(name, ".pem") || strlen(name) >= sizeof(domain))
		return;
	snprintf(domain, sizeof(domain), "%.*s", (int)(strlen(name) - strlen(".pem")), name);
	for (size_t i = 0; i < json_array_size(l->rows); i++) {
		const json_t *row = json_array_get(l->rows, i);
		const char *file = json_string_value(json_object_get(row, "file"));
		size_t n = strlen(file) - strlen(".pem");

		snprintf(plain, sizeof(plain), "%.*s" DKIM_ED25519_SUFFIX, (int)n, file);
		if (strcasecmp(file, name) == 0)
			return;
		if (strcasecmp(plain, domain) == 0) {
			snprintf(plain, sizeof(plain), "%s" DKIM_ED25519_SUFFIX,
				 json_string_value(json_object_get(row, "selector")));
			add_row(l, json_string_value(json_object_get(row, "domain")), plain);
			return;
		}
	}
	char *dot = strrchr(domain, '.');
	if (!dot || !dot[1] || dot == domain)
		return;
	*dot = '\0';
	add_row(l, domain, dot + 1);
}

static json_t *with_keys(const struct relay_config *c,
			 json_t *(*fn)(const struct relay_config *c, int dir,
				       const json_t *question),
			 const json_t *question)
{
	int dir = open(c->key_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	json_t *answer;

	if (dir < 0)
		return refuse("directory/keys", c->key_dir, strerror(errno));
	answer = fn(c, dir, question);
	close(dir);
	return answer;
}

static json_t *list(const struct relay_config *c, int dir, const json_t *question)
{
	struct listing l = {.config = c,
			    .keys = sign_keys_new(dir),
			    .domain = json_string_value(json_object_get(question, "domain")),
			    .rows = json_array()};
	struct dirent **names = NULL;

	add_accounts(&l);
	int count = scandirat(dir, ".", &names, NULL, alphasort);
	for (int i = 0; i < count; i++) {
		add_file(&l, names[i]->d_name);
		free(names[i]);
	}
	free(names);
	sign_keys_free(l.keys);
	return json_pack("{s:b, s:o}", "ok", 1, "keys", l.rows);
}

json_t *keyverbs_list(const struct relay_config *c, const json_t *question)
{
	return with_keys(c, list, question);
}

/* ---- a new one ---- */

/* Labels of letters, digits, '-' and '_', joined by dots; at least so many. */
static bool is_name(const char *s, unsigned labels_min)
{
	unsigned labels = 1;
	size_t len = 0;

	for (; *s; s++) {
		if (*s == '.') {
			if (!len)
				return false;
			labels++;
			len = 0;
		} else if ((!isalnum((unsigned char)*s) && *s != '-' && *s != '_') ||
			   ++len > LABEL_MAX) {
			return false;
		}
	}
	return len && labels >= labels_min;
}

static void lower(char *s)
{
	for (; *s; s++)
		*s = (char)tolower((unsigned char)*s);
}

static json_t *write_key(const struct relay_config *c, int dir, const char *domain,
			 const char *selector, enum sign_key_kind kind)
{
	struct buf pem = BUF_INIT, error = BUF_INIT;
	char name[NAME_BYTES_MAX];
	json_t *answer = NULL;
	struct stat st;

	if (snprintf(name, sizeof(name), "%s.%s.pem", domain, selector) >= (int)sizeof(name))
		return refuse("domain", domain, "with this selector it is too long for a file");
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return refuse("key", name,
			      "it is there already, and the DNS may know it; give the new one "
			      "another selector");
	if (!sign_make_key(kind, &pem, &error) ||
	    !secret_write(dir, name, pem.data, pem.len, &error)) {
		answer = refuse("key", name, buf_str(&error));
	} else if (!sandbox_own_keys(c->key_dir)) {
		answer = refuse("key", name, "it is made, but cannot be given to who signs");
	} else {
		struct sign_keys *keys = sign_keys_new(dir);
		json_t *row = row_of(c, keys, domain, selector);

		log_info("made the signing key %s", name);
		answer = json_pack("{s:b, s:o}", "ok", 1, "key", row);
		sign_keys_free(keys);
	}
	if (pem.data)
		explicit_bzero(pem.data, pem.cap);
	buf_free(&pem);
	buf_free(&error);
	return answer;
}

static json_t *make(const struct relay_config *c, int dir, const json_t *question)
{
	const char *kind = json_string_value(json_object_get(question, "kind"));
	const char *domain = json_string_value(json_object_get(question, "domain"));
	const char *selector = json_string_value(json_object_get(question, "selector"));
	bool rsa = !kind || strcmp(kind, "rsa") == 0;
	char name[NAME_BYTES_MAX], plain[NAME_BYTES_MAX];

	if (!rsa && strcmp(kind, "ed25519") != 0)
		return refuse("kind", kind, "it is rsa or ed25519");
	if (!domain || strlen(domain) > 253 || !is_name(domain, 2))
		return refuse("domain", domain ? domain : "", "not a domain (acme.example)");
	if (!selector || strlen(selector) > LABEL_MAX || !is_name(selector, 1) ||
	    ends_with(selector, DKIM_ED25519_SUFFIX))
		return refuse("selector", selector ? selector : "",
			      "letters, digits, '-' and '_', up to 63; -ed25519 is put behind it "
			      "by itself");
	snprintf(name, sizeof(name), "%s", domain);
	snprintf(plain, sizeof(plain), "%s%s", selector, rsa ? "" : DKIM_ED25519_SUFFIX);
	lower(name);
	lower(plain);
	return write_key(c, dir, name, plain, rsa ? SIGN_KEY_RSA : SIGN_KEY_ED25519);
}

json_t *keyverbs_make(const struct relay_config *c, const json_t *question)
{
	return with_keys(c, make, question);
}
