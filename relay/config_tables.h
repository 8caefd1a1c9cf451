/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The shape of relay.json (shape.h); config.c's own, nobody else includes this. */
#ifndef GATEPOST_RELAY_CONFIG_TABLES_H
#define GATEPOST_RELAY_CONFIG_TABLES_H

#include "relay/config.h"
#include "relay/shape.h"

extern const struct shape config_shape; /* struct relay_config */

/* What main adds to a slice (slice.c). */
struct secret_key {
	uint32_t id;
	char *secret; /* 64 hex digits; "" where only the number may be known */
};

extern const struct shape config_secret_key_shape; /* struct secret_key */

#endif
