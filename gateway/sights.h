/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The verbs that look and change nothing: "show" with its table of sights, words for completion,
 * and what the policy says to a connection that nobody made. */
#ifndef GATEPOST_GATEWAY_SIGHTS_H
#define GATEPOST_GATEWAY_SIGHTS_H

#include "gateway/verbs.h"

json_t *sights_show(struct gate *g, const struct peer *peer, const json_t *request);
json_t *sights_offers(struct gate *g, const struct peer *peer, const json_t *request);
json_t *sights_test_policy(struct gate *g, const struct peer *peer, const json_t *request);

#endif
