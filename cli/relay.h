/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the relay is doing and did; its queue is queue.h's. */
#ifndef GATEPOST_CLI_RELAY_H
#define GATEPOST_CLI_RELAY_H

#include "cli/cli.h"

int show_relay_log(struct cli *cli, const struct args *args);
int show_relay_message(struct cli *cli, const struct args *args);
/* "show relay WHAT": the answer's lists as tables, the rest below. */
int show_relay(struct cli *cli, const struct args *args);
int run_reload_relay(struct cli *cli, const struct args *args);

#endif
