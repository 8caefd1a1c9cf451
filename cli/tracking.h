/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Commands about what leaves the relay: who wants no mail, links that are shut off, signing keys.
 */
#ifndef GATEPOST_CLI_TRACKING_H
#define GATEPOST_CLI_TRACKING_H

#include "cli/cli.h"

int show_relay_suppressions(struct cli *cli, const struct args *args);
int show_relay_shut_off(struct cli *cli, const struct args *args);
int show_relay_keys(struct cli *cli, const struct args *args);

/* suppress, unsuppress, shut-off, reopen: the pattern's third word is the verb. */
int request_relay_list(struct cli *cli, const struct args *args);
int request_relay_key(struct cli *cli, const struct args *args);

#endif
