/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/config.h"

#include "lib/log.h"
#include "relay/config_index.h"
#include "relay/deliver/provider.h"
#include "relay/shape.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { CONFIG_BYTES_MAX = 64 * 1024 * 1024, PATH_TEXT_MAX = 255 };

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define SHAPE(type, table)                        \
	{                                         \
		sizeof(type), table, COUNT(table) \
	}

#define TEXT(type, member, key)                                                 \
	{                                                                       \
		.name = (key), .kind = SHAPE_TEXT, .at = offsetof(type, member) \
	}
#define NAME(type, member, key)                                                 \
	{                                                                       \
		.name = (key), .kind = SHAPE_NAME, .at = offsetof(type, member) \
	}
#define KEY(type, member)                                                                          \
	{                                                                                          \
		.name = "name", .kind = SHAPE_TEXT, .at = offsetof(type, member), .required = true \
	}
#define TEXTS(type, member, key)                                                 \
	{                                                                        \
		.name = (key), .kind = SHAPE_TEXTS, .at = offsetof(type, member) \
	}
#define NAMES(type, member, key)                                                 \
	{                                                                        \
		.name = (key), .kind = SHAPE_NAMES, .at = offsetof(type, member) \
	}
#define FLAG(type, member, key)                                                 \
	{                                                                       \
		.name = (key), .kind = SHAPE_FLAG, .at = offsetof(type, member) \
	}
#define ARRAY(type, member, counter, key, what)                              \
	{                                                                    \
		.name = (key), .kind = (what), .at = offsetof(type, member), \
		.count_at = offsetof(type, counter)                          \
	}
#define LIST(type, member, counter, key, of)                                     \
	{                                                                        \
		.name = (key), .kind = SHAPE_LIST, .at = offsetof(type, member), \
		.count_at = offsetof(type, counter), .shape = &(of)              \
	}
#define INSIDE(key, of)                                             \
	{                                                           \
		.name = (key), .kind = SHAPE_INSIDE, .shape = &(of) \
	}
#define NUMBER(type, member, key, least, most, usual)                                              \
	{                                                                                          \
		.name = (key), .kind = SHAPE_NUMBER, .at = offsetof(type, member), .min = (least), \
		.max = (most), .otherwise = (usual), .width = sizeof(((type *)0)->member)          \
	}

#define RATE(type, member, key)                                                 \
	{                                                                       \
		.name = (key), .kind = SHAPE_RATE, .at = offsetof(type, member) \
	}

/* ---- listeners ---- */

static const struct shape_choice listener_kinds[] = {
	{"relay", LISTENER_RELAY},
	{"submission", LISTENER_SUBMISSION},
	{"submissions", LISTENER_SUBMISSIONS},
	{NULL, 0},
};

#define LISTENER_COMMON                                           \
	KEY(struct config_listener, name),                        \
		{.name = "address",                               \
		 .kind = SHAPE_ADDR,                              \
		 .at = offsetof(struct config_listener, address), \
		 .text = "::"},                                   \
		NUMBER(struct config_listener, port, "port", 0, UINT16_MAX, 0)

static const struct shape_field smtp_fields[] = {
	LISTENER_COMMON,
	{.name = "kind",
	 .kind = SHAPE_CHOICE,
	 .at = offsetof(struct config_listener, kind),
	 .choices = listener_kinds,
	 .otherwise = LISTENER_RELAY},
};
static const struct shape smtp_shape = SHAPE(struct config_listener, smtp_fields);

static const struct shape_choice http_kinds[] = {{"http", LISTENER_HTTP}, {NULL, 0}};
static const struct shape_field http_fields[] = {
	LISTENER_COMMON,
	/* No member of this name is in the model: it stands here for its default. */
	{.name = "kind",
	 .kind = SHAPE_CHOICE,
	 .at = offsetof(struct config_listener, kind),
	 .choices = http_kinds,
	 .otherwise = LISTENER_HTTP},
	{.name = "tls",
	 .kind = SHAPE_MARK,
	 .at = offsetof(struct config_listener, kind),
	 .min = LISTENER_HTTPS},
};
static const struct shape http_shape = SHAPE(struct config_listener, http_fields);

/* ---- pools and routes ---- */

static const struct shape_field helo_fields[] = {
	{.name = "source",
	 .kind = SHAPE_ADDR,
	 .at = offsetof(struct config_helo, source),
	 .required = true},
	{.name = "host-name",
	 .kind = SHAPE_NAME,
	 .at = offsetof(struct config_helo, host_name),
	 .required = true},
};
static const struct shape helo_shape = SHAPE(struct config_helo, helo_fields);

static const struct shape_choice smart_host_tls[] = {
	{"starttls-required", SMART_STARTTLS},
	{"implicit", SMART_IMPLICIT},
	{"none", SMART_NONE},
	{NULL, 0},
};

static const struct shape_field smart_host_fields[] = {
	{.name = "host", .kind = SHAPE_NAME, .at = offsetof(struct config_pool, smart_host.host)},
	NUMBER(struct config_pool, smart_host.port, "port", 1, UINT16_MAX, 0),
	{.name = "tls",
	 .kind = SHAPE_CHOICE,
	 .at = offsetof(struct config_pool, smart_host.tls),
	 .choices = smart_host_tls,
	 .otherwise = SMART_STARTTLS},
	TEXT(struct config_pool, smart_host.user, "user"),
	TEXT(struct config_pool, smart_host.password, "password"),
};
static const struct shape smart_host_shape = SHAPE(struct config_pool, smart_host_fields);

static const struct shape_field ramp_fields[] = {
	{.name = "begin", .kind = SHAPE_TEXT, .at = offsetof(struct config_pool, ramp_begin)},
	{.name = "per-day",
	 .kind = SHAPE_NUMBERS,
	 .at = offsetof(struct config_pool, ramp),
	 .count_at = offsetof(struct config_pool, ramp_count),
	 .min = 1,
	 .max = 100000000},
};
static const struct shape ramp_shape = SHAPE(struct config_pool, ramp_fields);

static const struct shape_field pool_fields[] = {
	KEY(struct config_pool, name),
	ARRAY(struct config_pool, sources, source_count, "source", SHAPE_ADDRS),
	NAME(struct config_pool, host_name, "host-name"),
	LIST(struct config_pool, helos, helo_count, "helo", helo_shape),
	INSIDE("smart-host", smart_host_shape),
	TEXTS(struct config_pool, members, "members"),
	INSIDE("ramp-up", ramp_shape),
};
static const struct shape pool_shape = SHAPE(struct config_pool, pool_fields);

static const struct shape_field route_fields[] = {
	KEY(struct config_route, name),
	NAMES(struct config_route, domains, "domain"),
	TEXT(struct config_route, pool, "pool"),
};
static const struct shape route_shape = SHAPE(struct config_route, route_fields);

static const struct shape_field provider_fields[] = {
	KEY(struct config_provider, name),
	NAMES(struct config_provider, mx, "mx"),
	NUMBER(struct config_provider, connections, "connections", 1, 256, 20),
	RATE(struct config_provider, rate, "rate"),
	NUMBER(struct config_provider, messages_per_connection, "messages-per-connection", 1, 10000,
	       100),
};
static const struct shape provider_shape = SHAPE(struct config_provider, provider_fields);

/* ---- accounts ---- */

static const struct shape_field user_fields[] = {
	KEY(struct config_user, name),
	TEXT(struct config_user, password, "password"),
};
static const struct shape user_shape = SHAPE(struct config_user, user_fields);

static const struct shape_field track_fields[] = {
	FLAG(struct config_account, track_opens, "opens"),
	FLAG(struct config_account, track_clicks, "clicks"),
	FLAG(struct config_account, track_text, "clicks-text"),
	NAME(struct config_account, track_host, "host"),
};
static const struct shape track_shape = SHAPE(struct config_account, track_fields);

static const struct shape_field sign_fields[] = {
	NAMES(struct config_account, sign_domains, "domain"),
	TEXT(struct config_account, sign_selector, "selector"),
	FLAG(struct config_account, sign_dkim, "dkim"),
	FLAG(struct config_account, sign_domainkeys, "domainkeys"),
};
static const struct shape sign_shape = SHAPE(struct config_account, sign_fields);

static const struct shape_field limit_fields[] = {
	NUMBER(struct config_account, message_size_max, "message-size", 1024, 1073741824, 52428800),
	NUMBER(struct config_account, recipients_max, "recipients", 1, 1000, 100),
	NUMBER(struct config_account, connections_max, "connections", 1, 1000, 100),
	RATE(struct config_account, rate, "rate"),
};
static const struct shape limit_shape = SHAPE(struct config_account, limit_fields);

static const struct shape_field suspend_fields[] = {
	NUMBER(struct config_account, suspend_bounces, "hard-bounces", 0, 100, 10),
	NUMBER(struct config_account, suspend_complaints, "complaints", 0, 1000, 3),
	NUMBER(struct config_account, suspend_after, "after", 10, 1000, 100),
};
static const struct shape suspend_shape = SHAPE(struct config_account, suspend_fields);

static const struct shape_field account_fields[] = {
	KEY(struct config_account, name),
	ARRAY(struct config_account, networks, network_count, "networks", SHAPE_PREFIXES),
	TEXTS(struct config_account, from, "from"),
	FLAG(struct config_account, auth_required, "auth-required"),
	FLAG(struct config_account, paused, "paused"),
	LIST(struct config_account, users, user_count, "user", user_shape),
	INSIDE("track", track_shape),
	INSIDE("sign", sign_shape),
	TEXT(struct config_account, pool, "pool"),
	NUMBER(struct config_account, workers, "workers", 1, 16, 0),
	NUMBER(struct config_account, weight, "weight", 1, 100, 10),
	INSIDE("limits", limit_shape),
	INSIDE("suspend", suspend_shape),
};
static const struct shape account_shape = SHAPE(struct config_account, account_fields);

/* ---- the whole ---- */

typedef struct relay_config relay;

static const struct shape_field tls_fields[] = {
	TEXT(relay, tls_chain_file, "chain-file"),
	TEXT(relay, tls_key_file, "key-file"),
};
static const struct shape tls_shape = SHAPE(relay, tls_fields);

#define PLACE(member, key, usual)                                                                 \
	{                                                                                         \
		.name = (key), .kind = SHAPE_TEXT, .at = offsetof(relay, member), .text = (usual) \
	}
static const struct shape_field directory_fields[] = {
	PLACE(spool_dir, "spool", "/var/spool/gatepost"),
	PLACE(event_dir, "events", "/var/lib/gatepost/events"),
	PLACE(key_dir, "keys", "/config/keys"),
	PLACE(control_path, "control", "/run/gatepost/relay.sock"),
};
static const struct shape directory_shape = SHAPE(relay, directory_fields);

static const struct shape_field tracking_fields[] = {
	NAME(relay, track_host, "host"),
	FLAG(relay, track_https, "https"),
};
static const struct shape tracking_shape = SHAPE(relay, tracking_fields);

static const struct shape_field retry_fields[] = {
	NUMBER(relay, retry_first_s, "first", 1, 86400, 300),
	NUMBER(relay, retry_longest_s, "longest", 1, 86400, 14400),
	NUMBER(relay, expire_s, "expire", 1, 1209600, 432000),
};
static const struct shape retry_shape = SHAPE(relay, retry_fields);

static const struct shape_choice lab_clocks[] = {
	{"synchronised", LAB_CLOCK_SYNCHRONISED},
	{"unsynchronised", LAB_CLOCK_UNSYNCHRONISED},
	{"past", LAB_CLOCK_PAST},
	{NULL, 0},
};

static const struct shape_field lab_fields[] = {
	NUMBER(relay, lab_smtp_port, "smtp-port", 1, UINT16_MAX, 0),
	NUMBER(relay, lab_dns_port, "dns-port", 1, UINT16_MAX, 0),
	TEXT(relay, lab_trust_anchor, "trust-anchor"),
	NUMBER(relay, lab_sts_port, "sts-port", 1, UINT16_MAX, 0),
	TEXT(relay, lab_ca_file, "ca-file"),
	{.name = "clock",
	 .kind = SHAPE_CHOICE,
	 .at = offsetof(relay, lab_clock),
	 .choices = lab_clocks,
	 .otherwise = LAB_CLOCK_NONE},
};
static const struct shape lab_shape = SHAPE(relay, lab_fields);

static const struct shape_field relay_fields[] = {
	{.name = "host-name",
	 .kind = SHAPE_NAME,
	 .at = offsetof(relay, host_name),
	 .required = true},
	ARRAY(relay, name_servers, name_server_count, "name-server", SHAPE_ADDRS),
	FLAG(relay, no_dnssec, "no-dnssec"),
	LIST(relay, listeners, listener_count, "listen", smtp_shape),
	LIST(relay, listeners, listener_count, "http", http_shape),
	INSIDE("tls", tls_shape),
	INSIDE("directory", directory_shape),
	INSIDE("tracking", tracking_shape),
	LIST(relay, pools, pool_count, "pool", pool_shape),
	LIST(relay, routes, route_count, "route", route_shape),
	LIST(relay, providers, provider_count, "provider", provider_shape),
	LIST(relay, accounts, account_count, "account", account_shape),
	FLAG(relay, wait_for_clock, "wait-for-clock"),
	INSIDE("retry", retry_shape),
	INSIDE("lab", lab_shape),
};
static const struct shape relay_shape = SHAPE(relay, relay_fields);

/* What main adds to a slice (slice.c). */
struct secret_key {
	uint32_t id;
	char *secret; /* 64 hex digits; "" where only the number may be known */
};

static const struct shape_field secret_key_fields[] = {
	NUMBER(struct secret_key, id, "id", 1, UINT32_MAX, 0),
	TEXT(struct secret_key, secret, "secret"),
};
static const struct shape secret_key_shape = SHAPE(struct secret_key, secret_key_fields);

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
		bool ok = shape_read(&secret_key_shape, item, "secrets/token-keys", &raw, error);
		k->id = raw.id;
		if (ok && *raw.secret && !hex_decode(raw.secret, k->secret, sizeof(k->secret))) {
			buf_printf(error, "secrets/token-keys: key %u is not 64 hex digits\n",
				   raw.id);
			ok = false;
		}
		shape_free(&secret_key_shape, &raw);
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
	if ((a->track_opens || a->track_clicks || a->track_text) && !*a->track_host) {
		buf_printf(error, "account[%s]/track: tracking needs a host: set tracking/host\n",
			   a->name);
		ok = false;
	}
	return ok;
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
	bool ok = shape_read(&relay_shape, object, "gatepost:relay", c, error);
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
	shape_free(&relay_shape, c);
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
