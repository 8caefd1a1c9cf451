/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the candidate to the config in force, and back. gatepostd carries a commit out whole or not
 * at all; while it is down, the store alone is changed, after the model has checked the text here.
 */
#ifndef GATEPOST_CLI_COMMIT_H
#define GATEPOST_CLI_COMMIT_H

#include "cli/cli.h"

/* Commands of the table. */
int commit_commit(struct cli *cli, const struct args *args);
int commit_check(struct cli *cli, const struct args *args);
int commit_confirm(struct cli *cli, const struct args *args);
int commit_rollback(struct cli *cli, const struct args *args);
int commit_rollback_now(struct cli *cli, const struct args *args);

/* Faults, a line each; where one names a line of text, that line is shown under it. */
void commit_say_faults(const char *faults, const char *text);

#endif
