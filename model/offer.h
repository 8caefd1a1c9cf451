/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What may stand behind words that lead into a config: for Tab and '?'.
 *
 * Names and explanations are the schema's, entries and values those of the config at hand: nothing
 * is described twice.
 */
#ifndef GATEPOST_MODEL_OFFER_H
#define GATEPOST_MODEL_OFFER_H

#include "model/path.h"

#include <stdbool.h>

/* word as it has to be typed (quoted where it must be), or a kind of word in <>; help may be "". */
typedef void (*offer_visit)(const char *word, const char *help, void *arg);

struct offer {
	const struct lys_module *module;
	const struct lyd_node *conf;
	bool present; /* only what the config has: for showing and deleting */
	offer_visit visit;
	void *arg;
};

/* Nothing for words that lead nowhere. base may be NULL. A secret's value is never offered. */
void offer_path(const struct offer *o, const struct path *base, char *const *words, size_t count);

#endif
