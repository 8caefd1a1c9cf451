/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Logs, services and the power: asked of the store's keeper, so that they are there whether
 * gatepostd is or not (gateway/rescue). */
#ifndef GATEPOST_CLI_RESCUE_H
#define GATEPOST_CLI_RESCUE_H

#include "cli/cli.h"

int show_log(struct cli *cli, const struct args *args);
int request_restart(struct cli *cli, const struct args *args);
/* "request reboot|poweroff|factory-reset [confirmed]": without the word, says what would happen. */
int request_power(struct cli *cli, const struct args *args);

#endif
