/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a config means to the programs beside gatepostd: the relay's JSON, the host name, the
 * resolvers, the time servers, DNS for the DMZ, where log lines are sent, SSH from outside.
 *
 * The relay's settings are the `relay` subtree of the model as RFC 7951 JSON, its name servers
 * filled in from the system's where it has none of its own; gatepostd and the relay share nothing
 * else. A program is told of new settings through its runit service; one that is not running reads
 * them when it starts, so that is no failure, but it is said.
 */
#ifndef GATEPOST_GATEWAY_SERVICES_H
#define GATEPOST_GATEWAY_SERVICES_H

#include "lib/buf.h"

#include <libyang/libyang.h>
#include <stdbool.h>

struct services {
	const char *run_dir;     /* relay.json, chrony.conf... are written here */
	const char *folder;      /* of runit's services, or NULL: nobody is told */
	const char *resolv_conf; /* or NULL: left alone */
	bool host_name;          /* whether the machine's name is ours to set */
};

struct services_undo;

/*
 * True with *undo set, which the caller frees; what the operator should know is a line each in
 * notes. On failure what was there is restored, *undo is NULL and error has the reason.
 */
bool services_apply(const struct services *s, const struct lyd_node *conf,
		    struct services_undo **undo, struct buf *notes, struct buf *error);
/* Brings back what services_apply() found. What cannot be brought back is logged. */
void services_undo(struct services_undo *undo);
void services_undo_free(struct services_undo *undo);

/* The relay's whole configuration; "" when the config has no relay. */
void services_relay_json(const struct lyd_node *conf, struct buf *out);
void services_resolv_conf(const struct lyd_node *conf, struct buf *out);
/* chrony's whole configuration; "" without time servers. */
void services_chrony_conf(const struct lyd_node *conf, struct buf *out);
/* "on" while `system ssh allow` names somebody: what the ssh service waits for. */
void services_ssh_conf(const struct lyd_node *conf, struct buf *out);

/* dnsmasq's whole configuration; "" when the DMZ gets no DNS from the box. */
void services_dns_conf(const struct lyd_node *conf, struct buf *out);
/* The receivers of log lines, one a line: for gatepost-syslog. */
void services_syslog(const struct lyd_node *conf, struct buf *out);

#endif
