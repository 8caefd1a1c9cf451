/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/track/foreign.h"

#include <string.h>
#include <strings.h>

/* The value of the tag d= of a tag list (RFC 6376 §3.2). */
static void tag_d(const char *s, struct buf *out)
{
	while (*s) {
		s += strspn(s, " \t;");
		size_t name = strcspn(s, " \t=;");
		const char *value = s + name + strspn(s + name, " \t");
		bool is_d = name == 1 && *s == 'd' && *value == '=';
		s = value + strcspn(value, ";");
		if (!is_d)
			continue;
		value += 1 + strspn(value + 1, " \t");
		buf_append(out, value, strcspn(value, " \t;"));
		return;
	}
}

enum signature_kind signature_of(const char *bytes, const struct mime_field *f,
				 const char *const *own_domains, size_t own_count,
				 struct buf *domain)
{
	struct buf v = BUF_INIT;
	size_t start = domain->len;

	if (mime_field_is(bytes, f, "ARC-Seal")) {
		buf_appends(domain, "ARC");
		return SIGNATURE_FOREIGN;
	}
	if (!mime_field_is(bytes, f, "DKIM-Signature") &&
	    !mime_field_is(bytes, f, "DomainKey-Signature"))
		return SIGNATURE_NONE;
	mime_unfold(bytes, f->value, &v);
	tag_d(buf_str(&v), domain);
	buf_free(&v);
	for (size_t i = 0; i < own_count; i++)
		if (strcasecmp(own_domains[i], buf_str(domain) + start) == 0)
			return SIGNATURE_OWN;
	return SIGNATURE_FOREIGN;
}
