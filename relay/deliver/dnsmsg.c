/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/deliver/dnsmsg.h"

#include <string.h>

struct cursor {
	const uint8_t *start;
	size_t n, at;
	bool failed;
};

static unsigned take(struct cursor *c, unsigned bytes)
{
	unsigned value = 0;

	if (c->n - c->at < bytes) {
		c->failed = true;
		c->at = c->n;
		return 0;
	}
	while (bytes--)
		value = value << 8 | c->start[c->at++];
	return value;
}

/* Letters, digits, '-' and '_' are what a host's name is made of; others leave as \DDD. */
static bool put_char(char *out, size_t *len, uint8_t byte)
{
	bool plain = (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == '-' ||
		     byte == '_';

	if (*len + (plain ? 1 : 4) >= DNS_NAME_MAX)
		return false;
	if (plain) {
		out[(*len)++] = (char)byte;
		return true;
	}
	out[(*len)++] = '\\';
	out[(*len)++] = (char)('0' + byte / 100);
	out[(*len)++] = (char)('0' + byte / 10 % 10);
	out[(*len)++] = (char)('0' + byte % 10);
	return true;
}

static bool put_label(const uint8_t *label, unsigned n, char *out, size_t *len)
{
	if (*len) {
		if (*len + 1 >= DNS_NAME_MAX)
			return false;
		out[(*len)++] = '.';
	}
	for (unsigned i = 0; i < n; i++) {
		uint8_t byte = label[i];

		if (byte >= 'A' && byte <= 'Z')
			byte = (uint8_t)(byte + 'a' - 'A');
		if (!put_char(out, len, byte))
			return false;
	}
	return true;
}

/* A name, perhaps compressed (RFC 1035 §4.1.4); out may be NULL to pass over it. A pointer has to
 * lead backwards, so there is no loop. */
static void take_name(struct cursor *c, char *out)
{
	struct cursor at = *c;
	size_t limit = c->at, len = 0;
	bool jumped = false;

	while (!at.failed) {
		unsigned n = take(&at, 1);

		if (n >= 0xc0) {
			size_t to = (n & 0x3f) << 8 | take(&at, 1);

			if (!jumped)
				c->at = at.at;
			jumped = true;
			if (to >= limit)
				at.failed = true;
			at.at = limit = to;
		} else if (n > 63 || at.n - at.at < n) {
			at.failed = true;
		} else if (n == 0) {
			break;
		} else {
			if (out && !put_label(at.start + at.at, n, out, &len))
				at.failed = true;
			at.at += n;
		}
	}
	if (out)
		out[len] = '\0';
	if (!jumped)
		c->at = at.at;
	c->failed |= at.failed;
}

/* The data of one record of the type that was asked for. */
static void take_data(struct cursor *c, uint16_t type, unsigned size, struct dns_record *out)
{
	struct addr *a = &out->addr;

	switch (type) {
	case DNS_MX:
		out->preference = (uint16_t)take(c, 2);
		take_name(c, out->name);
		break;
	case DNS_A:
	case DNS_AAAA:
		a->family = type == DNS_A ? AF_INET : AF_INET6;
		if (size != addr_size(a) || c->n - c->at < size) {
			c->failed = true;
			break;
		}
		memcpy(a->bytes, c->start + c->at, size);
		c->at += size;
		break;
	case DNS_TXT:
	case DNS_TLSA:
		out->data = c->start + c->at;
		out->data_len = size;
		c->at += size;
		break;
	case DNS_CNAME:
		take_name(c, out->name);
		break;
	default:
		break;
	}
}

bool dnsmsg_read(const void *bytes, size_t n, uint16_t type, struct dns_record *out, size_t cap,
		 size_t *count, unsigned *rcode)
{
	struct cursor c = {.start = bytes, .n = n};

	*count = 0;
	take(&c, 3);
	*rcode = take(&c, 1) & 15;
	unsigned questions = take(&c, 2), answers = take(&c, 2);
	take(&c, 4);
	while (questions-- && !c.failed) {
		take_name(&c, NULL);
		take(&c, 4);
	}
	while (answers-- && !c.failed && *count < cap) {
		struct dns_record *r = &out[*count];

		memset(r, 0, sizeof(*r));
		take_name(&c, type == DNS_A || type == DNS_AAAA ? r->name : NULL);
		unsigned its_type = take(&c, 2), its_class = take(&c, 2);
		r->ttl_s = take(&c, 4);
		unsigned size = take(&c, 2);
		if (c.failed || c.n - c.at < size)
			return false;
		size_t end = c.at + size;
		if (its_type == type && its_class == 1) {
			take_data(&c, type, size, r);
			if (c.failed || c.at != end)
				return false;
			(*count)++;
		}
		c.at = end;
	}
	return !c.failed;
}

bool dnsmsg_text(const struct dns_record *r, char *out, size_t cap)
{
	size_t len = 0;

	for (size_t at = 0; at < r->data_len;) {
		size_t n = r->data[at++];

		if (n > r->data_len - at || n >= cap - len || memchr(r->data + at, '\0', n))
			return false;
		memcpy(out + len, r->data + at, n);
		at += n;
		len += n;
	}
	out[len] = '\0';
	return true;
}
