/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The elements of which the HTML standard's tree construction says something special, as numbers
 * that can be compared, with what it says.
 */
#ifndef GATEPOST_RELAY_HTML_ELEMENTS_H
#define GATEPOST_RELAY_HTML_ELEMENTS_H

#include <stddef.h>
#include <stdint.h>

enum element_fact {
	ELEMENT_VOID = 1 << 0,        /* §13.1.2 */
	ELEMENT_FORMATTING = 1 << 1,  /* §13.2.4.3: in the list of active formatting elements */
	ELEMENT_BLOCK = 1 << 2,       /* its start tag closes a p, and does not reopen formatting */
	ELEMENT_MARKER = 1 << 3,      /* formatting begins anew inside */
	ELEMENT_TABLE = 1 << 4,       /* table, and what a table is made of */
	ELEMENT_HEAD = 1 << 5,        /* its start tag leaves us in head, or before it */
	ELEMENT_BREAKS_OUT = 1 << 6,  /* ends svg and math */
	ELEMENT_INTEGRATION = 1 << 7, /* HTML goes on inside it, in svg and math */
	ELEMENT_RCDATA = 1 << 8,
	ELEMENT_RAWTEXT = 1 << 9, /* script and plaintext too: see html_text_mode_of() */
	ELEMENT_QUIET = 1 << 10,  /* its start tag does not reopen formatting */
	ELEMENT_LINK = 1 << 11,   /* its href is a link to be followed */
	ELEMENT_SCOPE = 1 << 12,  /* a p outside of it is not closed from inside */
	ELEMENT_LIST = 1 << 13,   /* nor a list item */
};

/* The ones that code asks for by name. */
enum element_id {
	E_OTHER,
	E_A,
	E_BR,
	E_NOBR,
	E_P,
	E_LI,
	E_DD,
	E_DT,
	E_TR,
	E_TD,
	E_TH,
	E_TABLE,
	E_HTML,
	E_BODY,
	E_HEAD,
	E_META,
	E_TEMPLATE,
	E_FRAMESET,
	E_SVG,
	E_MATH,
	E_FONT,
	E_SCRIPT,
	E_PLAINTEXT,
	E_SELECT,
};

struct element {
	char name[16]; /* lower case, NUL-padded */
	enum element_id id;
	uint16_t facts;
};

/* Never NULL: an element that nothing is said about has no name, and is E_OTHER. name[n]: in any
 * case. */
const struct element *element_find(const char *name, size_t n);

#endif
