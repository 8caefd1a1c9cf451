/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sets and maps as the kernel and nft(8) are told of them: flags, key type, lengths. Pure. */
#ifndef GATEPOST_FWRULES_SETFORM_H
#define GATEPOST_FWRULES_SETFORM_H

#include "fwrules/present.h"
#include "fwrules/ruleset.h"

#include <stdbool.h>
#include <stdint.h>

/* All but the name. */
struct present_set setform_of(const struct set *set);

bool setform_same(const struct present_set *a, const struct present_set *b);

/* The length of each field of a key, in bytes. */
const uint8_t *setform_fields(enum key_kind key, uint32_t *n);

#endif
