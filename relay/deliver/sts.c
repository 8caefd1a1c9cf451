/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/deliver/sts.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the TXT record ---- */

static const char *skip_space(const char *s)
{
	return s + strspn(s, " \t");
}

/* The value of a field "name=value" at s, its length in *n; NULL when it is of another name. */
static const char *field_value(const char *s, const char *name, size_t *n)
{
	size_t len = strlen(name);

	if (strncmp(s, name, len) != 0 || s[len] != '=')
		return NULL;
	s += len + 1;
	*n = strcspn(s, " \t;");
	return s;
}

bool sts_record(const char *text, char id[STS_ID_MAX])
{
	size_t n;
	const char *version = field_value(text, "v", &n);
	bool found = false;

	if (!version || n != 5 || strncmp(version, "STSv1", 5) != 0)
		return false;
	for (const char *s = strchr(text, ';'); s && !found; s = strchr(s, ';')) {
		s = skip_space(s + 1);
		const char *value = field_value(s, "id", &n);
		if (!value)
			continue;
		if (n == 0 || n >= STS_ID_MAX)
			return false;
		for (size_t i = 0; i < n; i++)
			if (!isalnum((unsigned char)value[i]))
				return false;
		memcpy(id, value, n);
		id[n] = '\0';
		found = true;
	}
	return found;
}

/* ---- the policy ---- */

struct line {
	const char *key, *value;
	size_t key_len, value_len;
};

static bool is(const char *s, size_t n, const char *word)
{
	return n == strlen(word) && memcmp(s, word, n) == 0;
}

static bool take_version(struct sts_policy *p, const struct line *l)
{
	(void)p;
	return is(l->value, l->value_len, "STSv1");
}

static bool take_mode(struct sts_policy *p, const struct line *l)
{
	static const char *const names[] = {"none", "testing", "enforce"};

	for (unsigned i = 0; i < 3; i++)
		if (is(l->value, l->value_len, names[i])) {
			p->mode = i;
			return true;
		}
	return false;
}

static bool take_age(struct sts_policy *p, const struct line *l)
{
	uint64_t age = 0;

	if (l->value_len == 0 || l->value_len > 10)
		return false;
	for (size_t i = 0; i < l->value_len; i++) {
		if (l->value[i] < '0' || l->value[i] > '9')
			return false;
		age = age * 10 + (uint64_t)(l->value[i] - '0');
	}
	p->max_age_s = age > STS_AGE_MAX ? STS_AGE_MAX : (uint32_t)age;
	return true;
}

static bool take_mx(struct sts_policy *p, const struct line *l)
{
	size_t n = l->value_len;

	if (n == 0 || n >= DNS_NAME_MAX || p->host_count == STS_HOSTS_MAX)
		return false;
	char *host = p->hosts[p->host_count];
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)tolower((unsigned char)l->value[i]);
		bool star = c == '*' && i == 0 && n > 2 && l->value[1] == '.';
		if (!isalnum(c) && c != '-' && c != '.' && c != '_' && !star)
			return false;
		host[i] = (char)c;
	}
	host[n] = '\0';
	p->host_count++;
	return true;
}

enum { KEY_VERSION = 1, KEY_MODE = 2, KEY_AGE = 4, KEY_MX = 8 };

static const struct {
	const char *name;
	unsigned bit;
	bool (*take)(struct sts_policy *p, const struct line *l);
	const char *fault;
} keys[] = {
	{"version", KEY_VERSION, take_version, "its version is not STSv1"},
	{"mode", KEY_MODE, take_mode, "its mode is none of enforce, testing, none"},
	{"max_age", KEY_AGE, take_age, "its max_age is no number of seconds"},
	{"mx", KEY_MX, take_mx, "an mx is no name of a host, or there are too many"},
};

/* The next line, without blanks at its ends; false for one without a colon. */
static bool next_line(const char **at, const char *end, struct line *out)
{
	const char *start = *at, *nl = memchr(start, '\n', (size_t)(end - start));
	const char *stop = nl ? nl : end;

	*at = nl ? nl + 1 : end;
	while (stop > start && strchr(" \t\r", stop[-1]))
		stop--;
	const char *colon = memchr(start, ':', (size_t)(stop - start));
	if (!colon)
		return false;
	out->key = start;
	out->key_len = (size_t)(colon - start);
	for (colon++; colon < stop && (*colon == ' ' || *colon == '\t');)
		colon++;
	out->value = colon;
	out->value_len = (size_t)(stop - colon);
	return true;
}

/* What a key says; of one that comes again only mx counts (§3.2). Unknown ones are passed over. */
static bool take_line(struct sts_policy *p, const struct line *l, unsigned *seen, const char **why)
{
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		if (!is(l->key, l->key_len, keys[i].name))
			continue;
		if (keys[i].bit != KEY_MX && (*seen & keys[i].bit))
			return true;
		*seen |= keys[i].bit;
		*why = keys[i].fault;
		return keys[i].take(p, l);
	}
	return true;
}

struct sts_policy *sts_parse(const char *text, size_t n, const char **why)
{
	const char *at = text, *end = text + n;
	struct sts_policy *p = calloc(1, sizeof(*p) + STS_HOSTS_MAX * sizeof(p->hosts[0]));
	const unsigned wanted = KEY_VERSION | KEY_MODE | KEY_AGE;
	unsigned seen = 0;
	bool ok = n <= STS_BYTES_MAX && !(n && memchr(text, '\0', n));

	if (!p)
		abort();
	p->refs = 1;
	*why = "it is too long, or holds a NUL";
	while (ok && at < end) {
		struct line l;
		if (next_line(&at, end, &l))
			ok = take_line(p, &l, &seen, why);
	}
	if (ok && ((seen & wanted) != wanted || (p->mode != STS_NONE && !p->host_count))) {
		*why = "version, mode, max_age or mx is missing";
		ok = false;
	}
	if (!ok) {
		free(p);
		return NULL;
	}
	struct sts_policy *exact = realloc(p, sizeof(*p) + p->host_count * sizeof(p->hosts[0]));
	return exact ? exact : p;
}

struct sts_policy *sts_keep(struct sts_policy *p)
{
	if (p)
		p->refs++;
	return p;
}

void sts_drop(struct sts_policy *p)
{
	if (p && --p->refs == 0)
		free(p);
}

bool sts_names(const struct sts_policy *p, const char *host)
{
	const char *rest = strchr(host, '.');

	for (size_t i = 0; i < p->host_count; i++) {
		const char *pattern = p->hosts[i];
		if (strcmp(pattern, host) == 0)
			return true;
		if (pattern[0] == '*' && rest && rest != host && strcmp(pattern + 1, rest) == 0)
			return true;
	}
	return false;
}
