/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The operator's shell: what its rooms share.
 *
 * Commands write what they have to say to cli->out; what went wrong is said at once, on standard
 * error. Pipes and the pager come after the command.
 */
#ifndef GATEPOST_CLI_CLI_H
#define GATEPOST_CLI_CLI_H

#include "cli/client.h"
#include "cli/grammar.h"
#include "lib/buf.h"
#include "model/model.h"
#include "model/path.h"

#include <stdbool.h>

/* Exit statuses of commands, and of the program where it runs just some. */
enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2, CLI_UNREACHABLE = 3 };

/* What `| display` asked for. */
enum display { DISPLAY_TEXT, DISPLAY_SET, DISPLAY_JSON };

struct cli {
	struct model *model;
	struct client *client; /* gatepostd */
	struct client *rescue; /* who keeps the store while gatepostd is down (gateway/rescue) */
	struct grammar *grammar;
	bool interactive; /* somebody sits at a terminal */
	bool quit;
	bool offline; /* gatepostd is down; the store alone is at hand */
	bool locked;  /* the edit lock is this session's, when last asked */

	char host[256];
	char user[64];
	bool admin;
	bool lab;         /* gatepostd knows the settings for test benches */
	unsigned waiting; /* the revision that waits to be confirmed; 0 for none */
	int waiting_seconds;

	unsigned revision; /* in force, when last asked */

	unsigned mode; /* MODE_OPERATE or MODE_CONFIGURE */
	struct lyd_node *candidate;
	bool annotated;           /* a comment of it was changed, which 'compare' does not tell */
	unsigned lock_connection; /* the connection that took the edit lock (client_connection) */
	bool lock_told;           /* that the lock was lost */
	struct lyd_node *base;    /* what it was made from */
	unsigned base_revision;
	struct path edit; /* the place that set, delete and show begin at */

	enum display display; /* for the command that runs */
	bool piped;           /* its output goes through pipes */
	struct buf out;
};

/* Prints to standard error. */
void cli_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Runs one line, pipes and all; returns its exit status. An empty line does nothing. */
int cli_line(struct cli *cli, const char *line);

/* Runs one command of MODE_OPERATE; what it would print and complain of goes to out instead. */
void cli_collect(struct cli *cli, const char *line, struct buf *out);

/*
 * Asks gatepostd; when it is down, the store's keeper, which answers what can be done on the store
 * and sets "offline" in each answer. Always an object with "ok". Takes the reference to request.
 */
json_t *cli_request(struct cli *cli, json_t *request);
/*
 * The same. NULL after a failure, which has been said; *status is then what to return.
 * Takes the reference to request.
 */
json_t *cli_ask(struct cli *cli, json_t *request, int *status);

/* Whom and what we talk to; asked for again at each prompt. False when gatepostd is not there. */
bool cli_refresh(struct cli *cli);

#endif
