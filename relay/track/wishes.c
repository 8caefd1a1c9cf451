/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/track/wishes.h"

#include <string.h>
#include <strings.h>

static const char prefix[] = "X-Gatepost-";

bool wishes_is_ours(const char *bytes, const struct mime_field *f)
{
	return f->name.end - f->name.start > strlen(prefix) &&
	       strncasecmp(bytes + f->name.start, prefix, strlen(prefix)) == 0;
}

/* One "opens=no" of the list; false when it is none. */
static bool apply_item(const char *item, struct wishes *w)
{
	static const char *const names[] = {"opens=", "clicks=", "text=", "unsubscribe="};
	size_t i = 0, count = sizeof(names) / sizeof(*names);

	if (strcasecmp(item, "no") == 0) {
		w->opens = w->clicks_html = w->clicks_text = w->unsubscribe = false;
		return true;
	}
	while (i < count && strncasecmp(item, names[i], strlen(names[i])) != 0)
		i++;
	const char *value = i < count ? item + strlen(names[i]) : "";
	bool yes = strcasecmp(value, "yes") == 0;
	if (!yes && strcasecmp(value, "no") != 0)
		return false;
	if (i == 0)
		w->opens = yes;
	if (i == 1)
		w->clicks_html = yes;
	if (i == 1 || i == 2)
		w->clicks_text = yes;
	if (i == 3)
		w->unsubscribe = yes;
	return true;
}

static bool apply_track(char *value, struct wishes *w, struct buf *error)
{
	char *rest = value;

	for (char *item; (item = strsep(&rest, ";"));) {
		item += strspn(item, " \t");
		for (size_t n = strlen(item); n && strchr(" \t", item[n - 1]); n--)
			item[n - 1] = '\0';
		if (*item == '\0' || apply_item(item, w))
			continue;
		buf_printf(error,
			   "X-Gatepost-Track: '%.80s' is not understood; "
			   "opens=, clicks=, text= and unsubscribe= take yes or no",
			   item);
		return false;
	}
	return true;
}

bool wishes_apply(const char *bytes, const struct mime_field *f, bool more, struct wishes *w,
		  struct buf *error)
{
	struct buf v = BUF_INIT;
	struct wishes had = *w;
	bool ok;

	if (!mime_field_is(bytes, f, "X-Gatepost-Track"))
		return true;
	mime_unfold(bytes, f->value, &v);
	buf_reserve(&v, 0);
	ok = apply_track(v.data, w, error);
	w->opens = w->opens && (more || had.opens);
	w->clicks_html = w->clicks_html && (more || had.clicks_html);
	w->clicks_text = w->clicks_text && (more || had.clicks_text);
	w->unsubscribe = w->unsubscribe && had.unsubscribe;
	buf_free(&v);
	return ok;
}
