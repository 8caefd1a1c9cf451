/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The body is looked at in blocks of a fixed size, in loops without a branch that the compiler
 * makes vector instructions of: a block of which nothing would be left out or replaced belongs to
 * the run of bytes that are given out as they are. Any other block is gone through byte by byte.
 */
#include "relay/sign/relaxed.h"

#include <string.h>

enum { BLOCK = 64, COPY_MAX = 4096 };

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Index of the first byte that only ends the body: what is behind it is CRLFs and white space. */
static size_t last_line_end(const char *s, size_t n)
{
	while (n && (is_blank(s[n - 1]) || s[n - 1] == '\r' || s[n - 1] == '\n'))
		n--;
	return n;
}

bool relaxed_fit(const char *s, size_t n)
{
	size_t at = 0;

	if (n == 0 || s[0] == '\n' || s[n - 1] == '\r')
		return false;
	/* A CR where the next is no LF, or an LF where the last is no CR. */
	for (; at + BLOCK < n; at += BLOCK) {
		unsigned char bad = 0;
		for (size_t i = 0; i < BLOCK; i++)
			bad |= (unsigned char)((s[at + i] == '\r') ^ (s[at + i + 1] == '\n'));
		if (bad)
			return false;
	}
	for (; at + 1 < n; at++)
		if ((s[at] == '\r') != (s[at + 1] == '\n'))
			return false;
	return last_line_end(s, n) > 0;
}

/* Nothing in s[BLOCK] would change, whatever is before it; s[BLOCK] is there to be read. */
static bool block_is_relaxed(const char *s)
{
	unsigned char bad = 0;

	for (size_t i = 0; i < BLOCK; i++) {
		unsigned char tab = s[i] == '\t', space = s[i] == ' ';
		unsigned char next = (s[i + 1] == ' ') | (s[i + 1] == '\t') | (s[i + 1] == '\r');
		bad |= (unsigned char)(tab | (space & next));
	}
	return !bad;
}

struct copy {
	char bytes[COPY_MAX];
	size_t n;
	relaxed_sink *sink;
	void *arg;
};

static void copy_out(struct copy *c)
{
	if (c->n)
		c->sink(c->arg, c->bytes, c->n);
	c->n = 0;
}

/* s[from, to) with its white space made less; to is no place amid a run of it. */
static void relax(struct copy *c, const char *s, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		if (c->n == COPY_MAX)
			copy_out(c);
		if (!is_blank(s[i])) {
			c->bytes[c->n++] = s[i];
			continue;
		}
		while (is_blank(s[i + 1]))
			i++;
		if (s[i + 1] != '\r')
			c->bytes[c->n++] = ' ';
	}
}

void relaxed_body(const char *s, size_t n, relaxed_sink *sink, void *arg)
{
	struct copy copy = {.n = 0, .sink = sink, .arg = arg};
	size_t end = last_line_end(s, n), at = 0;

	while (at < end) {
		size_t run = at;
		while (run + BLOCK < end && block_is_relaxed(s + run))
			run += BLOCK;
		if (run > at) {
			copy_out(&copy);
			sink(arg, s + at, run - at);
			at = run;
		}
		size_t stop = at + BLOCK < end ? at + BLOCK : end;
		while (stop < end && is_blank(s[stop]))
			stop++;
		relax(&copy, s, at, stop);
		at = stop;
	}
	copy_out(&copy);
	sink(arg, "\r\n", 2);
}
