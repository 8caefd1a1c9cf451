/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * "monitor interfaces|firewall|relay": one screen, again and again, with what moved since the last
 * look as rates. A terminal that can put its cursor home is repainted; on a dumb one, and in a
 * script, each look is printed below the last. q or Ctrl-C ends it, or the count of looks.
 */
#ifndef GATEPOST_CLI_MONITOR_H
#define GATEPOST_CLI_MONITOR_H

#include "cli/cli.h"

#include <jansson.h>

int run_monitor(struct cli *cli, const struct args *args);

/*
 * Pure: gives each row of now NAME_rate, per second, for each whole number NAME in it that the row
 * of the same key in before has too. A number that went down was reset: it counts from 0.
 */
void monitor_rates(json_t *now, const json_t *before, const char *key, double seconds);

#endif
