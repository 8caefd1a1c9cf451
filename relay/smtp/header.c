/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/smtp/header.h"

#include "lib/utf8.h"
#include "relay/smtp/command.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define COMMENT_DEPTH_MAX 16

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* ---- the From field's value ---- */

/* Tokens of RFC 5322 §3.2: comments and white space between them are passed over. */
enum token_kind { TOKEN_END, TOKEN_WORD, TOKEN_QUOTED, TOKEN_LITERAL, TOKEN_SPECIAL, TOKEN_BAD };

struct token {
	enum token_kind kind;
	const char *s;
	size_t n;
};

struct scanner {
	const char *at, *end;
	const char *reason;
};

static struct token bad_token(struct scanner *s, const char *reason)
{
	s->reason = reason;
	return (struct token){TOKEN_BAD, s->at, 0};
}

static bool skip_comment(struct scanner *s)
{
	unsigned depth = 0;

	do {
		if (*s->at == '(')
			depth++;
		else if (*s->at == ')')
			depth--;
		else if (*s->at == '\\')
			s->at++;
		if (s->at < s->end)
			s->at++;
	} while (depth && depth <= COMMENT_DEPTH_MAX && s->at < s->end);
	return depth == 0;
}

/* From an opening character to its closing one, both included. */
static struct token delimited(struct scanner *s, enum token_kind kind, char close)
{
	const char *start = s->at;

	for (s->at++; s->at < s->end && *s->at != close; s->at++)
		if (*s->at == '\\' && s->at + 1 < s->end)
			s->at++;
	if (s->at >= s->end)
		return bad_token(s, close == '"' ? "a '\"' is not closed" : "a '[' is not closed");
	s->at++;
	return (struct token){kind, start, (size_t)(s->at - start)};
}

static struct token next_token(struct scanner *s)
{
	static const char specials[] = "<>@,;:.";
	const char *start;

	while (s->at < s->end && (is_space(*s->at) || *s->at == '('))
		if (*s->at != '(')
			s->at++;
		else if (!skip_comment(s))
			return bad_token(s, "a comment is not closed, or too deep");
	start = s->at;
	if (start == s->end)
		return (struct token){TOKEN_END, start, 0};
	if (*start == '"')
		return delimited(s, TOKEN_QUOTED, '"');
	if (*start == '[')
		return delimited(s, TOKEN_LITERAL, ']');
	if (memchr(specials, *start, sizeof(specials) - 1)) {
		s->at++;
		return (struct token){TOKEN_SPECIAL, start, 1};
	}
	if (*start == ')' || *start == ']' || *start == '\\')
		return bad_token(s, "a ')', ']' or '\\' stands alone");
	while (s->at < s->end && !is_space(*s->at) && !memchr("()<>[]:;@\\,.\"", *s->at, 13)) {
		if ((unsigned char)*s->at < ' ' || *s->at == 0x7f)
			return bad_token(s, "it holds a control character");
		s->at++;
	}
	return (struct token){TOKEN_WORD, start, (size_t)(s->at - start)};
}

static bool is_special(const struct token *t, char c)
{
	return t->kind == TOKEN_SPECIAL && *t->s == c;
}

/* Collects words, dots and '@' as one string without what stood between them. */
struct collected {
	char text[2 * ENVELOPE_ADDRESS_MAX];
	size_t n;
	unsigned ats;
	bool word_last;
	bool loose; /* two words with no dot between: a phrase, no address */
	bool too_long;
};

static void collect(struct collected *c, const struct token *t)
{
	bool word = t->kind != TOKEN_SPECIAL;

	if (word && c->word_last)
		c->loose = true;
	c->word_last = word;
	c->ats += is_special(t, '@');
	if (c->n + t->n > sizeof(c->text)) {
		c->too_long = true;
		return;
	}
	memcpy(c->text + c->n, t->s, t->n);
	c->n += t->n;
}

static bool address_of(const struct collected *c, struct mailbox *out, const char **reason)
{
	size_t used;

	*reason = "there is no address of the form user@domain in it";
	if (c->too_long || c->loose || c->ats == 0)
		return false;
	used = mailbox_parse(c->text, c->n, out, reason);
	if (!used)
		return false;
	if (used != c->n || !*mailbox_domain(out)) {
		*reason = "the address is not of the form user@domain";
		return false;
	}
	/* Some readers decode them here and show another address (RFC 2047 §5 forbids it). */
	if (strstr(out->text, "=?")) {
		*reason = "an encoded-word may not stand inside an address";
		return false;
	}
	return true;
}

static bool same_text(const struct collected *a, const struct collected *b)
{
	return a->n == b->n && strncasecmp(a->text, b->text, a->n) == 0;
}

static const char *special_reason(char c)
{
	switch (c) {
	case ',':
		return "it holds more than one address (a name with a comma belongs in quotes)";
	case ':':
	case ';':
		return "it holds a group (a name with a colon belongs in quotes)";
	default:
		return "'<' and '>' do not match";
	}
}

bool header_from(const char *value, size_t n, struct mailbox *out, const char **reason)
{
	struct scanner s = {.at = value, .end = value + n};
	struct collected outside = {0}, inside = {0};
	bool in_angle = false, had_angle = false;
	struct token t;

	while ((t = next_token(&s)).kind != TOKEN_END) {
		if (t.kind == TOKEN_BAD) {
			*reason = s.reason;
			return false;
		}
		if (is_special(&t, '<') && !had_angle) {
			in_angle = had_angle = true;
		} else if (is_special(&t, '>') && in_angle) {
			in_angle = false;
		} else if (t.kind == TOKEN_SPECIAL && *t.s != '@' && *t.s != '.') {
			*reason = special_reason(*t.s);
			return false;
		} else if (had_angle && !in_angle) {
			*reason = "something follows the '>'";
			return false;
		} else {
			collect(in_angle ? &inside : &outside, &t);
		}
	}
	if (in_angle) {
		*reason = special_reason('<');
		return false;
	}
	/* Much software writes the address as the name and forgets the quotes: one reading. */
	if (had_angle && outside.ats && !same_text(&outside, &inside)) {
		*reason = "an '@' stands outside '<' and '>' (such a name belongs in quotes)";
		return false;
	}
	return address_of(had_angle ? &inside : &outside, out, reason);
}

/* ---- fields ---- */

struct field {
	const char *name, *value;
	size_t name_len, value_len; /* the value may be folded; its last line end is not in it */
};

/* The field at *at, with all its continuation lines; false where a line is no field. */
static bool next_field(const char **at, const char *end, struct field *f)
{
	const char *p = *at;

	f->name = p;
	while (p<end && * p> ' ' && *p < 0x7f && *p != ':')
		p++;
	f->name_len = (size_t)(p - f->name);
	while (p < end && (*p == ' ' || *p == '\t')) /* obsolete, still read by all */
		p++;
	if (f->name_len == 0 || p == end || *p != ':')
		return false;
	f->value = ++p;
	do {
		p = memchr(p, '\n', (size_t)(end - p));
		p = p ? p + 1 : end;
	} while (p < end && (*p == ' ' || *p == '\t'));
	*at = p;
	f->value_len = (size_t)(p - f->value);
	while (f->value_len && is_space(f->value[f->value_len - 1]))
		f->value_len--;
	while (f->value_len && is_space(*f->value)) {
		f->value++;
		f->value_len--;
	}
	return true;
}

static bool is_named(const struct field *f, const char *name)
{
	return f->name_len == strlen(name) && strncasecmp(f->name, name, f->name_len) == 0;
}

static void refuse(struct header *out, const char *status, const char *s, size_t n,
		   const char *what)
{
	char quoted[COMMAND_QUOTE_MAX];

	out->status = status;
	snprintf(out->text, sizeof(out->text), "%s: %s", command_quote(quoted, s, n), what);
}

static void take_from(struct header *out, const struct field *f, unsigned count)
{
	const char *reason;
	char what[200];

	if (count > 1) {
		refuse(out, "550 5.7.1", f->value, f->value_len,
		       "the message has a second From field; it must have exactly one");
	} else if (!header_from(f->value, f->value_len, &out->from, &reason)) {
		snprintf(what, sizeof(what), "the From field must hold exactly one address, but %s",
			 reason);
		refuse(out, "550 5.7.1", f->value, f->value_len, what);
	}
}

static void add_tags(struct header *out, const struct field *f)
{
	size_t had = strlen(out->tags);

	if (had + 2 > sizeof(out->tags))
		return;
	if (had)
		out->tags[had++] = ',';
	header_decode(f->value, f->value_len, out->tags + had, sizeof(out->tags) - had);
}

void header_read(const char *bytes, size_t n, struct header *out)
{
	const char *at = bytes, *end = bytes + n;
	unsigned froms = 0;
	struct field f;

	memset(out, 0, sizeof(*out));
	while (at < end && !out->status) {
		const char *start = at;

		if (!next_field(&at, end, &f)) {
			const char *eol = memchr(start, '\r', (size_t)(end - start));

			refuse(out, "554 5.6.0", start, (size_t)((eol ? eol : end) - start),
			       "this line of the message's header is no header field");
		} else if (is_named(&f, "From")) {
			take_from(out, &f, ++froms);
		} else if (is_named(&f, "Received")) {
			out->hops++;
		} else if (is_named(&f, "Subject") && !out->subject[0]) {
			header_decode(f.value, f.value_len, out->subject, sizeof(out->subject));
		} else if (is_named(&f, "Message-ID") && !out->message_id[0]) {
			header_decode(f.value, f.value_len, out->message_id,
				      sizeof(out->message_id));
		} else if (is_named(&f, "X-Gatepost-Campaign") && !out->campaign[0]) {
			header_decode(f.value, f.value_len, out->campaign, sizeof(out->campaign));
		} else if (is_named(&f, "X-Gatepost-Tags")) {
			add_tags(out, &f);
		}
	}
	if (out->status)
		return;
	if (froms == 0) {
		out->status = "550 5.7.1";
		snprintf(out->text, sizeof(out->text),
			 "the message has no From field; it must have exactly one");
	} else if (out->hops > HEADER_HOPS_MAX) {
		out->status = "554 5.4.6";
		snprintf(out->text, sizeof(out->text),
			 "the message has passed %u relays: it goes round in a loop", out->hops);
	}
}
