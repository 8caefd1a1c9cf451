/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The relay's queue: looking at what waits, and an administrator's hand in it. */
#ifndef GATEPOST_CLI_QUEUE_H
#define GATEPOST_CLI_QUEUE_H

#include "cli/cli.h"

int show_relay_waiting(struct cli *cli, const struct args *args);
int show_relay_waiting_message(struct cli *cli, const struct args *args);
int show_relay_alarms(struct cli *cli, const struct args *args);

/* "request relay VERB ...". */
int request_relay(struct cli *cli, const struct args *args);

#endif
