/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/value.h"

#include "lib/addr.h"
#include "model/schema.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

typedef bool (*value_rule)(const char *text, struct buf *why);

static bool refuse(struct buf *why, const char *reason)
{
	buf_appends(why, reason);
	return false;
}

#define NOT_AN_ADDRESS "not an address (192.0.2.1 or 2001:db8::1)"
#define NOT_A_PREFIX   "not a network (192.0.2.0/24 or 2001:db8::/32)"
#define NOT_ON_A_PORT  "not an address with its network's length (203.0.113.1/26 or 2001:db8::1/64)"

static bool rule_ip(const char *text, struct buf *why)
{
	struct addr a;

	return addr_parse(text, &a) || refuse(why, NOT_AN_ADDRESS);
}

static bool rule_prefix(const char *text, struct buf *why)
{
	char network_text[PREFIX_STR_MAX];
	struct prefix p;

	if (!strchr(text, '/') || !prefix_parse(text, &p)) {
		buf_appends(why, NOT_A_PREFIX);
		if (prefix_parse(text, &p)) /* a lone address */
			buf_printf(why, "; one address alone is %s/%u", text, p.len);
		return false;
	}
	struct prefix network = prefix_network(&p);
	if (addr_cmp(&network.addr, &p.addr) != 0) {
		buf_printf(why, "bits are set behind the /%u; the network is %s", p.len,
			   prefix_format(&network, network_text));
		return false;
	}
	return true;
}

static bool rule_interface_address(const char *text, struct buf *why)
{
	struct prefix p;

	if (!strchr(text, '/') || !prefix_parse(text, &p))
		return refuse(why, NOT_ON_A_PORT);

	unsigned full = (unsigned)addr_size(&p.addr) * 8;
	struct addr first = prefix_network(&p).addr, last = prefix_last(&p);
	if (p.len + 1 < full && addr_cmp(&p.addr, &first) == 0)
		return refuse(why, "the network itself, not an address in it");
	if (p.addr.family == AF_INET && p.len + 1 < full && addr_cmp(&p.addr, &last) == 0)
		return refuse(why, "the network's broadcast address, not one to give to a port");
	return true;
}

static bool rule_endpoint(const char *text, struct buf *why)
{
	/* Names cannot hold '/' or ':'. What they are names of is looked up by check.c. */
	if (strchr(text, '/'))
		return rule_prefix(text, why);
	if (strchr(text, ':'))
		return rule_ip(text, why);
	return true;
}

/* One number of a port list; *end is behind it. */
static bool port_number(const char *s, const char **end, unsigned *port, struct buf *why)
{
	char *stop;
	unsigned long n = strtoul(s, &stop, 10);

	*end = stop;
	*port = (unsigned)n;
	if (n >= 1 && n <= 65535)
		return true;
	buf_printf(why, "%.*s is not a port (1 to 65535)", (int)(stop - s), s);
	return false;
}

static bool rule_ports(const char *text, struct buf *why)
{
	unsigned low, high;

	for (const char *s = text;; s++) {
		if (!isdigit((unsigned char)*s))
			return refuse(why, "not a list of ports: 80 or 80,443 or 5000-5100");
		if (!port_number(s, &s, &low, why))
			return false;
		if (*s == '-') {
			if (!port_number(s + 1, &s, &high, why))
				return false;
			if (high < low) {
				buf_printf(why, "the range runs backwards; write %u-%u", high, low);
				return false;
			}
		}
		if (*s != ',')
			return *s == '\0' || refuse(why, "not a list of ports: 80 or 80,443");
	}
}

static bool rule_name(const char *text, struct buf *why)
{
	struct addr a;

	if (addr_parse(text, &a))
		return refuse(why, "a name that reads as an address would never be looked up");
	if (!strcmp(text, "any"))
		return refuse(why, "\"any\" stands for every address and cannot be a name");
	return true;
}

/* Types of the schema that mean more than libyang can check, and how to describe them. */
static const struct rule {
	const char *type;
	enum value_kind kind;
	value_rule check;
	const char *is;
} rules[] = {
	{"ip", VALUE_IP, rule_ip, "an address (192.0.2.1 or 2001:db8::1)"},
	{"prefix", VALUE_PREFIX, rule_prefix, "a network (192.0.2.0/24 or 2001:db8::/32)"},
	{"interface-address", VALUE_INTERFACE_ADDRESS, rule_interface_address,
	 "an address with its network's length (203.0.113.1/26)"},
	{"endpoint", VALUE_ENDPOINT, rule_endpoint,
	 "any, an address, a network, or the name of a group or server"},
	{"port-list", VALUE_PORTS, rule_ports, "ports: 80 or 80,443 or 5000-5100"},
	{"port", VALUE_OTHER, NULL, "a port (1 to 65535)"},
	{"name", VALUE_OTHER, rule_name, "a name"},
	{"host-name", VALUE_OTHER, NULL, "a host name"},
	{"rate", VALUE_OTHER, NULL, "a rate: 20/second, 100/minute or 1000/hour"},
	{"address-pattern", VALUE_OTHER, NULL, "a sender: user@domain or *@domain"},
};

static const struct rule *rule_of(const struct lysc_node *term)
{
	const char *type = schema_typedef(term);

	for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++)
		if (!strcmp(rules[i].type, type))
			return &rules[i];
	return NULL;
}

enum value_kind value_kind(const struct lysc_node *term)
{
	const struct rule *rule = rule_of(term);

	return rule ? rule->kind : VALUE_OTHER;
}

/* ---- what a type allows, said in words ---- */

static void describe_range(const struct lysc_type *type, const struct lysc_range *range,
			   struct buf *out)
{
	static const uint64_t limits[] = {
		[LY_TYPE_UINT8] = UINT8_MAX,
		[LY_TYPE_UINT16] = UINT16_MAX,
		[LY_TYPE_UINT32] = UINT32_MAX,
		[LY_TYPE_UINT64] = UINT64_MAX,
	};
	uint64_t low = 0, high = limits[type->basetype];

	if (range) {
		low = range->parts[0].min_u64;
		high = range->parts[LY_ARRAY_COUNT(range->parts) - 1].max_u64;
	}
	buf_printf(out, "a number from %" PRIu64 " to %" PRIu64, low, high);
}

static void describe_enum(const struct lysc_type_enum *type, struct buf *out)
{
	LY_ARRAY_COUNT_TYPE i, n = LY_ARRAY_COUNT(type->enums);

	for (i = 0; i < n; i++)
		buf_printf(out, "%s%s",
			   i == 0       ? ""
			   : i + 1 == n ? " or "
					: ", ",
			   type->enums[i].name);
}

static void describe_string(const struct lysc_type_str *type, struct buf *out)
{
	buf_appends(out, "a text");
	if (type->length)
		buf_printf(out, " of %" PRIu64 " to %" PRIu64 " bytes",
			   type->length->parts[0].min_u64,
			   type->length->parts[LY_ARRAY_COUNT(type->length->parts) - 1].max_u64);
}

void value_describe(const struct lysc_node *term, struct buf *out)
{
	const struct rule *rule = rule_of(term);
	const struct lysc_type *type = schema_type(term);
	const struct lysc_node *list = schema_refers_to(term);

	if (rule && strcmp(rule->type, "name") != 0) {
		buf_appends(out, rule->is);
	} else if (list) {
		buf_printf(out, "the name of one %s", list->name);
	} else if (type->basetype == LY_TYPE_ENUM) {
		describe_enum((const struct lysc_type_enum *)type, out);
	} else if (type->basetype == LY_TYPE_STRING) {
		describe_string((const struct lysc_type_str *)type, out);
	} else if (type->basetype >= LY_TYPE_UINT8 && type->basetype <= LY_TYPE_UINT64) {
		describe_range(type, ((const struct lysc_type_num *)type)->range, out);
	} else if (type->basetype == LY_TYPE_EMPTY) {
		buf_appends(out, "nothing: its name alone");
	} else {
		buf_appends(out, "a value");
	}
}

/* ---- checks ---- */

/* The schema's own words for the pattern that text fails, or NULL. */
static const char *pattern_message(const struct lysc_node *term)
{
	const struct lysc_type *type = schema_type(term);
	const char *said = ly_errmsg(term->module->ctx);
	LY_ARRAY_COUNT_TYPE i;

	if (!said || type->basetype != LY_TYPE_STRING)
		return NULL;
	const struct lysc_type_str *string = (const struct lysc_type_str *)type;
	LY_ARRAY_FOR(string->patterns, i)
	{
		if (string->patterns[i]->emsg && !strcmp(string->patterns[i]->emsg, said))
			return string->patterns[i]->emsg;
	}
	return NULL;
}

bool value_check_meaning(const struct lysc_node *term, const char *text, struct buf *why)
{
	const struct rule *rule = rule_of(term);

	return !rule || !rule->check || rule->check(text, why);
}

bool value_check(const struct lysc_node *term, const char *text, struct buf *why)
{
	struct ly_ctx *ctx = term->module->ctx;
	const struct rule *rule = rule_of(term);

	LY_ERR err = lyd_value_validate(ctx, term, text, strlen(text), NULL, NULL, NULL);
	/* EINCOMPLETE: a leafref, whose target only the whole tree can tell. */
	if (err == LY_SUCCESS || err == LY_EINCOMPLETE)
		return value_check_meaning(term, text, why);

	const char *message = pattern_message(term);
	size_t before = why->len;
	if (message)
		buf_appends(why, message);
	else if (rule && rule->check)
		rule->check(text, why); /* says it better, where it sees the fault too */
	if (why->len == before) {
		buf_appends(why, "not ");
		value_describe(term, why);
	}
	ly_err_clean(ctx, NULL);
	return false;
}
