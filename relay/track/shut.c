/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/track/shut.h"

#include "lib/wire.h"
#include "relay/spool/envelope.h"
#include "relay/track/url.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct item {
	uint8_t kind;
	char *name;
};

struct shut_list {
	struct item *items;
	size_t count;
	bool sorted;
};

static const char *const kind_names[SHUT_KINDS] = {
	[SHUT_ACCOUNT] = "account", [SHUT_DOMAIN] = "domain", [SHUT_MESSAGE] = "message"};

enum shut_kind shut_kind_of(const char *name)
{
	for (int i = SHUT_ACCOUNT; i < SHUT_KINDS; i++)
		if (strcmp(kind_names[i], name) == 0)
			return i;
	return 0;
}

const char *shut_kind_name(enum shut_kind kind)
{
	return kind >= SHUT_ACCOUNT && kind < SHUT_KINDS ? kind_names[kind] : "";
}

struct shut_list *shut_list_new(void)
{
	struct shut_list *l = calloc(1, sizeof(*l));

	if (!l)
		abort();
	return l;
}

void shut_list_free(struct shut_list *l)
{
	for (size_t i = 0; l && i < l->count; i++)
		free(l->items[i].name);
	if (l)
		free(l->items);
	free(l);
}

bool shut_list_add(struct shut_list *l, enum shut_kind kind, const char *name)
{
	if (l->count == SHUT_MAX || strlen(name) > SHUT_NAME_MAX)
		return false;
	/* Room grows at each power of two. */
	if ((l->count & (l->count - 1)) == 0) {
		l->items = realloc(l->items, (l->count ? 2 * l->count : 1) * sizeof(*l->items));
		if (!l->items)
			abort();
	}
	struct item *i = &l->items[l->count++];
	*i = (struct item){.kind = (uint8_t)kind, .name = strdup(name)};
	if (!i->name)
		abort();
	l->sorted = false;
	return true;
}

/* ---- as it travels ---- */

void shut_list_encode(const struct shut_list *l, struct buf *out)
{
	wire_put_u32(out, (uint32_t)l->count);
	for (size_t i = 0; i < l->count; i++) {
		wire_put_u8(out, l->items[i].kind);
		wire_put_str(out, l->items[i].name);
	}
}

static int by_kind_then_name(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	return x->kind != y->kind ? x->kind - y->kind : strcmp(x->name, y->name);
}

struct shut_list *shut_list_decode(const void *bytes, size_t n)
{
	struct wire w = wire_reader(bytes, n);
	struct shut_list *l = shut_list_new();
	uint32_t count = wire_u32(&w);
	bool ok = count <= SHUT_MAX;

	for (uint32_t i = 0; ok && i < count; i++) {
		uint8_t kind = wire_u8(&w);
		char *name = wire_str(&w);

		ok = !w.failed && kind >= SHUT_ACCOUNT && kind < SHUT_KINDS &&
		     shut_list_add(l, kind, name);
		free(name);
	}
	if (!ok || !wire_done(&w)) {
		shut_list_free(l);
		return NULL;
	}
	if (l->count)
		qsort(l->items, l->count, sizeof(*l->items), by_kind_then_name);
	l->sorted = true;
	return l;
}

/* ---- asking ---- */

static bool has(const struct shut_list *l, enum shut_kind kind, const char *name)
{
	const struct item key = {.kind = (uint8_t)kind, .name = (char *)(uintptr_t)name};

	if (l->sorted)
		return bsearch(&key, l->items, l->count, sizeof(key), by_kind_then_name) != NULL;
	for (size_t i = 0; i < l->count; i++)
		if (by_kind_then_name(&key, &l->items[i]) == 0)
			return true;
	return false;
}

/* The domain itself, and each one above it. */
static bool has_domain(const struct shut_list *l, const char *url)
{
	char host[SHUT_NAME_MAX + 1];
	size_t start, end, n;

	if (!url_host(url, strlen(url), &start, &end))
		return false;
	n = end - start;
	if (n && url[end - 1] == '.')
		n--; /* the same host to a browser */
	if (n > SHUT_NAME_MAX)
		return false;
	size_t len = 0;
	for (size_t i = 0; i < n; i++) {
		int c = (unsigned char)url[start + i];

		/* To a browser "%65vil" is the same host. */
		if (c == '%' && i + 2 < n && isxdigit((unsigned char)url[start + i + 1]) &&
		    isxdigit((unsigned char)url[start + i + 2])) {
			char hex[3] = {url[start + i + 1], url[start + i + 2], '\0'};
			c = (int)strtol(hex, NULL, 16);
			i += 2;
		}
		host[len++] = (char)tolower(c);
	}
	host[len] = '\0';
	for (const char *at = host; at; at = strchr(at, '.')) {
		at += *at == '.';
		if (has(l, SHUT_DOMAIN, at))
			return true;
	}
	return false;
}

bool shut_covers(const struct shut_list *l, const struct token *t)
{
	char id[MESSAGE_ID_STR_MAX];

	if (!l || !l->count)
		return false;
	return has(l, SHUT_ACCOUNT, t->account) ||
	       has(l, SHUT_MESSAGE, message_id_format(t->message, id)) ||
	       (t->kind == TOKEN_CLICK && has_domain(l, t->url));
}
