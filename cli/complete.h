/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What may come next, for Tab and ?. Words of commands come from the command table, words of the
 * config and their explanations from the model, names (servers, groups, accounts) from the config
 * at hand: nothing is described twice.
 */
#ifndef GATEPOST_CLI_COMPLETE_H
#define GATEPOST_CLI_COMPLETE_H

#include "cli/cli.h"

/* help may be "". A word in <> is no word but says what kind of one is expected. */
typedef void (*complete_visit)(const char *word, const char *help, void *arg);

/*
 * line is what stands before the cursor. *partial is where its last word begins, the one that is
 * being typed; only what it begins is visited.
 */
void complete_line(struct cli *cli, const char *line, size_t *partial, complete_visit visit,
		   void *arg);

#endif
