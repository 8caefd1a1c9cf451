/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the box is doing, asked of gatepostd and laid out for 80 columns. */
#ifndef GATEPOST_CLI_SHOW_H
#define GATEPOST_CLI_SHOW_H

#include "cli/cli.h"

/* "show WHAT": rows, in columns that depend on WHAT. */
int show_rows(struct cli *cli, const struct args *args);
int show_configuration(struct cli *cli, const struct args *args);
int show_revisions(struct cli *cli, const struct args *args);
int show_revision(struct cli *cli, const struct args *args);
int show_version(struct cli *cli, const struct args *args);
int show_ruleset(struct cli *cli, const struct args *args);
int show_alarms(struct cli *cli, const struct args *args);

/* Rows of a "show", as its table. */
void show_table(const char *what, const json_t *rows, struct buf *out);

/* What somebody who logs in must know; nothing when all is well. */
void show_greeting(struct cli *cli);

#endif
