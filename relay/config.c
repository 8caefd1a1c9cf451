/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/config.h"

#include "lib/log.h"
#include "relay/config_index.h"
#include "relay/config_tables.h"
#include "relay/deliver/provider.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { CONFIG_BYTES_MAX = 64 * 1024 * 1024, PATH_TEXT_MAX = 255 };

static bool hex_decode(const char *hex, uint8_t *out, size_t n)
{
	if (strlen(hex) != 2 * n)
		return false;
	for (size_t i = 0; i < n; i++) {
		char pair[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
		char *end;
		out[i] = (uint8_t)strtoul(pair, &end, 16);
		if (*end)
			return false;
	}
	return true;
}

/* PEM holds line ends, which no other text may: it is read by hand. */
static char *pem_text(const json_t *secrets, const char *name)
{
	const char *s = json_string_value(json_object_get(secrets, name));
	char *out = strdup(s ? s : "");
	if (!out)
		abort();
	return out;
}

static bool read_secrets(struct relay_config *c, const json_t *secrets, struct buf *error)
{
	json_t *keys = json_object_get(secrets, "token-keys");
	size_t i;
	json_t *item;

	c->tls_chain = pem_text(secrets, "tls-chain");
	c->tls_key = pem_text(secrets, "tls-key");
	c->root_anchor = pem_text(secrets, "root-anchor");
	c->authorities = pem_text(secrets, "authorities");
	c->token_keys = calloc(json_array_size(keys) + 1, sizeof(*c->token_keys));
	if (!c->token_keys)
		abort();
	json_array_foreach(keys, i, item)
	{
		struct secret_key raw = {0};
		struct config_token_key *k = &c->token_keys[i];
		bool ok = shape_read(&config_secret_key_shape, item, "secrets/token-keys", &raw,
				     error);
		k->id = raw.id;
		if (ok && *raw.secret && !hex_decode(raw.secret, k->secret, sizeof(k->secret))) {
			buf_printf(error, "secrets/token-keys: key %u is not 64 hex digits\n",
				   raw.id);
			ok = false;
		}
		shape_free(&config_secret_key_shape, &raw);
		if (!ok)
			return false;
		c->token_key_count++;
	}
	return true;
}

/* ---- checks between members ---- */

/* YYYY-MM-DD of the proleptic Gregorian calendar as a count of days since 1970. */
static bool date_parse(const char *s, uint32_t *day)
{
	static const uint8_t lengths[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	unsigned y, m, d;
	char end;

	if (strlen(s) != 10 || sscanf(s, "%4u-%2u-%2u%c", &y, &m, &d, &end) != 3 || y < 1970 ||
	    m < 1 || m > 12 || d < 1 || d > lengths[m - 1])
		return false;
	bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
	if (m == 2 && d == 29 && !leap)
		return false;
	*day = (y - 1970) * 365 + (y - 1969) / 4 - (y - 1901) / 100 + (y - 1601) / 400 + d - 1;
	for (unsigned i = 1; i < m; i++)
		*day += i == 2 && !leap ? 28 : lengths[i - 1];
	return true;
}

static bool has_string(const struct config_strings *s, const char *text)
{
	for (size_t i = 0; i < s->count; i++)
		if (strcmp(s->items[i], text) == 0)
			return true;
	return false;
}

static bool check_track(const struct relay_config *c, const struct config_account *a,
			struct buf *error)
{
	bool wanted = a->track_opens || a->track_clicks || a->track_text || a->track_on_request ||
		      a->one_click;
	size_t tags = 0;
	bool ok = true;

	if (wanted && !*a->track_host) {
		buf_printf(error, "account[%s]/track: tracking needs a host: set tracking/host\n",
			   a->name);
		ok = false;
	}
	if (a->one_click && !c->track_https) {
		buf_printf(error, "account[%s]/track/one-click: it needs tracking/https\n",
			   a->name);
		ok = false;
	}
	if (strlen(a->campaign) > CONFIG_LABEL_MAX) {
		buf_printf(error, "account[%s]/track/campaign: '%.40s...' is over %d bytes\n",
			   a->name, a->campaign, CONFIG_LABEL_MAX);
		ok = false;
	}
	for (size_t i = 0; i < a->tags.count; i++)
		tags += strlen(a->tags.items[i]) + 1;
	if (tags > CONFIG_LABEL_MAX + 1) {
		buf_printf(error, "account[%s]/track/tag: together they are over %d bytes\n",
			   a->name, CONFIG_LABEL_MAX);
		ok = false;
	}
	return ok;
}

static bool check_account(const struct relay_config *c, const struct config_account *a,
			  struct buf *error)
{
	bool ok = true;

	for (size_t i = 0; i < a->network_count; i++) {
		char text[PREFIX_STR_MAX];
		if (a->networks[i].len != 0 || a->auth_required)
			continue;
		buf_printf(
			error,
			"account[%s]/networks: '%s' is everybody: name the clients' networks, or "
			"set auth-required\n",
			a->name, prefix_format(&a->networks[i], text));
		ok = false;
	}
	for (size_t i = 0; i < a->from.count; i++) {
		if (strchr(a->from.items[i], '@'))
			continue;
		buf_printf(error, "account[%s]/from: '%s' is not user@domain or *@domain\n",
			   a->name, a->from.items[i]);
		ok = false;
	}
	const struct config_pool *pool = *a->pool ? config_pool(c, a->pool) : NULL;
	if (*a->pool && !pool) {
		buf_printf(error, "account[%s]/pool: there is no pool '%s'\n", a->name, a->pool);
		ok = false;
	} else if (pool && pool->members.count && !has_string(&pool->members, a->name)) {
		buf_printf(error, "account[%s]/pool: '%s' is not a member of pool '%s'\n", a->name,
			   a->name, a->pool);
		ok = false;
	}
	if ((a->sign_dkim || a->sign_domainkeys) &&
	    (!a->sign_domains.count || !*a->sign_selector)) {
		buf_printf(error, "account[%s]/sign: a signature needs a domain and a selector\n",
			   a->name);
		ok = false;
	}
	return check_track(c, a, error) && ok;
}

static bool has_source(const struct config_pool *p, const struct addr *a)
{
	for (size_t i = 0; i < p->source_count; i++)
		if (addr_cmp(&p->sources[i], a) == 0)
			return true;
	return false;
}

/* The password itself is only in deliver's slice: whether there is one is the model's to check. */
static bool check_pool(const struct config_pool *p, bool has_smart_host, struct buf *error)
{
	bool ok = true;

	for (size_t i = 0; i < p->helo_count; i++) {
		char text[ADDR_STR_MAX];
		if (has_source(p, &p->helos[i].source))
			continue;
		buf_printf(error, "pool[%s]/helo: '%s' is not one of the pool's sources\n", p->name,
			   addr_format(&p->helos[i].source, text));
		ok = false;
	}
	if (has_smart_host && !*p->smart_host.host) {
		buf_printf(error, "pool[%s]/smart-host: it needs a host\n", p->name);
		ok = false;
	}
	if (p->smart_host.tls == SMART_NONE && *p->smart_host.user) {
		buf_printf(error,
			   "pool[%s]/smart-host: the password of '%s' would be sent without TLS\n",
			   p->name, p->smart_host.user);
		ok = false;
	}
	return ok;
}

static bool check_provider(const struct config_provider *p, struct buf *error)
{
	if (p->mx.count || provider_is_known(p->name) || strcmp(p->name, PROVIDER_DEFAULT) == 0)
		return true;
	buf_printf(error,
		   "provider[%s]/mx: '%s' is not a provider that is known: name its mail hosts\n",
		   p->name, p->name);
	return false;
}

static bool check_ramp(struct config_pool *p, struct buf *error)
{
	if (!*p->ramp_begin && !p->ramp_count)
		return true;
	if (!date_parse(p->ramp_begin, &p->ramp_day)) {
		buf_printf(error, "pool[%s]/ramp-up/begin: '%s' is not a date (2026-11-30)\n",
			   p->name, p->ramp_begin);
		return false;
	}
	if (p->ramp_count)
		return true;
	buf_printf(error, "pool[%s]/ramp-up/per-day: name the messages of the first days\n",
		   p->name);
	return false;
}

static bool check_workers(const struct relay_config *c, struct buf *error)
{
	unsigned sum = 0;

	for (size_t i = 0; i < c->account_count; i++)
		sum += c->accounts[i].workers;
	if (sum <= CONFIG_OWN_WORKERS_MAX)
		return true;
	buf_printf(error,
		   "account/workers: %u in all; accounts may have %d of their own together\n", sum,
		   CONFIG_OWN_WORKERS_MAX);
	return false;
}

static bool check_references(const struct relay_config *c, const json_t *object, struct buf *error)
{
	bool ok = check_workers(c, error);

	for (size_t i = 0; i < c->account_count; i++) {
		for (size_t k = 0; k < i; k++) {
			if (strcmp(c->accounts[i].name, c->accounts[k].name) == 0) {
				buf_printf(error, "account[%s] stands twice\n",
					   c->accounts[i].name);
				ok = false;
			}
		}
		ok = check_account(c, &c->accounts[i], error) && ok;
	}
	for (size_t i = 0; i < c->route_count; i++) {
		if (config_pool(c, c->routes[i].pool))
			continue;
		buf_printf(error, "route[%s]/pool: there is no pool '%s'\n", c->routes[i].name,
			   c->routes[i].pool);
		ok = false;
	}
	for (size_t i = 0; i < c->provider_count; i++)
		ok = check_provider(&c->providers[i], error) && ok;
	for (size_t i = 0; i < c->pool_count; i++) {
		const json_t *pool = json_array_get(json_object_get(object, "pool"), i);
		ok = check_pool(&c->pools[i], json_object_get(pool, "smart-host"), error) && ok;
		ok = check_ramp(&c->pools[i], error) && ok;
		for (size_t k = 0; k < c->pools[i].members.count; k++) {
			if (config_account(c, c->pools[i].members.items[k]))
				continue;
			buf_printf(error, "pool[%s]/members: there is no account '%s'\n",
				   c->pools[i].name, c->pools[i].members.items[k]);
			ok = false;
		}
	}
	if (*c->tls_chain_file && !*c->tls_key_file) {
		buf_printf(error, "tls: chain-file '%s' needs a key-file\n", c->tls_chain_file);
		ok = false;
	}
	return ok;
}

/* ---- defaults that a table can't say ---- */

static void add_listener(struct relay_config *c, const char *name, uint16_t port,
			 enum listener_kind kind)
{
	size_t n = c->listener_count + 1;
	c->listeners = realloc(c->listeners, n * sizeof(*c->listeners));
	if (!c->listeners)
		abort();
	struct config_listener *l = &c->listeners[c->listener_count++];
	*l = (struct config_listener){.name = strdup(name), .port = port, .kind = kind};
	addr_parse("::", &l->address);
}

static void set_text(char **field, const char *value)
{
	free(*field);
	*field = strdup(value);
	if (!*field)
		abort();
}

static void complete(struct relay_config *c, const json_t *relay_object)
{
	if (!json_object_get(relay_object, "listen")) {
		add_listener(c, "smtp", 25, LISTENER_RELAY);
		add_listener(c, "submission", 587, LISTENER_SUBMISSION);
		add_listener(c, "submissions", 465, LISTENER_SUBMISSIONS);
	}
	if (!json_object_get(relay_object, "http"))
		add_listener(c, "http", 80, LISTENER_HTTP);
	for (size_t i = 0; i < c->account_count; i++)
		if (!*c->accounts[i].track_host)
			set_text(&c->accounts[i].track_host, c->track_host);
	for (size_t i = 0; i < c->pool_count; i++) {
		struct config_smart_host *s = &c->pools[i].smart_host;
		if (!*c->pools[i].host_name)
			set_text(&c->pools[i].host_name, c->host_name);
		if (!s->port)
			s->port = s->tls == SMART_IMPLICIT ? 465 : s->tls == SMART_NONE ? 25 : 587;
	}
	for (size_t i = 0; i < c->account_count; i++)
		if (c->accounts[i].message_size_max > c->message_size_largest)
			c->message_size_largest = c->accounts[i].message_size_max;
}

struct relay_config *config_parse(const char *json, size_t n, struct buf *error)
{
	json_error_t fault;
	json_t *root = json_loadb(json, n, JSON_REJECT_DUPLICATES, &fault);
	if (!root) {
		buf_printf(error, "line %d, column %d: %s\n", fault.line, fault.column, fault.text);
		return NULL;
	}
	struct relay_config *c = calloc(1, sizeof(*c));
	if (!c)
		abort();
	json_t *object = json_object_get(root, "gatepost:relay");
	bool ok = shape_read(&config_shape, object, "gatepost:relay", c, error);
	complete(c, object);
	if (ok)
		c->index = config_index_new(c);
	ok = ok && check_references(c, object, error);
	ok = read_secrets(c, json_object_get(root, "secrets"), error) && ok;
	json_decref(root);
	if (ok)
		return c;
	config_free(c);
	return NULL;
}

struct relay_config *config_load(const char *path, struct buf *error)
{
	struct buf text = BUF_INIT;
	struct relay_config *c = NULL;

	if (buf_read_file(&text, path, CONFIG_BYTES_MAX))
		c = config_parse(buf_str(&text), text.len, error);
	else
		buf_printf(error, "%.*s: %s\n", PATH_TEXT_MAX, path, strerror(errno));
	buf_free(&text);
	return c;
}

void config_free(struct relay_config *c)
{
	if (!c)
		return;
	config_index_free(c->index);
	shape_free(&config_shape, c);
	free(c->tls_chain);
	if (c->tls_key)
		explicit_bzero(c->tls_key, strlen(c->tls_key));
	free(c->tls_key);
	free(c->root_anchor);
	free(c->authorities);
	if (c->token_keys)
		explicit_bzero(c->token_keys, c->token_key_count * sizeof(*c->token_keys));
	free(c->token_keys);
	free(c);
}

const struct config_account *config_account(const struct relay_config *c, const char *name)
{
	if (c->index)
		return config_index_name(c->index, name);
	for (size_t i = 0; i < c->account_count; i++)
		if (strcmp(c->accounts[i].name, name) == 0)
			return &c->accounts[i];
	return NULL;
}

const struct config_pool *config_pool(const struct relay_config *c, const char *name)
{
	for (size_t i = 0; i < c->pool_count; i++)
		if (strcmp(c->pools[i].name, name) == 0)
			return &c->pools[i];
	return NULL;
}
