/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writing into the directory of the secrets: main's alone. */
#ifndef GATEPOST_RELAY_SECRET_H
#define GATEPOST_RELAY_SECRET_H

#include "lib/buf.h"

#include <stdbool.h>
#include <stddef.h>

/* All or nothing: the file is there with its bytes on disk, or it is as it was. dir stays the
 * caller's. False with the reason in error. */
bool secret_write(int dir, const char *name, const char *bytes, size_t n, struct buf *error);

#endif
