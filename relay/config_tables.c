/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * relay.json's members, one table for each object: what the model calls them, where they go, what
 * they are when they are left out.
 */
#include "relay/config_tables.h"

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

static const struct shape_field sender_host_fields[] = {
	{.name = "domain",
	 .kind = SHAPE_NAME,
	 .at = offsetof(struct config_sender_host, domain),
	 .required = true},
	{.name = "host",
	 .kind = SHAPE_NAME,
	 .at = offsetof(struct config_sender_host, host),
	 .required = true},
};
static const struct shape sender_host_shape = SHAPE(struct config_sender_host, sender_host_fields);

static const struct shape_field track_fields[] = {
	FLAG(struct config_account, track_opens, "opens"),
	FLAG(struct config_account, track_clicks, "clicks"),
	FLAG(struct config_account, track_text, "clicks-text"),
	FLAG(struct config_account, track_on_request, "on-request"),
	FLAG(struct config_account, track_foreign, "foreign-signed"),
	FLAG(struct config_account, one_click, "one-click"),
	NAME(struct config_account, track_host, "host"),
	LIST(struct config_account, sender_hosts, sender_host_count, "sender-domain",
	     sender_host_shape),
	TEXT(struct config_account, campaign, "campaign"),
	TEXTS(struct config_account, tags, "tag"),
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
	NUMBER(relay, track_expire_days, "expire", 1, 3650, 0),
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
const struct shape config_shape = SHAPE(relay, relay_fields);

static const struct shape_field secret_key_fields[] = {
	NUMBER(struct secret_key, id, "id", 1, UINT32_MAX, 0),
	TEXT(struct secret_key, secret, "secret"),
};
const struct shape config_secret_key_shape = SHAPE(struct secret_key, secret_key_fields);
