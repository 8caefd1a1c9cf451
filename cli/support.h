/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * "request support": what somebody far away needs to tell what is wrong, in one archive: what each
 * "show" says, the logs, and the config without its secrets.
 *
 * Secrets are taken out twice: the config is asked for without them, and out of every text go the
 * values of the config's secret leaves, whatever looks like a password's hash, and private keys.
 */
#ifndef GATEPOST_CLI_SUPPORT_H
#define GATEPOST_CLI_SUPPORT_H

#include "cli/cli.h"

int request_support(struct cli *cli, const struct args *args);

/* Pure: replaces the given values, hashes as of crypt(5), and PEM private keys by "(hidden)". */
void support_hide(struct buf *text, char *const *secrets, size_t count);

#endif
