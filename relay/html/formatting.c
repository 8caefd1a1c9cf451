/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/html/formatting.h"

#include <string.h>
#include <strings.h>

void formatting_open(struct formatting *f, const char *bytes)
{
	f->bytes = bytes;
	f->depth = 0;
	f->lost_count = f->lost_from = 0;
	f->safe = 0;
	f->off = false;
}

static bool is(const struct open_element *o, enum element_fact fact)
{
	return o->element->facts & fact;
}

static void push(struct formatting *f, const struct open_element *o)
{
	if (f->depth == FORMATTING_DEPTH_MAX) {
		f->off = true;
		return;
	}
	f->open[f->depth++] = *o;
}

static void lose(struct formatting *f, const struct open_element *o)
{
	if (f->lost_count < FORMATTING_LOST_MAX)
		f->lost[f->lost_count++] = *o;
}

/* Takes the top away. What is lost inside a marker ends with it. */
static void pop(struct formatting *f)
{
	const struct open_element *top = &f->open[--f->depth];

	if (is(top, ELEMENT_MARKER)) {
		f->lost_count = f->lost_from;
		f->lost_from = top->lost_before;
	} else if (is(top, ELEMENT_FORMATTING)) {
		lose(f, top);
	}
}

static void pop_to(struct formatting *f, size_t depth)
{
	while (f->depth > depth)
		pop(f);
}

/* Text, or a tag that the standard treats like it: what was lost is open again. */
static void reopen(struct formatting *f)
{
	for (unsigned i = f->lost_from; i < f->lost_count; i++)
		push(f, &f->lost[i]);
	f->lost_count = f->lost_from;
}

/* The topmost open element of that id, not looking beyond one with the fact `wall`; or NONE. */
#define NONE ((size_t)-1)
static size_t find_id(const struct formatting *f, enum element_id id, unsigned wall)
{
	for (size_t i = f->depth; i-- > 0;) {
		if (f->open[i].element->id == id)
			return i;
		if (f->open[i].element->facts & wall)
			break;
	}
	return NONE;
}

static void close_id(struct formatting *f, enum element_id id, unsigned wall)
{
	size_t at = find_id(f, id, wall);

	if (at != NONE)
		pop_to(f, at);
}

/* The nearest of that id in the innermost table. */
static void close_in_table(struct formatting *f, enum element_id id)
{
	size_t at = find_id(f, id, 0), table = find_id(f, E_TABLE, 0);

	if (at != NONE && (table == NONE || at > table))
		pop_to(f, at);
}

/*
 * The end of the formatting element open[at] (§13.2.6.4.7, the adoption agency): what is in it
 * and is formatting too is lost, but blocks in it stay open, without it.
 */
static void end_formatting(struct formatting *f, size_t at)
{
	bool block = false;

	for (size_t i = at + 1; i < f->depth; i++)
		block = block || is(&f->open[i], ELEMENT_BLOCK);
	if (!block)
		pop_to(f, at + 1);
	memmove(&f->open[at], &f->open[at + 1], (f->depth - at - 1) * sizeof(f->open[0]));
	f->depth--;
}

/* A part of a table begins: what is open in the innermost table up to where it can stand ends. */
static void close_for_table_part(struct formatting *f, const struct element *e)
{
	close_in_table(f, E_TD);
	close_in_table(f, E_TH);
	if (e->id != E_TD && e->id != E_TH)
		close_in_table(f, E_TR);
	while (f->depth && !is(&f->open[f->depth - 1], ELEMENT_TABLE))
		pop(f);
}

/* End tags that a start tag implies. */
static void close_implied(struct formatting *f, const struct element *e)
{
	size_t at;

	if (e->facts & ELEMENT_TABLE && e->id != E_TABLE) {
		close_for_table_part(f, e);
		return;
	}
	switch (e->id) {
	case E_A:
	case E_NOBR:
		at = find_id(f, e->id, ELEMENT_MARKER);
		if (at != NONE)
			end_formatting(f, at);
		return;
	case E_DD:
	case E_DT:
		close_id(f, E_DD, ELEMENT_LIST);
		close_id(f, E_DT, ELEMENT_LIST);
		break;
	case E_LI:
		close_id(f, E_LI, ELEMENT_LIST);
		break;
	default:
		break;
	}
	if (e->facts & ELEMENT_BLOCK)
		close_id(f, E_P, ELEMENT_SCOPE);
}

void formatting_text(struct formatting *f, const struct html_token *text)
{
	bool in_table = f->depth && f->open[f->depth - 1].element->facts & ELEMENT_TABLE &&
			!is(&f->open[f->depth - 1], ELEMENT_MARKER);
	size_t at = text->data.start;

	while (in_table && at < text->data.end && memchr(" \t\r\n\f", f->bytes[at], 5))
		at++;
	if (at == text->data.end)
		return;
	reopen(f);
	if (find_id(f, E_SELECT, 0) == NONE)
		f->safe = text->whole.end;
}

void formatting_start(struct formatting *f, const struct html_token *tag,
		      const struct element *element)
{
	struct open_element o = {.element = element, .name = tag->name};

	/* What a table is made of is ignored outside of one. */
	if (element->facts & ELEMENT_TABLE && element->id != E_TABLE &&
	    find_id(f, E_TABLE, 0) == NONE)
		return;
	close_implied(f, element);
	if (!(element->facts & (ELEMENT_BLOCK | ELEMENT_QUIET))) {
		reopen(f);
		if (element->id != E_SELECT && find_id(f, E_SELECT, 0) == NONE)
			f->safe = tag->whole.end;
	}
	/* What is in svg and math is not followed. */
	if (element->facts & ELEMENT_VOID || element->id == E_SVG || element->id == E_MATH)
		return;
	if (element->facts & ELEMENT_MARKER) {
		o.lost_before = f->lost_from;
		f->lost_from = f->lost_count;
	}
	push(f, &o);
}

static bool same(const struct formatting *f, const struct open_element *o,
		 const struct html_token *tag, const struct element *element)
{
	size_t n = tag->name.end - tag->name.start;

	if (element->id != E_OTHER || *element->name)
		return o->element == element;
	return !*o->element->name && o->name.end - o->name.start == n &&
	       !strncasecmp(f->bytes + o->name.start, f->bytes + tag->name.start, n);
}

/* The end tag of b and its like also ends one that is lost. */
static void find_again(struct formatting *f, const struct element *element)
{
	for (unsigned i = f->lost_count; i-- > f->lost_from;) {
		if (f->lost[i].element != element)
			continue;
		memmove(&f->lost[i], &f->lost[i + 1], (f->lost_count - i - 1) * sizeof(*f->lost));
		f->lost_count--;
		return;
	}
}

/* What an end tag does not look beyond for its element. */
static unsigned wall_of(const struct element *e)
{
	if (e->facts & ELEMENT_TABLE)
		return 0;
	if (e->facts & ELEMENT_FORMATTING)
		return ELEMENT_MARKER;
	if (e->facts & (ELEMENT_BLOCK | ELEMENT_SCOPE))
		return ELEMENT_SCOPE;
	return ELEMENT_BLOCK | ELEMENT_LIST | ELEMENT_SCOPE | ELEMENT_TABLE;
}

void formatting_end(struct formatting *f, const struct html_token *tag,
		    const struct element *element)
{
	unsigned wall = wall_of(element);

	for (size_t i = f->depth; i-- > 0;) {
		struct open_element *o = &f->open[i];
		if (!same(f, o, tag, element)) {
			if (o->element->facts & wall)
				break;
			continue;
		}
		if (!(element->facts & ELEMENT_FORMATTING)) {
			pop_to(f, i + 1);
			if (is(o, ELEMENT_MARKER))
				pop(f);
			else
				f->depth--;
			return;
		}
		end_formatting(f, i);
		return;
	}
	if (element->facts & ELEMENT_FORMATTING)
		find_again(f, element);
}

size_t formatting_place(const struct formatting *f, size_t at)
{
	return !f->off && f->lost_count > f->lost_from && f->safe ? f->safe : at;
}
