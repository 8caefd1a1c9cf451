/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gateway/tool.h"

#include "fwrules/policy.h"
#include "lib/addr.h"
#include "model/model.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { PING_COUNT = 5, PING_COUNT_MAX = 100, CAPTURE_COUNT = 100, CAPTURE_COUNT_MAX = 100000 };

/* ---- words of a request ---- */

static const char *text_of(const json_t *request, const char *name)
{
	return json_string_value(json_object_get(request, name));
}

/* An address or a host name: nothing that the program could take for an option. */
static bool is_host(const char *s)
{
	struct addr a;

	if (addr_parse(s, &a))
		return true;
	if (!isalnum((unsigned char)*s) || strlen(s) > 253)
		return false;
	for (; *s; s++)
		if (!isalnum((unsigned char)*s) && *s != '-' && *s != '.' && *s != '_')
			return false;
	return true;
}

static bool add_host(const json_t *request, struct words *argv, struct buf *error)
{
	const char *host = text_of(request, "host");

	if (!host || !is_host(host)) {
		buf_appends(error, "not an address or host name\n");
		return false;
	}
	words_add(argv, host);
	return true;
}

static void add_count(const json_t *request, int usual, int max, struct words *argv)
{
	json_int_t n = json_integer_value(json_object_get(request, "count"));
	char count[16];

	snprintf(count, sizeof(count), "%d", n < 1 ? usual : n > max ? max : (int)n);
	words_add(argv, "-c");
	words_add(argv, count);
}

/* ---- programs ---- */

static bool ping(const json_t *request, const struct lyd_node *running, struct words *argv,
		 struct buf *error)
{
	(void)running;
	words_add(argv, "ping");
	add_count(request, PING_COUNT, PING_COUNT_MAX, argv);
	return add_host(request, argv, error);
}

static bool traceroute(const json_t *request, const struct lyd_node *running, struct words *argv,
		       struct buf *error)
{
	/* One probe a hop, 2 s for its answer, 20 hops: at the worst 40 s. */
	static const char *const options[] = {"traceroute", "-n", "-q", "1", "-w", "2", "-m", "20"};

	for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++)
		words_add(argv, options[i]);
	(void)running;
	return add_host(request, argv, error);
}

/* "wan" and "dmz" as the config has them; else the kernel's name of a device. */
static bool add_interface(const char *name, const struct lyd_node *running, struct words *argv,
			  struct buf *error)
{
	const struct lyd_node *interfaces = conf_top(running, "interfaces");
	const struct lyd_node *port = NULL;
	char device[IFNAMSIZ] = "any";

	if (name && (!strcmp(name, "wan") || !strcmp(name, "dmz")))
		port = conf_child(interfaces, name);
	if (port) {
		if (!policy_port_name(port, device)) {
			buf_printf(error, "\"%s\": no device is set for it\n", name);
			return false;
		}
	} else if (name) {
		size_t len = strlen(name);
		if (!len || len >= sizeof(device) || !isalnum((unsigned char)*name) ||
		    strpbrk(name, "/ \t")) {
			buf_printf(error, "\"%s\": not a port; 'show interfaces' lists them\n",
				   name);
			return false;
		}
		memcpy(device, name, len + 1);
	}
	words_add(argv, "-i");
	words_add(argv, device);
	return true;
}

/* One part of the filter; parts are joined by "and". */
static void add_filter(struct words *argv, bool *first, const char *kind, const char *value)
{
	if (!*first)
		words_add(argv, "and");
	*first = false;
	if (*kind)
		words_add(argv, kind);
	words_add(argv, value);
}

static bool capture(const json_t *request, const struct lyd_node *running, struct words *argv,
		    struct buf *error)
{
	static const char *const options[] = {"tcpdump", "-n", "-l", "-q", "-p", "-Z", "nobody"};
	static const char *const protocols[] = {"tcp", "udp", "icmp", "icmp6", "arp", "ip", "ip6"};
	const char *host = text_of(request, "host"), *protocol = text_of(request, "protocol");
	const char *port = text_of(request, "port");
	bool first = true, known = !protocol;

	for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++)
		words_add(argv, options[i]);
	add_count(request, CAPTURE_COUNT, CAPTURE_COUNT_MAX, argv);
	if (!add_interface(text_of(request, "interface"), running, argv, error))
		return false;
	for (size_t i = 0; i < sizeof(protocols) / sizeof(*protocols) && !known; i++)
		known = !strcmp(protocols[i], protocol);
	if (!known) {
		buf_printf(error,
			   "\"%s\": not a protocol; it is tcp, udp, icmp, icmp6, arp, ip or ip6\n",
			   protocol);
		return false;
	}
	if (host && !is_host(host)) {
		buf_printf(error, "\"%s\": not an address or host name\n", host);
		return false;
	}
	if (port && (!*port || strlen(port) > 5 || port[strspn(port, "0123456789")])) {
		buf_printf(error, "\"%s\": not a port (1 to 65535)\n", port);
		return false;
	}
	if (protocol)
		add_filter(argv, &first, "", protocol);
	if (host)
		add_filter(argv, &first, "host", host);
	if (port)
		add_filter(argv, &first, "port", port);
	return true;
}

static const struct {
	const char *verb;
	bool (*command)(const json_t *request, const struct lyd_node *running, struct words *argv,
			struct buf *error);
} tools[] = {{"ping", ping}, {"traceroute", traceroute}, {"capture", capture}};

bool tool_command(const char *verb, const json_t *request, const struct lyd_node *running,
		  struct words *argv, struct buf *error)
{
	*argv = (struct words){0};
	for (size_t i = 0; i < sizeof(tools) / sizeof(*tools); i++)
		if (!strcmp(tools[i].verb, verb))
			return tools[i].command(request, running, argv, error);
	buf_printf(error, "no such verb\n");
	return false;
}
