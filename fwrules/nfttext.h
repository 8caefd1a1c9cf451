/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A ruleset as the text that nft(8) reads and writes: for people, and for tests that hold our batch
 * against what nft makes of the same text.
 */
#ifndef GATEPOST_FWRULES_NFTTEXT_H
#define GATEPOST_FWRULES_NFTTEXT_H

#include "fwrules/ruleset.h"
#include "lib/buf.h"

/* Appends one whole "table inet gatepost { ... }", and the bridge's if there is one, its names
 * those of the generation given. */
void nfttext_print(const struct ruleset *rs, uint32_t generation, struct buf *out);

#endif
