/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the box and its relay are doing, asked of gatepostd and laid out for 80 columns. */
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
int show_relay_log(struct cli *cli, const struct args *args);
int show_relay_message(struct cli *cli, const struct args *args);
int show_relay(struct cli *cli, const struct args *args);
int run_reload_relay(struct cli *cli, const struct args *args);
int run_ping(struct cli *cli, const struct args *args);

/* What somebody who logs in must know; nothing when all is well. */
void show_greeting(struct cli *cli);

#endif
