/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/shape.h"

#include "lib/addr.h"
#include "relay/config.h"

#include <ctype.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { QUOTED_MAX = 80, RATE_DIGITS_MAX = 9 };

struct place_name {
	const char *path;
	const char *name;
	struct buf *error;
};

/* path/name: 'the text' MESSAGE */
static bool refuse(const struct place_name *at, const json_t *value, const char *expected)
{
	char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

	buf_printf(at->error, "%s/%s: %.*s%s is not %s\n", at->path, at->name, QUOTED_MAX,
		   text ? text : "?", text && strlen(text) > QUOTED_MAX ? "..." : "", expected);
	free(text);
	return false;
}

static void *grow(void **array, size_t *count, size_t size)
{
	void *bigger = realloc(*array, (*count + 1) * size);
	if (!bigger)
		abort();
	*array = bigger;
	void *item = (char *)bigger + (*count)++ * size;
	memset(item, 0, size);
	return item;
}

static char *copy(const char *s, bool lower)
{
	char *out = strdup(s);
	if (!out)
		abort();
	for (char *p = out; lower && *p; p++)
		*p = (char)tolower((unsigned char)*p);
	return out;
}

/* A control character in a name could forge a line of a protocol or of the log. */
static bool is_text(const json_t *value)
{
	const char *s = json_string_value(value);

	if (!s || strlen(s) != json_string_length(value))
		return false;
	for (; *s; s++)
		if (iscntrl((unsigned char)*s))
			return false;
	return true;
}

static bool is_empty_leaf(const json_t *value)
{
	return json_array_size(value) == 1 && json_is_null(json_array_get(value, 0));
}

typedef bool reader_fn(const struct shape_field *f, const json_t *value,
		       const struct place_name *at, void *out);

static bool read_text(const struct shape_field *f, const json_t *value, const struct place_name *at,
		      void *out)
{
	char **field = (char **)((char *)out + f->at);

	if (!is_text(value))
		return refuse(at, value, "a string without control characters");
	free(*field);
	*field = copy(json_string_value(value), f->kind == SHAPE_NAME);
	return true;
}

static bool read_texts(const struct shape_field *f, const json_t *value,
		       const struct place_name *at, void *out)
{
	struct config_strings *strings = (struct config_strings *)((char *)out + f->at);
	size_t i;
	json_t *item;

	if (!json_is_array(value))
		return refuse(at, value, "an array of strings");
	json_array_foreach(value, i, item)
	{
		if (!is_text(item))
			return refuse(at, item, "a string without control characters");
		char **slot = grow((void **)&strings->items, &strings->count, sizeof(char *));
		*slot = copy(json_string_value(item), f->kind == SHAPE_NAMES);
	}
	return true;
}

static bool read_addr(const struct shape_field *f, const json_t *value, const struct place_name *at,
		      void *out)
{
	if (!is_text(value) ||
	    !addr_parse(json_string_value(value), (struct addr *)((char *)out + f->at)))
		return refuse(at, value, "an address (192.0.2.1, 2001:db8::1)");
	return true;
}

static bool read_addrs(const struct shape_field *f, const json_t *value,
		       const struct place_name *at, void *out)
{
	bool prefixes = f->kind == SHAPE_PREFIXES;
	size_t i;
	json_t *item;

	if (!json_is_array(value))
		return refuse(at, value, "an array");
	json_array_foreach(value, i, item)
	{
		const char *s = is_text(item) ? json_string_value(item) : "";
		struct prefix p;
		if (prefixes ? !prefix_parse(s, &p) : !addr_parse(s, &p.addr))
			return refuse(at, item,
				      prefixes ? "a prefix (192.0.2.0/24, 2001:db8::/32)"
					       : "an address (192.0.2.1, 2001:db8::1)");
		size_t size = prefixes ? sizeof(struct prefix) : sizeof(struct addr);
		void *slot = grow((void **)((char *)out + f->at),
				  (size_t *)((char *)out + f->count_at), size);
		memcpy(slot, &p, size);
	}
	return true;
}

static bool read_flag(const struct shape_field *f, const json_t *value, const struct place_name *at,
		      void *out)
{
	if (!is_empty_leaf(value))
		return refuse(at, value, "[null], as an empty leaf is written");
	if (f->kind == SHAPE_MARK)
		*(int *)((char *)out + f->at) = (int)f->min;
	else
		*(bool *)((char *)out + f->at) = true;
	return true;
}

static void put_number(const struct shape_field *f, void *out, uint64_t v)
{
	void *field = (char *)out + f->at;

	if (f->width == sizeof(uint16_t))
		*(uint16_t *)field = (uint16_t)v;
	else if (f->width == sizeof(uint32_t))
		*(uint32_t *)field = (uint32_t)v;
	else
		*(uint64_t *)field = v;
}

static bool read_number(const struct shape_field *f, const json_t *value,
			const struct place_name *at, void *out)
{
	char expected[64];
	json_int_t v = json_integer_value(value);

	snprintf(expected, sizeof(expected), "a number from %llu to %llu",
		 (unsigned long long)f->min, (unsigned long long)f->max);
	if (!json_is_integer(value) || v < 0 || (uint64_t)v < f->min || (uint64_t)v > f->max)
		return refuse(at, value, expected);
	put_number(f, out, (uint64_t)v);
	return true;
}

static bool read_numbers(const struct shape_field *f, const json_t *value,
			 const struct place_name *at, void *out)
{
	char expected[64];
	size_t i;
	json_t *item;

	snprintf(expected, sizeof(expected), "a number from %llu to %llu",
		 (unsigned long long)f->min, (unsigned long long)f->max);
	if (!json_is_array(value))
		return refuse(at, value, "an array of numbers");
	json_array_foreach(value, i, item)
	{
		json_int_t v = json_integer_value(item);

		if (!json_is_integer(item) || v < 0 || (uint64_t)v < f->min || (uint64_t)v > f->max)
			return refuse(at, item, expected);
		uint32_t *slot = grow((void **)((char *)out + f->at),
				      (size_t *)((char *)out + f->count_at), sizeof(uint32_t));
		*slot = (uint32_t)v;
	}
	return true;
}

static bool read_choice(const struct shape_field *f, const json_t *value,
			const struct place_name *at, void *out)
{
	struct buf expected = BUF_INIT;

	for (const struct shape_choice *c = f->choices; c->name; c++) {
		if (json_is_string(value) && strcmp(c->name, json_string_value(value)) == 0) {
			*(int *)((char *)out + f->at) = c->value;
			buf_free(&expected);
			return true;
		}
		buf_printf(&expected, "%s%s", c == f->choices ? "one of " : ", ", c->name);
	}
	refuse(at, value, buf_str(&expected));
	buf_free(&expected);
	return false;
}

static bool read_rate(const struct shape_field *f, const json_t *value, const struct place_name *at,
		      void *out)
{
	static const struct {
		const char *name;
		uint32_t seconds;
	} units[] = {{"/second", 1}, {"/minute", 60}, {"/hour", 3600}};
	const char *s = is_text(value) ? json_string_value(value) : "";
	size_t digits = strspn(s, "0123456789");

	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
		if (!digits || digits > RATE_DIGITS_MAX || *s == '0' ||
		    strcmp(s + digits, units[i].name) != 0)
			continue;
		*(struct config_rate *)((char *)out + f->at) = (struct config_rate){
			.count = (uint32_t)strtoul(s, NULL, 10), .unit_s = units[i].seconds};
		return true;
	}
	return refuse(at, value, "a rate (20/second, 100/minute, 1000/hour)");
}

static bool read_fields(const struct shape *s, const json_t *object, const char *path, void *out,
			struct buf *error);

static bool read_inside(const struct shape_field *f, const json_t *value,
			const struct place_name *at, void *out)
{
	struct buf path = BUF_INIT;

	buf_printf(&path, "%s/%s", at->path, at->name);
	bool ok = json_is_object(value)
			  ? read_fields(f->shape, value, buf_str(&path), out, at->error)
			  : refuse(at, value, "an object");
	buf_free(&path);
	return ok;
}

static bool read_list(const struct shape_field *f, const json_t *value, const struct place_name *at,
		      void *out)
{
	bool ok = true;
	size_t i;
	json_t *item;

	if (!json_is_array(value))
		return refuse(at, value, "an array of objects");
	json_array_foreach(value, i, item)
	{
		struct buf path = BUF_INIT;
		const char *key = json_string_value(json_object_get(item, "name"));
		void *slot = grow((void **)((char *)out + f->at),
				  (size_t *)((char *)out + f->count_at), f->shape->size);
		buf_printf(&path, "%s/%s[%s]", at->path, at->name, key ? key : "?");
		if (!shape_read(f->shape, item, buf_str(&path), slot, at->error))
			ok = false;
		buf_free(&path);
	}
	return ok;
}

static reader_fn *const readers[] = {
	[SHAPE_TEXT] = read_text,      [SHAPE_NAME] = read_text,       [SHAPE_TEXTS] = read_texts,
	[SHAPE_NAMES] = read_texts,    [SHAPE_ADDR] = read_addr,       [SHAPE_ADDRS] = read_addrs,
	[SHAPE_PREFIXES] = read_addrs, [SHAPE_FLAG] = read_flag,       [SHAPE_MARK] = read_flag,
	[SHAPE_NUMBER] = read_number,  [SHAPE_CHOICE] = read_choice,   [SHAPE_INSIDE] = read_inside,
	[SHAPE_LIST] = read_list,      [SHAPE_NUMBERS] = read_numbers, [SHAPE_RATE] = read_rate,
};

static void set_defaults(const struct shape *s, void *out)
{
	for (size_t i = 0; i < s->count; i++) {
		const struct shape_field *f = &s->fields[i];
		if (f->kind == SHAPE_TEXT || f->kind == SHAPE_NAME)
			*(char **)((char *)out + f->at) = copy(f->text ? f->text : "", false);
		else if (f->kind == SHAPE_ADDR && f->text)
			addr_parse(f->text, (struct addr *)((char *)out + f->at));
		else if (f->kind == SHAPE_NUMBER)
			put_number(f, out, f->otherwise);
		else if (f->kind == SHAPE_CHOICE)
			*(int *)((char *)out + f->at) = (int)f->otherwise;
		else if (f->kind == SHAPE_INSIDE)
			set_defaults(f->shape, out);
	}
}

static const struct shape_field *find_field(const struct shape *s, const char *name)
{
	for (size_t i = 0; i < s->count; i++)
		if (strcmp(s->fields[i].name, name) == 0)
			return &s->fields[i];
	return NULL;
}

static bool read_fields(const struct shape *s, const json_t *object, const char *path, void *out,
			struct buf *error)
{
	bool ok = true;
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)object, name, value)
	{
		const struct shape_field *f = find_field(s, name);
		struct place_name at = {path, name, error};
		if (f) {
			ok = readers[f->kind](f, value, &at, out) && ok;
			continue;
		}
		buf_printf(error, "%s: '%.*s' is not known here; known:", path, QUOTED_MAX, name);
		for (size_t i = 0; i < s->count; i++)
			buf_printf(error, " %s", s->fields[i].name);
		buf_appendc(error, '\n');
		ok = false;
	}
	for (size_t i = 0; i < s->count; i++) {
		if (s->fields[i].required && !json_object_get(object, s->fields[i].name)) {
			buf_printf(error, "%s: '%s' is missing\n", path, s->fields[i].name);
			ok = false;
		}
	}
	return ok;
}

bool shape_read(const struct shape *s, const json_t *object, const char *path, void *out,
		struct buf *error)
{
	set_defaults(s, out);
	if (!json_is_object(object)) {
		buf_printf(error, "%s: not an object\n", path);
		return false;
	}
	return read_fields(s, object, path, out, error);
}

static void free_strings(struct config_strings *strings)
{
	for (size_t i = 0; i < strings->count; i++)
		free(strings->items[i]);
	free(strings->items);
}

void shape_free(const struct shape *s, void *out)
{
	for (size_t i = 0; i < s->count; i++) {
		const struct shape_field *f = &s->fields[i];
		void *field = (char *)out + f->at;

		switch (f->kind) {
		case SHAPE_TEXT:
		case SHAPE_NAME:
		case SHAPE_ADDRS:
		case SHAPE_PREFIXES:
		case SHAPE_NUMBERS:
			free(*(void **)field);
			*(void **)field = NULL;
			break;
		case SHAPE_TEXTS:
		case SHAPE_NAMES:
			free_strings(field);
			break;
		case SHAPE_INSIDE:
			shape_free(f->shape, out);
			break;
		case SHAPE_LIST: {
			/* Two lists may fill one array: the first one frees it. */
			size_t *count = (size_t *)((char *)out + f->count_at);
			char *items = *(char **)field;
			for (size_t k = 0; k < *count; k++)
				shape_free(f->shape, items + k * f->shape->size);
			free(items);
			*(void **)field = NULL;
			*count = 0;
			break;
		}
		default:
			break;
		}
	}
}
