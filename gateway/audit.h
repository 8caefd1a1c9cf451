/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who did what: every command that somebody gave to the command line, every change that gatepostd
 * was asked for and what became of it. One writer, gatepostd; a line each, JSON, appended with one
 * write and synced when it tells of a change. The same goes to the log, and with it to remote
 * syslog.
 *
 *	{"time":1795480000,"user":"alice","terminal":"/dev/pts/3","command":"show interfaces"}
 *	{"time":1795480007,"user":"alice","terminal":"","command":"commit","said":"revision 7"}
 *
 * A file of AUDIT_FILE_MAX bytes makes way for a new one; the last AUDIT_FILES are kept. Secrets
 * are taken out of commands: what follows the name of a secret leaf.
 */
#ifndef GATEPOST_GATEWAY_AUDIT_H
#define GATEPOST_GATEWAY_AUDIT_H

#include "gateway/peer.h"
#include "model/model.h"

#include <jansson.h>

#define AUDIT_FILE_MAX ((off_t)1 << 20) /* bytes */
#define AUDIT_FILES    8
#define AUDIT_LINE_MAX 4096 /* bytes of a command */

struct audit;

/* Makes the file's folder. What cannot be written later is logged, never a reason to refuse. */
struct audit *audit_open(const char *path, const struct model *model);
void audit_close(struct audit *a);

/* said: what became of it, or NULL. change: is it to survive a power cut? */
void audit_note(struct audit *a, const struct peer *peer, const char *command, const char *said,
		bool change);

/* The last lines, oldest first, at most max: {time, user, terminal, command, said}. */
json_t *audit_rows(const struct audit *a, size_t max);

/* command without its secrets. */
void audit_mask(const struct audit *a, const char *command, struct buf *out);

#endif
