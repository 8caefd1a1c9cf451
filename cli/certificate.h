/* SPDX-License-Identifier: GPL-2.0-or-later */
/* "system certificate NAME": a chain and its key, pasted, into the box's store of secrets. */
#ifndef GATEPOST_CLI_CERTIFICATE_H
#define GATEPOST_CLI_CERTIFICATE_H

#include "cli/cli.h"

int system_certificate(struct cli *cli, const struct args *args);

#endif
