/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Looking at the site's network: programs that gatepostd runs there (ping, traceroute, capture) and
 * shows as they go, and the policy's word about a connection that nobody made.
 */
#ifndef GATEPOST_CLI_TOOLS_H
#define GATEPOST_CLI_TOOLS_H

#include "cli/cli.h"

int run_ping(struct cli *cli, const struct args *args);
int run_traceroute(struct cli *cli, const struct args *args);
int run_capture(struct cli *cli, const struct args *args);
int run_lanport(struct cli *cli, const struct args *args);
int run_test_policy(struct cli *cli, const struct args *args);

#endif
