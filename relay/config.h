/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * relay.json as a struct: the `relay` subtree of model/gatepost.yang in RFC 7951 JSON,
 * {"gatepost:relay": {...}}. gatepostd has validated what it writes; a hand-written file is checked
 * here as strictly, without libyang: unknown names are refused, and every message quotes the path
 * and the offending text.
 *
 * main reads the file and hands each role only what its duty needs (config_slice), with the secrets
 * that it may hold under "secrets": what speaks to the network never sees a password hash or a
 * signing key. Strings are never NULL; "" stands for "left out".
 */
#ifndef GATEPOST_RELAY_CONFIG_H
#define GATEPOST_RELAY_CONFIG_H

#include "lib/addr.h"
#include "lib/buf.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* work processes: everybody's and the accounts' own together, and the latter alone. */
enum { CONFIG_WORKERS_MAX = 49, CONFIG_OWN_WORKERS_MAX = 32 };
/* Bytes of a campaign's name, and of all tags with a comma between each two. */
enum { CONFIG_LABEL_MAX = 127 };

enum listener_kind {
	LISTENER_RELAY,       /* 25 */
	LISTENER_SUBMISSION,  /* 587 */
	LISTENER_SUBMISSIONS, /* 465: TLS from the first byte */
	LISTENER_HTTP,
	LISTENER_HTTPS,
};

struct config_listener {
	char *name;
	struct addr address;
	uint16_t port;
	enum listener_kind kind;
};

struct config_strings {
	char **items;
	size_t count;
};

struct config_user {
	char *name;
	char *password; /* crypt(5) hash; "" outside the role auth */
};

/* So many in so long: 1000/hour. A count of 0 stands for no limit. */
struct config_rate {
	uint32_t count;
	uint32_t unit_s;
};

/* The tracking host of one sender domain and those below it; both in lower case. */
struct config_sender_host {
	char *domain, *host;
};

struct config_account {
	char *name;
	struct prefix *networks;
	size_t network_count;
	struct config_strings from; /* user@domain or *@domain */
	bool auth_required;
	bool paused; /* nothing is taken from it */
	struct config_user *users;
	size_t user_count;
	bool track_opens, track_clicks, track_text;
	bool track_on_request; /* messages may ask for more */
	bool track_foreign;    /* also where that breaks another domain's signature */
	bool one_click;        /* RFC 8058 */
	char *track_host;      /* its own, or tracking.host */
	struct config_sender_host *sender_hosts;
	size_t sender_host_count;
	char *campaign;
	struct config_strings tags;
	struct config_strings sign_domains;
	char *sign_selector;
	bool sign_dkim, sign_domainkeys;
	char *pool;
	unsigned workers; /* 0: none of its own */
	unsigned weight;
	uint64_t message_size_max; /* bytes */
	unsigned recipients_max;
	unsigned connections_max;
	/* When it is paused by itself (deliver/outcomes.h); 0: never. */
	unsigned suspend_bounces;    /* percent */
	unsigned suspend_complaints; /* per thousand */
	unsigned suspend_after;      /* recipients */
	struct config_rate rate;     /* recipients */
};

/* The HELO name of one source address. */
struct config_helo {
	struct addr source;
	char *host_name;
};

enum smart_host_tls { SMART_STARTTLS, SMART_IMPLICIT, SMART_NONE };

/* Another relay that takes a pool's mail. */
struct config_smart_host {
	char *host; /* "": the pool has none */
	uint16_t port;
	enum smart_host_tls tls;
	char *user;
	char *password; /* presented as it is; "" outside the role deliver */
};

struct config_pool {
	char *name;
	struct addr *sources;
	size_t source_count;
	char *host_name; /* HELO; the relay's when left out */
	struct config_helo *helos;
	size_t helo_count;
	struct config_smart_host smart_host;
	struct config_strings members;
	char *ramp_begin; /* "2026-11-30", UTC; "" for none */
	uint32_t *ramp;   /* messages for each address and provider on that day, ... */
	size_t ramp_count;
	uint32_t ramp_day; /* of ramp_begin, counted from 1970-01-01 */
};

struct config_provider {
	char *name;
	struct config_strings mx; /* lower case */
	unsigned connections, messages_per_connection;
	struct config_rate rate;
};

struct config_route {
	char *name;
	struct config_strings domains; /* lower case */
	char *pool;
};

struct config_token_key {
	uint32_t id;
	uint8_t secret[32];
};

enum lab_clock { LAB_CLOCK_NONE, LAB_CLOCK_SYNCHRONISED, LAB_CLOCK_UNSYNCHRONISED, LAB_CLOCK_PAST };

struct relay_config {
	char *host_name;
	struct addr *name_servers;
	size_t name_server_count;
	bool no_dnssec;
	struct config_listener *listeners; /* SMTP and HTTP */
	size_t listener_count;
	char *tls_chain_file, *tls_key_file;
	char *spool_dir, *event_dir, *key_dir, *control_path;
	char *track_host;
	bool track_https;
	uint32_t track_expire_days; /* 0: never */
	struct config_pool *pools;
	size_t pool_count;
	struct config_route *routes;
	size_t route_count;
	struct config_provider *providers;
	size_t provider_count;
	struct config_account *accounts;
	size_t account_count;
	struct config_index *index;    /* of the accounts; NULL in a config made by hand */
	uint64_t message_size_largest; /* bytes: the most that any account may send */
	uint32_t retry_first_s, retry_longest_s, expire_s;
	bool wait_for_clock; /* until the kernel says that it is synchronised */
	uint16_t lab_smtp_port, lab_dns_port, lab_sts_port; /* 0: the real ones */
	char *lab_trust_anchor, *lab_ca_file;
	int lab_clock; /* enum lab_clock */

	/* Secrets, present only in the slices of the roles that may hold them. */
	char *tls_chain, *tls_key; /* PEM: accept, http */
	/* deliver; no secrets, but files that it cannot open: the root's DS or DNSKEY records, one
	 * a line, and PEM of the authorities that vouch for servers. */
	char *root_anchor, *authorities;
	struct config_token_key
		*token_keys; /* newest first: work, http, and accept its newest id */
	size_t token_key_count;
};

/* NULL when the text is refused; error then has one line per fault. The caller frees. */
struct relay_config *config_parse(const char *json, size_t n, struct buf *error);
struct relay_config *config_load(const char *path, struct buf *error);
void config_free(struct relay_config *c);

const struct config_account *config_account(const struct relay_config *c, const char *name);
const struct config_pool *config_pool(const struct relay_config *c, const char *name);

#endif
