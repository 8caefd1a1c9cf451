/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The candidate from a file, from standard input or from what is pasted; and into a file.
 *
 * A paste is read byte by byte from a terminal that neither echoes nor edits: the kernel holds the
 * sender back when its buffer is full, and nothing but Ctrl-D or Ctrl-C means anything, so a whole
 * config arrives as it was sent, at whatever speed.
 */
#ifndef GATEPOST_CLI_LOAD_H
#define GATEPOST_CLI_LOAD_H

#include "cli/cli.h"

/* A file's text, what is pasted ("terminal"), or what a script has behind this line ("-"). False
 * when there is none; that has been said. */
bool load_read(const struct cli *cli, const char *name, struct buf *text);

/* Commands of the table: load [merge] FILE|-|terminal; outside the configuration, load and commit
 * in one. */
int load_load(struct cli *cli, const struct args *args);
int load_merge(struct cli *cli, const struct args *args);
int load_and_commit(struct cli *cli, const struct args *args);
int load_save(struct cli *cli, const struct args *args);

#endif
