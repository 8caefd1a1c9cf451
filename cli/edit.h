/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The candidate: a copy of the config that is edited here and becomes the config by a commit,
 * which gatepostd carries out whole or not at all.
 */
#ifndef GATEPOST_CLI_EDIT_H
#define GATEPOST_CLI_EDIT_H

#include "cli/cli.h"
#include "cli/output.h"

/* Commands of the table. */
int edit_configure(struct cli *cli, const struct args *args);
int edit_break_lock(struct cli *cli, const struct args *args);
int edit_exit(struct cli *cli, const struct args *args);
int edit_set(struct cli *cli, const struct args *args);
int edit_delete(struct cli *cli, const struct args *args);
int edit_rename(struct cli *cli, const struct args *args);
int edit_copy(struct cli *cli, const struct args *args);
int edit_insert(struct cli *cli, const struct args *args);
int edit_annotate(struct cli *cli, const struct args *args);
int edit_edit(struct cli *cli, const struct args *args);
int edit_up(struct cli *cli, const struct args *args);
int edit_top(struct cli *cli, const struct args *args);
int edit_show(struct cli *cli, const struct args *args);
int edit_discard(struct cli *cli, const struct args *args);

/* show | compare [REVISION] */
int edit_compare(struct cli *cli, const char *revision);

/* What the candidate was made from, which it then owns. */
void edit_take_base(struct cli *cli, struct lyd_node *conf, unsigned revision);
/* Take conf as the candidate, or into it; it is theirs then. */
void edit_take_candidate(struct cli *cli, struct lyd_node *conf);
void edit_merge_candidate(struct cli *cli, struct lyd_node *conf);

bool edit_has_changes(const struct cli *cli);
/* Asked at each prompt: takes the edit lock again where its connection was lost. */
void edit_keep_lock(struct cli *cli);
/* Leaves configuration mode; the candidate is gone. */
void edit_leave(struct cli *cli);

/* A revision's tree (0: the one in force), which the caller frees. False after a failure that has
 * been said, with what to return in *status. */
bool cli_fetch(struct cli *cli, unsigned revision, struct lyd_node **conf, unsigned *number,
	       int *status);
/* A part of a config, in the form that was asked for. */
void cli_print_config(struct cli *cli, const struct lyd_node *conf, const struct path *path);

#endif
