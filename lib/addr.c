/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/addr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

size_t addr_size(const struct addr *a)
{
	return a->family == AF_INET ? 4 : a->family == AF_INET6 ? 16 : 0;
}

bool addr_parse(const char *s, struct addr *out)
{
	memset(out, 0, sizeof(*out));
	if (inet_pton(AF_INET, s, out->bytes) == 1)
		out->family = AF_INET;
	else if (inet_pton(AF_INET6, s, out->bytes) == 1)
		out->family = AF_INET6;
	return out->family != AF_UNSPEC;
}

/* Decimal, without sign, blanks or leading zeros; at most 128. */
static bool length_parse(const char *s, unsigned max, unsigned *out)
{
	unsigned value = 0;

	if (!*s || (s[0] == '0' && s[1]))
		return false;
	for (; *s; s++) {
		if (*s < '0' || *s > '9')
			return false;
		value = value * 10 + (unsigned)(*s - '0');
		if (value > max)
			return false;
	}
	*out = value;
	return true;
}

bool prefix_parse(const char *s, struct prefix *out)
{
	char text[PREFIX_STR_MAX];

	memset(out, 0, sizeof(*out));
	if (strlen(s) >= sizeof(text))
		return false;
	strcpy(text, s);
	char *slash = strchr(text, '/');
	if (slash)
		*slash = '\0';
	if (!addr_parse(text, &out->addr))
		return false;
	out->len = (unsigned)addr_size(&out->addr) * 8;
	return !slash || length_parse(slash + 1, out->len, &out->len);
}

const char *addr_format(const struct addr *a, char out[ADDR_STR_MAX])
{
	if (!addr_size(a) || !inet_ntop(a->family, a->bytes, out, ADDR_STR_MAX))
		strcpy(out, "-");
	return out;
}

const char *prefix_format(const struct prefix *p, char out[PREFIX_STR_MAX])
{
	char text[ADDR_STR_MAX];

	snprintf(out, PREFIX_STR_MAX, "%s/%u", addr_format(&p->addr, text), p->len);
	return out;
}

int addr_cmp(const struct addr *a, const struct addr *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(a->bytes, b->bytes, addr_size(a));
}

int prefix_cmp(const struct prefix *a, const struct prefix *b)
{
	int order = addr_cmp(&a->addr, &b->addr);

	return order ? order : a->len < b->len ? -1 : a->len > b->len;
}

/* The mask of byte i of a prefix of len bits. */
static uint8_t mask_byte(unsigned len, unsigned i)
{
	if (len >= (i + 1) * 8)
		return 0xff;
	return len <= i * 8 ? 0 : (uint8_t)(0xff << (8 - (len - i * 8)));
}

bool prefix_contains(const struct prefix *p, const struct addr *a)
{
	if (p->addr.family != a->family)
		return false;
	for (unsigned i = 0; i < addr_size(a); i++)
		if ((p->addr.bytes[i] ^ a->bytes[i]) & mask_byte(p->len, i))
			return false;
	return addr_size(a) != 0;
}

struct prefix prefix_network(const struct prefix *p)
{
	struct prefix net = *p;

	for (unsigned i = 0; i < addr_size(&net.addr); i++)
		net.addr.bytes[i] &= mask_byte(net.len, i);
	return net;
}

struct addr prefix_last(const struct prefix *p)
{
	struct addr last = p->addr;

	for (unsigned i = 0; i < addr_size(&last); i++)
		last.bytes[i] |= (uint8_t)~mask_byte(p->len, i);
	return last;
}

bool addr_from_sockaddr(const struct sockaddr *sa, struct addr *out, uint16_t *port)
{
	memset(out, 0, sizeof(*out));
	if (sa->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)sa;
		out->family = AF_INET;
		memcpy(out->bytes, &in->sin_addr, 4);
		if (port)
			*port = ntohs(in->sin_port);
		return true;
	}
	if (sa->sa_family != AF_INET6)
		return false;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)sa;
	if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
		out->family = AF_INET;
		memcpy(out->bytes, in6->sin6_addr.s6_addr + 12, 4);
	} else {
		out->family = AF_INET6;
		memcpy(out->bytes, &in6->sin6_addr, 16);
	}
	if (port)
		*port = ntohs(in6->sin6_port);
	return true;
}

socklen_t addr_to_sockaddr(const struct addr *a, uint16_t port, struct sockaddr_storage *out)
{
	memset(out, 0, sizeof(*out));
	if (a->family == AF_INET) {
		struct sockaddr_in *in = (struct sockaddr_in *)out;
		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		memcpy(&in->sin_addr, a->bytes, 4);
		return sizeof(*in);
	}
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(port);
	memcpy(&in6->sin6_addr, a->bytes, 16);
	return sizeof(*in6);
}
