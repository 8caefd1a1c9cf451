/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "model/leaves.h"

#include "model/model.h"
#include "model/schema.h"

static void visit_term(const struct lyd_node *leaf, leaves_visit visit, void *arg)
{
	enum value_kind kind = value_kind(leaf->schema);
	struct prefix value;

	switch (kind) {
	case VALUE_IP:
	case VALUE_PREFIX:
	case VALUE_INTERFACE_ADDRESS:
	case VALUE_ENDPOINT:
		if (prefix_parse(conf_text(leaf), &value))
			visit(leaf, kind, &value, arg);
		break;
	case VALUE_PORTS:
	case VALUE_OTHER:
		break;
	}
}

void leaves_addresses(const struct lyd_node *conf, leaves_visit visit, void *arg)
{
	for (; conf; conf = conf->next) {
		if (schema_is_inner(conf->schema))
			leaves_addresses(lyd_child(conf), visit, arg);
		else
			visit_term(conf, visit, arg);
	}
}
