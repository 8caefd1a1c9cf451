/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A person at a terminal: prompt, line editing, history, Tab and ? (libedit). It asks nothing of
 * the terminal that a dumb one of 80 columns would not do.
 */
#ifndef GATEPOST_CLI_TERMINAL_H
#define GATEPOST_CLI_TERMINAL_H

#include "cli/cli.h"

/* Reads and runs lines until the person leaves; the exit status. */
int terminal_run(struct cli *cli);

#endif
