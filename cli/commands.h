/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All commands, one table: what may be typed, what it is for, what it runs. */
#ifndef GATEPOST_CLI_COMMANDS_H
#define GATEPOST_CLI_COMMANDS_H

#include "cli/grammar.h"

extern const struct command commands[];
extern const size_t commands_count;

#endif
