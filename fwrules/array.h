/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Arrays that grow: at[n++] after array_room(). Out of memory ends the process, as in lib/buf.h. */
#ifndef GATEPOST_FWRULES_ARRAY_H
#define GATEPOST_FWRULES_ARRAY_H

#include <stdlib.h>
#include <string.h>

/* at with room for member n; new members are zeroed. */
static inline void *array_room(void *at, size_t n, size_t *cap, size_t member_bytes)
{
	if (n < *cap)
		return at;
	size_t more = *cap ? *cap * 2 : 8;
	char *grown = reallocarray(at, more, member_bytes);
	if (!grown)
		abort();
	memset(grown + *cap * member_bytes, 0, (more - *cap) * member_bytes);
	*cap = more;
	return grown;
}

/* The next free member of the array that the lvalues at, n and cap describe; n counts it. */
#define ARRAY_NEXT(at, n, cap) \
	((at) = array_room((at), (n), &(cap), sizeof(*(at))), (n)++, &(at)[(n)-1])

static inline char *text_copy(const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		abort();
	return copy;
}

#endif
