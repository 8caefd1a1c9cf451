/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/track/labels.h"

#include <string.h>

static void copy_cut(const char *from, char *to, size_t cap)
{
	size_t n = strlen(from);

	if (n >= cap)
		for (n = cap - 1; n && ((unsigned char)from[n] & 0xc0) == 0x80; n--)
			;
	memcpy(to, from, n);
	to[n] = '\0';
}

static bool has_tag(const char *tags, const char *tag, size_t n)
{
	for (const char *at = tags; *at; at += strcspn(at, ",")) {
		at += *at == ',';
		if (strcspn(at, ",") == n && strncmp(at, tag, n) == 0)
			return true;
	}
	return false;
}

static void add_tag(struct labels *l, const char *tag, size_t n)
{
	size_t had = strlen(l->tags), comma = had != 0;

	if (!n || had + comma + n >= sizeof(l->tags) || has_tag(l->tags, tag, n))
		return;
	if (comma)
		l->tags[had] = ',';
	memcpy(l->tags + had + comma, tag, n);
	l->tags[had + comma + n] = '\0';
}

void labels_make(const struct config_account *a, const char *campaign, const char *tags,
		 struct labels *out)
{
	*out = (struct labels){0};
	copy_cut(*campaign ? campaign : a->campaign, out->campaign, sizeof(out->campaign));
	for (size_t i = 0; i < a->tags.count; i++)
		add_tag(out, a->tags.items[i], strlen(a->tags.items[i]));
	for (const char *at = tags; *at;) {
		size_t n = strcspn(at, ","), space = strspn(at, " \t"), used = n;

		while (n > space && (at[n - 1] == ' ' || at[n - 1] == '\t'))
			n--;
		if (n > space)
			add_tag(out, at + space, n - space);
		at += used + (at[used] == ',');
	}
}
