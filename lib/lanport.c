/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/lanport.h"

#include <string.h>

enum { LENGTH_MIN = 8, LENGTH_MAX = 30 };

void lanport_default(struct lanport *s)
{
	*s = (struct lanport){.dhcp = true};
	prefix_parse("192.168.77.1/24", &s->address);
}

bool lanport_address(const char *text, struct prefix *out)
{
	struct prefix p;

	if (!strchr(text, '/') || !prefix_parse(text, &p) || p.addr.family != AF_INET ||
	    p.len < LENGTH_MIN || p.len > LENGTH_MAX)
		return false;
	const struct prefix network = prefix_network(&p);
	const struct addr last = prefix_last(&p);
	uint8_t first = p.addr.bytes[0];
	if (!addr_cmp(&p.addr, &network.addr) || !addr_cmp(&p.addr, &last) || first == 0 ||
	    first == 127 || first >= 224)
		return false;
	*out = p;
	return true;
}

static bool set_address(struct lanport *s, const char *value)
{
	return lanport_address(value, &s->address);
}

static bool set_dhcp(struct lanport *s, const char *value)
{
	bool on = !strcmp(value, "on");

	if (!on && strcmp(value, "off") != 0)
		return false;
	s->dhcp = on;
	return true;
}

static const struct setting {
	const char *name, *wanted;
	bool (*set)(struct lanport *s, const char *value);
} known[] = {
	{"address", "an IPv4 address and a length of 8 to 30, as 192.168.77.1/24", set_address},
	{"dhcp", "on or off", set_dhcp},
};

/* line is cut up. */
static bool parse_line(struct lanport *s, char *line, struct buf *error)
{
	char *rest = NULL, *name = strtok_r(line, " \t\r", &rest);
	const char *value = name ? strtok_r(NULL, " \t\r", &rest) : NULL;
	const char *more = value ? strtok_r(NULL, " \t\r", &rest) : NULL;

	if (!name || *name == '#')
		return true;
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		if (strcmp(known[i].name, name) != 0)
			continue;
		if (value && !more && known[i].set(s, value))
			return true;
		buf_printf(error, "\"%s %s%s%s\": %s takes %s\n", name, value ? value : "",
			   more ? " " : "", more ? more : "", name, known[i].wanted);
		return false;
	}
	buf_printf(error, "\"%s\": no such setting of the LAN port; there are address and dhcp\n",
		   name);
	return false;
}

bool lanport_parse(struct lanport *s, const char *text, struct buf *error)
{
	struct buf copy = BUF_INIT;
	char *rest = NULL;
	bool ok = true;

	buf_appends(&copy, text);
	buf_appendc(&copy, '\n');
	for (char *line = strtok_r(copy.data, "\n", &rest); line;
	     line = strtok_r(NULL, "\n", &rest))
		ok = parse_line(s, line, error) && ok;
	buf_free(&copy);
	return ok;
}

void lanport_print(const struct lanport *s, struct buf *out)
{
	char address[PREFIX_STR_MAX];

	buf_printf(out, "address %s\ndhcp %s\n", prefix_format(&s->address, address),
		   s->dhcp ? "on" : "off");
}
